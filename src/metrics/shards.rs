//! Counters of which every thread has its own, on cache lines that no other thread writes: counting costs the same
//! however many threads do. Whoever asks for a sum pays.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use super::labels::{Closing, Kind, Message, OUTCOMES, PasswordCheck};
use crate::protocol::Code;

/// Where there are more threads than this, some share one.
const SHARDS: usize = 32;

thread_local! {
    /// Which shard is this thread's; none yet where it is out of range.
    static OWN: Cell<usize> = const { Cell::new(SHARDS) };
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shards(Box<[Shard; SHARDS]>);

/// What one thread has counted. Processors fetch lines of 64 bytes in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Shard {
    pub(super) received_bytes: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
    pub(super) sent_messages: AtomicU64,
    pub(super) messages: [[AtomicU64; OUTCOMES.len()]; Message::NAMES.len()],
    pub(super) refusals: [AtomicU64; Code::ALL.len()],
    pub(super) tokens: [AtomicU64; OUTCOMES.len()],
    pub(super) events: [AtomicU64; Kind::NAMES.len()],
    pub(super) connections: AtomicU64,
    /// Clients that began to wait for a seat, and that ceased to.
    pub(super) waits: [AtomicU64; 2],
    pub(super) closings: [AtomicU64; Closing::NAMES.len()],
    pub(super) password_checks: [AtomicU64; PasswordCheck::NAMES.len()],
}

impl Default for Shards {
    fn default() -> Self {
        Self(Box::new(std::array::from_fn(|_| Shard::default())))
    }
}

impl Shards {
    /// Counts so much more in one of this thread's counters.
    #[inline]
    pub(super) fn add(&self, more: u64, counter: impl Fn(&Shard) -> &AtomicU64) {
        let own = OWN.get();
        let own = if own < SHARDS { own } else { take_one() };
        counter(&self.0[own]).fetch_add(more, Ordering::Relaxed);
    }

    /// What all threads have counted in one of their counters.
    pub(super) fn sum(&self, counter: impl Fn(&Shard) -> &AtomicU64) -> u64 {
        self.0.iter().map(|shard| counter(shard).load(Ordering::Relaxed)).sum()
    }
}

#[cold]
fn take_one() -> usize {
    static TAKEN: AtomicUsize = AtomicUsize::new(0);
    let own = TAKEN.fetch_add(1, Ordering::Relaxed) % SHARDS;
    OWN.set(own);
    own
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Barrier, thread};

    use super::*;

    #[test]
    fn threads_count_apart_and_are_summed() {
        let (shards, all_there) = (Shards::default(), Barrier::new(3));
        let count = || {
            all_there.wait();
            (0..1000).for_each(|_| shards.add(2, |shard| &shard.sent_bytes));
            all_there.wait();
            OWN.get()
        };
        let own: BTreeSet<_> = thread::scope(|scope| {
            let counting: Vec<_> = (0..3).map(|_| scope.spawn(count)).collect();
            counting.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(shards.sum(|shard| &shard.sent_bytes), 6000);
        assert_eq!(shards.sum(|shard| &shard.received_bytes), 0);
        assert_eq!(own.len(), 3, "{own:?}");
        let lines = [0, 1].map(|nth| std::ptr::from_ref(&shards.0[nth]).addr() / 128);
        assert_ne!(lines[0], lines[1]);
    }
}
