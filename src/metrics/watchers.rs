//! How far those who follow the log are behind it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use crate::event::Position;

/// Every watcher's position, by where it is kept.
#[derive(Debug, Default)]
pub(super) struct Watchers(Mutex<HashMap<usize, Arc<AtomicU64>>>);

/// One that follows the log, until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    all: Arc<Watchers>,
    cursor: Arc<AtomicU64>,
}

impl Watchers {
    /// How many there are, and by how many events the last of them is behind `head`.
    pub(super) fn behind(&self, head: Position) -> (usize, u64) {
        let cursors = self.0.lock();
        let last = cursors.values().map(|cursor| cursor.load(Ordering::Relaxed)).min();
        (cursors.len(), last.map_or(0, |last| head.0.saturating_sub(last)))
    }
}

impl Watcher {
    pub(super) fn new(all: &Arc<Watchers>, cursor: Position) -> Self {
        let cursor = Arc::new(AtomicU64::new(cursor.0));
        all.0.lock().insert(Arc::as_ptr(&cursor).addr(), Arc::clone(&cursor));
        Self { all: Arc::clone(all), cursor }
    }

    /// It has read up to here.
    pub fn stands_at(&self, cursor: Position) {
        self.cursor.store(cursor.0, Ordering::Relaxed);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.all.0.lock().remove(&Arc::as_ptr(&self.cursor).addr());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_that_of_the_last_one() {
        let all = Arc::new(Watchers::default());
        assert_eq!(all.behind(Position(7)), (0, 0));
        let first = Watcher::new(&all, Position(3));
        let second = Watcher::new(&all, Position(5));
        assert_eq!(all.behind(Position(7)), (2, 4));
        first.stands_at(Position(6));
        assert_eq!(all.behind(Position(7)), (2, 2));
        drop(second);
        assert_eq!(all.behind(Position(7)), (1, 1));
    }
}
