//! What is counted of a server's part in its fleet.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Fleet;
use crate::{
    metrics::{Exposition, Source},
    store::{Appended, Lost, Post, StoreError},
};

/// What became of a batch that was to be put into the log.
const OUTCOMES: [&str; 7] =
    ["appended", "conflict", "not-live", "late", "other-epoch", "unavailable", "unknown"];

/// See the module.
#[derive(Debug)]
pub(super) struct Figures {
    appends: [AtomicU64; OUTCOMES.len()],
    /// In lives that are over.
    sent: AtomicU64,
    received: AtomicU64,
    /// Likewise.
    lost: Mutex<Lost>,
    leases_lost: AtomicU64,
    reaped: AtomicU64,
    read_at: Mutex<Instant>,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            appends: Default::default(),
            sent: AtomicU64::default(),
            received: AtomicU64::default(),
            lost: Mutex::default(),
            leases_lost: AtomicU64::default(),
            reaped: AtomicU64::default(),
            read_at: Mutex::new(Instant::now()),
        }
    }
}

impl Figures {
    /// A batch was to be appended.
    pub(super) fn append(&self, outcome: &Result<Appended, StoreError>) {
        let nth = match outcome {
            Ok(Appended::At(_)) => 0,
            Ok(Appended::Conflict(_)) => 1,
            Ok(Appended::NotLive) => 2,
            Ok(Appended::Late) => 3,
            Ok(Appended::OtherEpoch) => 4,
            Err(StoreError::Unavailable(_)) => 5,
            Err(StoreError::Unknown(_)) => 6,
        };
        count(&self.appends[nth]);
    }

    /// A letter of another server came.
    pub(super) fn letter_received(&self) {
        count(&self.received);
    }

    /// A life is over, and with it its letters; another one is about to take its place.
    pub(super) fn lease_lost(&self, post: &Post) {
        count(&self.leases_lost);
        self.sent.fetch_add(post.taken(), Ordering::Relaxed);
        let mut lost = self.lost.lock();
        *lost = sum(*lost, *post.lost().borrow());
    }

    /// The seats of a server that is gone were freed here.
    pub(super) fn reaped(&self) {
        count(&self.reaped);
    }

    /// The log was read to its end.
    pub(super) fn log_read(&self) {
        *self.read_at.lock() = Instant::now();
    }

    fn log_age(&self) -> Duration {
        self.read_at.lock().elapsed()
    }
}

impl Source for Fleet {
    fn expose(&self, to: &mut Exposition) {
        let Figures { appends, sent, received, lost, leases_lost, reaped, .. } = &self.figures;
        // A life's letters are with it, or with those of lives that are over: not for a moment with both.
        let life = self.life.read();
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let held = u64::from(*self.in_reach.borrow());
        to.gauge("signalpost_fleet_lease_held", "Whether the others take it for alive.", held);
        to.gauge(
            "signalpost_fleet_log_age_seconds",
            "Since the log was last read.",
            self.figures.log_age().as_secs(),
        );
        to.counter("signalpost_fleet_leases_lost_total", "Leases that were lost.", of(leases_lost));
        to.counters(
            "signalpost_fleet_appends_total",
            "Batches for the log, by what became of them.",
            ["outcome"],
            OUTCOMES.into_iter().zip(appends).map(|(outcome, counter)| ([outcome], of(counter))),
        );
        to.counter(
            "signalpost_fleet_letters_sent_total",
            "Letters to other servers.",
            of(sent) + life.post.taken(),
        );
        to.counter(
            "signalpost_fleet_letters_received_total",
            "Letters of other servers.",
            of(received),
        );
        let Lost { gone, full } = sum(*lost.lock(), *life.post.lost().borrow());
        to.counters(
            "signalpost_fleet_letters_lost_total",
            "Letters that were never written, by reason.",
            ["reason"],
            [(["gone"], gone), (["full"], full)],
        );
        to.counter(
            "signalpost_fleet_reaped_nodes_total",
            "Servers that were gone, and whose seats this one freed.",
            of(reaped),
        );
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn sum(one: Lost, other: Lost) -> Lost {
    Lost { gone: one.gone + other.gone, full: one.full + other.full }
}
