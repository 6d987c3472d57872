//! A node's inbox: a stream that only its owner makes, reads and shortens, and to which everyone else writes within a
//! bound. It outlives its owner's lease by little.
//!
//! What is in it is read once and in order, whatever becomes of the connections on either side.

use std::{collections::HashMap, sync::LazyLock, time::Duration};

use bytes::Bytes;
use redis::{Cmd, FromRedisValue, Value, cmd, from_redis_value};
use tokio::time::sleep;

use super::{
    Store, StoreError, line::Dedicated, link::Code, post::Numbered, presence::milliseconds,
};
use crate::{config::limits, id::Incarnation};

/// How long a read waits for letters before it looks whether the inbox is still there.
const WAIT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);
/// An inbox lives for so many leases after it was last renewed: a node that is late still finds its letters.
const LEASES: u32 = 3;
/// Entries that are taken out together, so that not every read waits for that first.
const TRIMMED_AT_ONCE: usize = 128;

static OPEN: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("inbox_open.lua")));
static KEEP: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("inbox_keep.lua")));
static POST: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("inbox_post.lua")));
static REACHED: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("inbox_reached.lua")));

/// The reading side of a node's own inbox.
#[derive(Debug)]
pub struct Inbox {
    store: Store,
    key: String,
    connection: Option<Dedicated>,
    read: EntryId,
    untrimmed: usize,
    /// The number of the last letter of each sender: a failover may have lost that it was written, and has it written anew.
    reached: HashMap<Incarnation, u64>,
}

/// A letter from another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Who wrote it.
    pub from: Incarnation,
    /// As it was given to [`super::Post::send`].
    pub payload: Bytes,
}

/// The inbox is not in Redis any more, or an older state of it is: letters were lost, and it is to be opened anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Redis lost this node's inbox, with the letters in it")]
pub struct InboxLost;

/// What became of letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Posted {
    /// The first so many are in the inbox; it holds no more.
    Taken(usize),
    /// Its owner is gone, or lost it.
    NoInbox,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct EntryId {
    milliseconds: u64,
    sequence: u64,
}

type Fields = HashMap<String, Vec<u8>>;

enum Broken {
    Lost,
    Store(StoreError),
}

impl Store {
    /// Makes an empty inbox for a node, in place of one that it may have. To be done before others can know of the
    /// node: what they wrote into the old one is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_inbox(
        &self,
        owner: Incarnation,
        lease: Duration,
    ) -> Result<Inbox, StoreError> {
        let [key, senders] = self.0.keys.inbox(owner);
        let lifetime = milliseconds(lease * LEASES);
        let add = |command: &mut Cmd| {
            command.arg(lifetime);
        };
        () = self.0.link.run(&OPEN, &[&key, &senders], add).await?;
        let (store, read, reached) = (self.clone(), EntryId::START, HashMap::new());
        Ok(Inbox { store, key, connection: None, read, untrimmed: 0, reached })
    }

    /// Writes letters in the order of their numbers, and skips what is there from an earlier attempt, or comes too late.
    /// The writer is of the name that it has now, and of the one by which its numbers are known.
    pub(super) async fn post(
        &self,
        to: Incarnation,
        (from, writer): (Incarnation, Incarnation),
        letters: &[Numbered],
    ) -> Result<Posted, StoreError> {
        let [key, senders] = self.0.keys.inbox(to);
        let add = |command: &mut Cmd| {
            command.arg(limits::INBOX_LETTERS).arg(limits::INBOX_BYTES);
            command.arg(from.to_string()).arg(writer.to_string());
            for letter in letters {
                command.arg(letter.number).arg(&letter.payload[..]);
            }
        };
        let taken: i64 = self.0.link.run(&POST, &[&key, &senders], add).await?;
        Ok(usize::try_from(taken).map_or(Posted::NoInbox, Posted::Taken))
    }

    /// Has the inbox live on. Returns whether it is there.
    pub(super) async fn keep_inbox(
        &self,
        owner: Incarnation,
        lease: Duration,
    ) -> Result<bool, StoreError> {
        let [key, senders] = self.0.keys.inbox(owner);
        let lifetime = milliseconds(lease * LEASES);
        let add = |command: &mut Cmd| {
            command.arg(lifetime);
        };
        self.0.link.run(&KEEP, &[&key, &senders], add).await
    }

    /// Removes the inbox. Where that fails, it expires.
    pub(super) async fn remove_inbox(&self, owner: Incarnation) {
        let [key, senders] = self.0.keys.inbox(owner);
        let mut command = cmd("UNLINK");
        command.arg(&key).arg(&senders);
        if let Err(error) = self.0.link.ask::<Value>(&key, &command).await {
            tracing::debug!(%owner, %error, "the inbox was not removed; it expires");
        }
    }
}

impl Inbox {
    /// The letters that came since the last call; it waits for the first of them, also while Redis is away. If it is
    /// dropped before it is done, the next call has them.
    ///
    /// # Errors
    /// [`InboxLost`].
    pub async fn next(&mut self) -> Result<Vec<Received>, InboxLost> {
        loop {
            match self.read().await {
                Ok(letters) if letters.is_empty() => {}
                Ok(letters) => return Ok(letters),
                Err(Broken::Lost) => return Err(InboxLost),
                Err(Broken::Store(error)) => {
                    tracing::debug!(%error, "the inbox cannot be read; trying again");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn read(&mut self) -> Result<Vec<Received>, Broken> {
        // Whoever gives up a read leaves no answer behind for the next one.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = self.store.0.link.dedicated(&self.key).await?;
                self.look().await?;
                connection
            }
        };
        if self.untrimmed >= TRIMMED_AT_ONCE {
            self.trim(&mut connection).await?;
        }
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(limits::INBOX_READ_AT_ONCE).arg("BLOCK").arg(milliseconds(WAIT));
        command.arg("STREAMS").arg(&self.key).arg(self.read.to_string());
        let streams: HashMap<String, Vec<(String, Fields)>> =
            ask(&mut connection, &command, WAIT).await?;
        let entries = streams.into_values().next().unwrap_or_default();
        if let Some((last, _)) = entries.last() {
            self.read = EntryId::read(last)?;
            self.untrimmed += entries.len();
        } else {
            self.trim(&mut connection).await?;
            self.look().await?;
        }
        self.connection = Some(connection);
        let mut letters: Vec<_> =
            entries.into_iter().filter_map(|(_, fields)| letter(fields)).collect();
        letters.retain(|(number, letter)| {
            let reached = self.reached.entry(letter.from).or_default();
            let is_new = number > reached;
            *reached = (*reached).max(*number);
            is_new
        });
        Ok(letters.into_iter().map(|(_, letter)| letter).collect())
    }

    /// Takes out of Redis what was given out.
    async fn trim(&mut self, connection: &mut Dedicated) -> Result<(), Broken> {
        if self.untrimmed > 0 {
            let mut command = cmd("XTRIM");
            command.arg(&self.key).arg("MINID").arg(self.read.next().to_string());
            let _: u64 = ask(connection, &command, Duration::ZERO).await?;
            self.untrimmed = 0;
        }
        Ok(())
    }

    /// A stream that is not there, or that has entries to come of which we would think that we have read them, says so
    /// to nobody who waits for it.
    async fn look(&self) -> Result<(), Broken> {
        let reached: Option<String> = self.store.0.link.run(&REACHED, &[&self.key], |_| {}).await?;
        let reached = reached.ok_or(Broken::Lost)?;
        if EntryId::read(&reached)? < self.read { Err(Broken::Lost) } else { Ok(()) }
    }
}

async fn ask<T: FromRedisValue>(
    connection: &mut Dedicated,
    command: &Cmd,
    blocks: Duration,
) -> Result<T, Broken> {
    let answer = connection.ask(command, blocks).await.map_err(StoreError::from)?;
    from_redis_value(answer).map_err(|error| strange(&error.to_string()))
}

/// With its number. None of what another release writes that we do not understand.
fn letter(mut fields: Fields) -> Option<(u64, Received)> {
    let text = |name| str::from_utf8(fields.get(name)?).ok();
    let (from, number) = (text("f")?.parse().ok()?, text("k")?.parse().ok()?);
    Some((number, Received { from, payload: fields.remove("d")?.into() }))
}

fn strange(what: &str) -> Broken {
    Broken::Store(StoreError::Unknown(format!("its answer makes no sense: {what}")))
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl EntryId {
    /// Of the entry with which an inbox is made.
    const START: Self = Self { milliseconds: 0, sequence: 1 };

    fn read(text: &str) -> Result<Self, Broken> {
        let parts = text.split_once('-');
        let read = parts.and_then(|(milliseconds, sequence)| {
            Some(Self {
                milliseconds: milliseconds.parse().ok()?,
                sequence: sequence.parse().ok()?,
            })
        });
        read.ok_or_else(|| strange(text))
    }

    fn next(self) -> Self {
        Self { sequence: self.sequence + 1, ..self }
    }
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.milliseconds, self.sequence)
    }
}
