//! What servers of a fleet write to each other: signals to clients of the other, and what only the other can do.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use prost::Message;
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    Fleet, Job,
    life::{BACK_OFF, Life},
    questions::named,
    report::client_id,
};
use crate::{
    event::Position,
    hub::{
        Hub, NotFound,
        cell::{Away, Refused, RoomCell, Said},
        outbox::Entry,
    },
    id::{ClientId, Incarnation, RoomId},
    journal::stored::{
        StoredError,
        pb::{self, letter::What, question::What as Asked},
    },
    protocol::Frame,
    store::Received,
};

/// How long a signal waits for a room to be as it was where it comes from.
const MOST_KEPT: Duration = Duration::from_secs(2);

/// What another server asks.
pub(in crate::hub) struct Question {
    pub(super) id: u64,
    pub(super) at: Position,
    pub(super) what: Asked,
}

/// Who of those who are meant hears something.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::hub) struct Whom<'a> {
    pub(in crate::hub) from: Option<ClientId>,
    /// None: everybody who is connected there.
    pub(in crate::hub) to: Option<ClientId>,
    pub(in crate::hub) but: Option<&'a BTreeSet<ClientId>>,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Question({:x})", self.id)
    }
}

impl Hub {
    /// Writes to the servers of those who are away. What is taken is delivered, unless that server is gone, or this one is
    /// out of reach before.
    ///
    /// # Errors
    /// [`Refused::Unavailable`], if too much waits to be written; or where it is for one only, and this server is out of
    /// reach for the others.
    pub(in crate::hub) fn forward(
        &self,
        room_id: &RoomId,
        away: &Away,
        whom: Whom<'_>,
    ) -> Result<(), Refused> {
        let Some(fleet) = &self.fleet else { return Ok(()) };
        // Its next life begins with an empty queue. What is for all has been heard by those here.
        if whom.to.is_some() && !*fleet.in_reach.borrow() {
            return Err(Refused::Unavailable);
        }
        let said = pb::Said {
            room_id: room_id.as_str().to_owned(),
            at: away.at.0,
            from: whom.from.map(named).unwrap_or_default(),
            to: whom.to.map(named).unwrap_or_default(),
            but: whom.but.into_iter().flatten().copied().map(named).collect(),
            text: away.frame.as_str().to_owned(),
        };
        let letter: Bytes = pb::Letter { what: Some(What::Said(said)) }.encode_to_vec().into();
        let life = fleet.life();
        // A seat of this server that nobody here has is about to be given back; a letter would meet who sits there next.
        for node in away.nodes.iter().filter(|node| **node != life.node) {
            life.post.send(*node, letter.clone()).map_err(|_| Refused::Unavailable)?;
        }
        Ok(())
    }

    /// Reads what others write, until the inbox is lost.
    pub(super) async fn read_letters(self: &Arc<Self>, fleet: &Fleet, life: &Life) {
        let mut inbox = life.inbox.lock().await;
        while let Ok(letters) = inbox.next().await {
            for letter in letters {
                fleet.figures.letter_received();
                if let Err(error) = self.read_letter(fleet, letter) {
                    tracing::error!(%error, "a letter of another server cannot be read");
                }
            }
        }
    }

    fn read_letter(
        self: &Arc<Self>,
        fleet: &Fleet,
        Received { from, payload }: Received,
    ) -> Result<(), StoredError> {
        let damaged = StoredError::Damaged("a letter");
        let letter = pb::Letter::decode(payload).map_err(|_| damaged)?;
        match letter.what.ok_or(StoredError::NewerRelease("a kind of letter"))? {
            What::Said(said) => {
                let said = Said::read(said).ok_or(damaged)?;
                if let Some(cell) = self.directory.find(&said.room_id)
                    && cell.deliver(said)
                {
                    fleet.do_soon(Job::HandOn(cell));
                }
            }
            What::Question(pb::Question { id, at, what }) => {
                let what = what.ok_or(StoredError::NewerRelease("a kind of question"))?;
                fleet.do_soon(Job::Answer {
                    to: from,
                    question: Question { id, at: Position(at), what },
                });
            }
            What::Answer(answer) => {
                let asked = fleet.asked.lock().get(&answer.id).cloned();
                if let Some(asked) = asked {
                    // Whoever asked may have given up.
                    let _ = asked.send((from, answer));
                }
            }
        }
        Ok(())
    }

    /// Has nobody wait for long for what the log lost: what is kept of a room is handed on once this server knows what
    /// the log has.
    pub(super) async fn hand_on_in_time(&self, cell: &Arc<RoomCell>) {
        while let Some(since) = cell.kept_since() {
            sleep_until(since + MOST_KEPT).await;
            if !self.directory.find(cell.id()).is_some_and(|held| Arc::ptr_eq(&held, cell)) {
                return;
            }
            let long_ago = Instant::now() - MOST_KEPT;
            if self.catch_up().await.is_err() || !cell.hand_on_since(long_ago) {
                sleep(BACK_OFF).await;
            }
        }
    }

    /// Says something to every client that is connected here, and counts them.
    pub(in crate::hub) fn say_to_all(&self, frame: &Frame, but: &BTreeSet<ClientId>) -> usize {
        let mut count = 0;
        self.clients.for_each(|client| {
            if !but.contains(&client.id) {
                client.push(Entry::Frame(frame.clone()));
                count += 1;
            }
        });
        count
    }

    /// Says something to every client of the other servers, and counts those of servers that answer in time.
    ///
    /// # Errors
    /// [`NotFound::Unavailable`], if it is not known which servers there are.
    pub(in crate::hub) async fn say_elsewhere(
        &self,
        frame: &Frame,
        but: &BTreeSet<ClientId>,
    ) -> Result<usize, NotFound> {
        let Some(fleet) = &self.fleet else { return Ok(0) };
        let but = but.iter().copied().map(named).collect();
        let what = Asked::ToEveryone(pb::ToEveryone { text: frame.as_str().to_owned(), but });
        let answers = Box::pin(self.ask_others(fleet, what, |_| false)).await?;
        let counts = answers.given.iter().map(|(_, answer)| answer.clients);
        Ok(usize::try_from(counts.sum::<u64>()).unwrap_or(usize::MAX))
    }
}

impl Fleet {
    pub(super) fn reply(&self, to: Incarnation, answer: pb::Answer) {
        let letter = pb::Letter { what: Some(What::Answer(answer)) }.encode_to_vec();
        if self.life().post.send(to, letter.into()).is_err() {
            tracing::warn!(%to, "an answer was not written: too much waits already");
        }
    }
}

impl Said {
    fn read(said: pb::Said) -> Option<Self> {
        let any = |bytes: &[u8]| match bytes {
            [] => Some(None),
            bytes => client_id(bytes).map(Some),
        };
        Some(Self {
            room_id: said.room_id.parse().ok()?,
            at: Position(said.at),
            from: any(&said.from)?,
            to: any(&said.to)?,
            but: said.but.iter().map(|id| client_id(id)).collect::<Option<_>>()?,
            frame: Frame::of_other(&said.text),
        })
    }
}
