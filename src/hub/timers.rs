//! When rooms that are empty end, in the order of time.

use std::{collections::BTreeSet, time::SystemTime};

use parking_lot::Mutex;

use crate::id::RoomId;

/// See the module. Each room has one entry at most, which changes under its lock.
#[derive(Debug, Default)]
pub(super) struct Timers(Mutex<BTreeSet<(SystemTime, RoomId)>>);

impl Timers {
    /// A room that was to end `from` then is to end `to` then; none: not at all.
    pub(super) fn move_to(&self, id: &RoomId, from: Option<SystemTime>, to: Option<SystemTime>) {
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

    /// At most `max` rooms whose time is over. They stay until they are moved.
    pub(super) fn due(&self, now: SystemTime, max: usize) -> Vec<RoomId> {
        let timers = self.0.lock();
        let over = timers.iter().take_while(|(at, _)| *at <= now);
        over.take(max).map(|(_, id)| id.clone()).collect()
    }
}
