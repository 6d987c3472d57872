//! The sequencer: gives every change its position, keeps a bounded log of them, and wakes whoever follows it.

mod index;
mod memory;

use std::{collections::BTreeSet, sync::Arc, time::SystemTime};

pub use memory::{Follower, MemoryLog};

use crate::{
    config::LogLimits,
    id::RoomId,
    room::{Change, Event, Position},
};

/// One entry of the log.
#[derive(Debug)]
pub struct Record {
    /// The log's last position before this entry. A reader that saw another one has missed something.
    pub log_prev: Position,
    /// Whose event it is.
    pub room_id: RoomId,
    /// What happened, and where in the order.
    pub event: Event,
}

/// Something that the reader follows happened after its cursor, and is no longer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log no longer holds what follows {cursor:?}")]
pub struct Trimmed {
    /// Where the reader stood.
    pub cursor: Position,
}

/// Where changes are put in order. An enum, since there are few kinds and each is awaited differently.
#[derive(Debug)]
pub enum Journal {
    /// In this process, for a server that stands alone.
    Memory(Arc<MemoryLog>),
}

impl Journal {
    /// A journal in memory that keeps entries up to `limits`.
    pub fn memory(limits: LogLimits) -> Self {
        Self::Memory(Arc::new(MemoryLog::new(limits)))
    }

    /// Puts the changes of one decision into the log, in order and with nothing between them.
    ///
    /// `decided_on` is the room's version that the decision saw. The caller holds the room's lock, so
    /// memory cannot find another one there; a journal that is shared by several servers can.
    pub fn append(
        &self,
        room_id: &RoomId,
        decided_on: Position,
        changes: Vec<Change>,
        now: SystemTime,
    ) -> Vec<Arc<Record>> {
        match self {
            Self::Memory(log) => log.append(room_id, decided_on, changes, now),
        }
    }

    /// A cursor at the log's end, for what happens in `rooms` from now on; without them, for all that happens.
    pub fn follow(&self, rooms: Option<BTreeSet<RoomId>>) -> Follower {
        match self {
            Self::Memory(log) => Follower::new(Arc::clone(log), rooms),
        }
    }

    /// Wakes followers, at most once a tick: many of them cost little, however fast the log grows. Without it
    /// they sleep.
    pub async fn tick(&self) {
        match self {
            Self::Memory(log) => log.tick().await,
        }
    }
}
