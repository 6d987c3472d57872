//! When something in a room has its time, in the order of time: that it is empty, or that somebody waits for a seat in
//! it.

use std::{collections::BTreeSet, time::SystemTime};

use parking_lot::Mutex;

use crate::{id::RoomId, timestamp::Timestamp};

/// See the module. Each room has one entry at most, which changes under its lock.
#[derive(Debug, Default)]
pub(super) struct Timers(Mutex<BTreeSet<(Timestamp, RoomId)>>);

impl Timers {
    /// A room in which something was due at `from` has something due at `to`; none: nothing.
    pub(super) fn move_to(&self, id: &RoomId, from: Option<Timestamp>, to: Option<Timestamp>) {
        if from == to {
            return;
        }
        let mut timers = self.0.lock();
        if let Some(from) = from {
            timers.remove(&(from, id.clone()));
        }
        if let Some(to) = to {
            timers.insert((to, id.clone()));
        }
    }

    /// At most `max` rooms in which something is due. They stay until they are moved.
    pub(super) fn due(&self, now: SystemTime, max: usize) -> Vec<RoomId> {
        let (timers, now) = (self.0.lock(), now.into());
        let over = timers.iter().take_while(|(at, _)| *at <= now);
        over.take(max).map(|(_, id)| id.clone()).collect()
    }
}
