//! The sequencer: gives every change its position, keeps a bounded log of them, and wakes whoever follows it.

mod index;
mod memory;
pub mod stored;

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
    time::SystemTime,
};

pub use memory::{Follower, MemoryLog};

use crate::{
    ban,
    config::LogLimits,
    event::{Cause, Position},
    id::RoomId,
    room,
};

/// One entry of the log.
#[derive(Debug)]
pub struct Record {
    /// The log's last position before this entry. A reader that saw another one has missed something.
    pub log_prev: Position,
    /// What happened.
    pub entry: Entry,
    encoded: OnceLock<Arc<[u8]>>,
}

/// What the log has entries of.
#[derive(Debug)]
pub enum Entry {
    /// A room changed.
    Room {
        /// Which.
        id: RoomId,
        /// What happened to it.
        event: room::Event,
    },
    /// Who is kept out changed.
    Ban(ban::Event),
}

/// What is to be put in order: one decision.
#[derive(Debug)]
pub struct Decision<C> {
    /// The version that it saw. The caller holds the lock of what changes, so memory cannot find another one there; a
    /// journal that is shared by several servers can.
    pub decided_on: Position,
    /// What changes, in order.
    pub changes: Vec<C>,
    /// Who or what wants it.
    pub cause: Cause,
    /// When it was decided.
    pub now: SystemTime,
}

/// Why a reader cannot go on from where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Something that it follows happened after its cursor, and is no longer kept.
    #[error("the log no longer holds what follows {cursor:?}")]
    Trimmed {
        /// Where the reader stood.
        cursor: Position,
    },
    /// The log has begun another life since.
    #[error("the log began anew since the cursor was given out")]
    BegunAnew,
}

/// Where changes are put in order, and what shows them to those who follow.
#[derive(Debug)]
pub struct Journal(Arc<MemoryLog>);

impl Journal {
    /// A journal in memory that keeps entries up to `limits`.
    pub fn memory(limits: LogLimits) -> Self {
        Self(Arc::new(MemoryLog::new(limits)))
    }

    /// A journal that shows what the log of a fleet has, which is told to it by [`Journal::note`].
    pub fn mirror(limits: LogLimits, epoch: u64) -> Self {
        Self(Arc::new(MemoryLog::mirror(limits, epoch)))
    }

    /// The next entry of the log that this one mirrors.
    pub fn note(&self, log_prev: Position, entry: Entry) {
        let Self(log) = self;
        log.note(Record::new(log_prev, entry));
    }

    /// The log that this one mirrors begins anew, behind `head`: what it had is not shown any more.
    pub fn begin_anew(&self, epoch: u64, head: Position) {
        let Self(log) = self;
        log.begin_anew(epoch, head);
    }

    /// Names the log's life: another one each time that it begins anew, which ends all followers.
    pub fn epoch(&self) -> u64 {
        let Self(log) = self;
        log.epoch()
    }

    /// The position of the last entry.
    pub fn head(&self) -> Position {
        let Self(log) = self;
        log.head()
    }

    /// The positions of its newest entries, `max` at most, the oldest of them first.
    pub fn newest(&self, max: usize) -> Vec<Position> {
        let Self(log) = self;
        log.newest(max)
    }

    /// Puts the changes of one decision on a room into the log, in order and with nothing between them. `happened`
    /// is told each as it is then.
    pub fn append_of_room(
        &self,
        id: &RoomId,
        decision: Decision<room::Change>,
        mut happened: impl FnMut(&room::Event),
    ) {
        let Self(log) = self;
        for record in log.append(decision, |event| Entry::Room { id: id.clone(), event }) {
            if let Entry::Room { event, .. } = &record.entry {
                happened(event);
            }
        }
    }

    /// The same for a decision on bans.
    pub fn append_of_bans(
        &self,
        decision: Decision<ban::Change>,
        mut happened: impl FnMut(&ban::Event),
    ) {
        let Self(log) = self;
        for record in log.append(decision, Entry::Ban) {
            if let Entry::Ban(event) = &record.entry {
                happened(event);
            }
        }
    }

    /// A cursor at the log's end, for what happens in `rooms` from now on; without them, for all that happens.
    pub fn follow(&self, rooms: Option<BTreeSet<RoomId>>) -> Follower {
        let Self(log) = self;
        Follower::new(Arc::clone(log), None, rooms)
    }

    /// The same for what follows `cursor`, a position up to the head. Its first read tells whether the log still has
    /// that.
    pub fn follow_from(&self, cursor: Position, rooms: Option<BTreeSet<RoomId>>) -> Follower {
        let Self(log) = self;
        Follower::new(Arc::clone(log), Some(cursor), rooms)
    }

    /// Wakes followers, at most once a tick: many of them cost little, however fast the log grows. Without it
    /// they sleep.
    pub async fn tick(&self) {
        let Self(log) = self;
        log.tick().await;
    }
}

impl Record {
    fn new(log_prev: Position, entry: Entry) -> Self {
        Self { log_prev, entry, encoded: OnceLock::new() }
    }

    /// What is shown of it: made by `encode` for whoever asks first, and shared by all others.
    pub fn encoded(&self, encode: impl FnOnce(&Self) -> Arc<[u8]>) -> &Arc<[u8]> {
        self.encoded.get_or_init(|| encode(self))
    }

    /// Where it stands in the log.
    pub fn position(&self) -> Position {
        match &self.entry {
            Entry::Room { event, .. } => event.position,
            Entry::Ban(event) => event.position,
        }
    }

    /// The room that it is about, if it is about one.
    pub fn room_id(&self) -> Option<&RoomId> {
        match &self.entry {
            Entry::Room { id, .. } => Some(id),
            Entry::Ban(event) => event.change.ban().room_id.as_ref(),
        }
    }
}
