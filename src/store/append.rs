//! How a decision gets into the log: in one script, which compares the version that it was made on.

use std::{
    sync::{LazyLock, atomic::Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use redis::Cmd;

use super::{
    Shared, Store, Subject,
    entry::{id, position},
    fault::StoreError,
    link::Code,
};
use crate::{event::Position, id::Incarnation};

static APPEND: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("append.lua")));
/// The same for what frees memory, and so may be done where there is none left.
static FREE: LazyLock<Code> =
    LazyLock::new(|| Code::new(concat!("#!lua flags=allow-oom\n--", include_str!("append.lua"))));
static FENCE: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("fence.lua")));

/// Names one attempt to append, so that whoever made it knows its entries again.
pub type BatchId = [u8; 16];

/// One decision, with the state that it leads to.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    /// Who appends.
    pub by: Incarnation,
    /// What changes.
    pub subject: Subject<'a>,
    /// A name that no other batch has.
    pub id: BatchId,
    /// The version that it was decided on.
    pub decided_on: Position,
    /// The changes, in order. None: nothing is written, and only the version compared.
    pub entries: Vec<Fresh>,
    /// What becomes of the fields of the subject's state; none: the field goes. `v` and `s` are the store's own.
    pub fields: Vec<(String, Option<Vec<u8>>)>,
    /// Whether the subject exists afterwards. Bans always do.
    pub exists: bool,
    /// Which of the entries settles it, if one does.
    pub settled_entry: Option<usize>,
    /// When something in it has its time; none: never, as for bans.
    pub due: Option<SystemTime>,
    /// Whether it has Redis keep less, and so is taken by a full one too.
    pub frees: bool,
    /// The servers that hold a seat there now and did not, and those that do not any more.
    pub seats: Vec<(Incarnation, bool)>,
}

/// A change that is to get a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    /// Which of the orders of its batch it comes of.
    pub order: u32,
    /// What it is.
    pub payload: Vec<u8>,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log: where each entry stands.
    At(Vec<Position>),
    /// Nothing was done: this is the version by now.
    Conflict(Position),
    /// Nothing was done: whoever appends has no lease.
    NotLive,
    /// Nothing was done: it came after a [`Store::fence`] that it was sent before.
    Late,
    /// Nothing was done: it is not the log that whoever appends knows. [`Store::reopen`] looks at it anew.
    OtherEpoch,
}

impl Store {
    /// Appends a decision, if its subject still has the version that it was made on.
    ///
    /// # Errors
    /// [`StoreError`]. After [`StoreError::Unknown`] the log tells by the batch's id whether it has been done, as far as
    /// the next [`Store::fence`] says.
    pub async fn append(&self, batch: &Batch<'_>) -> Result<Appended, StoreError> {
        let Shared { link, keys, log_events, fence, .. } = &*self.0;
        let epoch = self.epoch();
        let (lease, state) = (keys.lease(batch.by), keys.state(batch.subject));
        let seats: Vec<String> =
            batch.seats.iter().map(|(server, _)| keys.seats(*server)).collect();
        let mut names = vec![&*lease, &*state, &*keys.log, &*keys.meta, &*keys.names, &*keys.due];
        names.extend(seats.iter().map(|name| &**name));
        let decided_on = id(batch.decided_on);
        let reply: Vec<String> = link
            .run(if batch.frees { &FREE } else { &APPEND }, &names, |command| {
                let room = match batch.subject {
                    Subject::Room(id) => id.as_str(),
                    Subject::Bans => "",
                };
                let (written, deleted) = batch.fields();
                command.arg(epoch).arg(&decided_on).arg(&batch.id).arg(log_events);
                command.arg(room).arg(u8::from(batch.exists));
                command.arg(batch.settled_entry.map_or(0, |index| index + 1));
                command.arg(batch.entries.len()).arg(written.len()).arg(deleted.len());
                command
                    .arg(batch.due.map_or_else(String::new, |due| milliseconds(due).to_string()))
                    .arg(fence.load(Ordering::SeqCst));
                for Fresh { order, payload } in &batch.entries {
                    command.arg(order).arg(payload);
                }
                command.arg(written).arg(deleted);
                for (_, sits) in &batch.seats {
                    command.arg(u8::from(*sits));
                }
            })
            .await?;
        let strange = || StoreError::Unknown(format!("the script answered {reply:?}"));
        let positions = reply.iter().skip(1).map(|id| position(id));
        let positions: Vec<_> = positions.collect::<Option<_>>().ok_or_else(strange)?;
        match (reply.first().map(String::as_str), &*positions) {
            (Some("at"), _) => {
                self.0.saw(epoch, positions.last().copied().unwrap_or_default());
                Ok(Appended::At(positions))
            }
            (Some("conflict"), [version]) => {
                self.0.saw(epoch, *version);
                Ok(Appended::Conflict(*version))
            }
            (Some("not-live"), []) => Ok(Appended::NotLive),
            (Some("late"), []) => Ok(Appended::Late),
            (Some("other-epoch"), []) => Ok(Appended::OtherEpoch),
            _ => Err(strange()),
        }
    }

    /// Where the log ends, once none of this server's appends can come any more that were sent before, and of which
    /// nobody heard: what a broken connection has sent may still be read by Redis, after what is sent by another one.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Lost`] as for [`Store::head`].
    pub async fn fence(&self, node: Incarnation) -> Result<Position, StoreError> {
        let Shared { link, keys, fence, .. } = &*self.0;
        let (known, number) = (self.0.known(), fence.fetch_add(1, Ordering::SeqCst) + 1);
        let add = |command: &mut Cmd| {
            command.arg(number);
        };
        let head: String = link.run(&FENCE, &[&*keys.lease(node), &*keys.meta], add).await?;
        self.0.not_before(known, &head)
    }
}

/// Whole milliseconds since 1970, none too early.
pub(super) fn milliseconds(time: SystemTime) -> u64 {
    let nanos = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl Batch<'_> {
    /// Those that are written, and those that are deleted.
    fn fields(&self) -> (Vec<(&str, &[u8])>, Vec<&str>) {
        let (mut written, mut deleted) = (Vec::new(), Vec::new());
        for (name, value) in &self.fields {
            match value {
                Some(value) => written.push((&**name, &**value)),
                None => deleted.push(&**name),
            }
        }
        (written, deleted)
    }
}
