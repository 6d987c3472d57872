//! The sequencer: gives every change its position, keeps a bounded log of them, and wakes whoever follows it.

mod memory;

use std::{sync::Arc, time::SystemTime};

use tokio::sync::watch;

pub use memory::MemoryLog;

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

/// The cursor points before the oldest entry that is still kept: what lies between is lost to its reader.
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
    Memory(MemoryLog),
}

impl Journal {
    /// A journal in memory that keeps entries up to `limits`.
    pub fn memory(limits: LogLimits) -> Self {
        Self::Memory(MemoryLog::new(limits))
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

    /// At most `max` entries that follow `cursor`, in order; none if it points to the end.
    ///
    /// # Errors
    /// [`Trimmed`], if the entry after `cursor` is no longer kept.
    pub fn read(&self, cursor: Position, max: usize) -> Result<Vec<Arc<Record>>, Trimmed> {
        match self {
            Self::Memory(log) => log.read(cursor, max),
        }
    }

    /// The position of the last entry.
    pub fn head(&self) -> Position {
        match self {
            Self::Memory(log) => log.head(),
        }
    }

    /// Tells of a new head, at most once a tick: many readers cost little, however fast the log grows.
    pub fn follow(&self) -> watch::Receiver<Position> {
        match self {
            Self::Memory(log) => log.follow(),
        }
    }

    /// Runs the tick. Without it, followers sleep.
    pub async fn tick(&self) {
        match self {
            Self::Memory(log) => log.tick().await,
        }
    }
}
