//! What is counted of a server's part in its fleet.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Fleet;
use crate::{
    event::Cause,
    hub::cell::Planned,
    metrics::{Exposition, Source},
    room::Change,
    store::{Appended, Lost, StoreError},
};

/// What became of a batch that was to be put into the log.
const OUTCOMES: [&str; 7] =
    ["appended", "conflict", "not-live", "late", "other-epoch", "unavailable", "unknown"];

/// What is put back that the log had lost.
const RESTORED: [&str; 4] = ["seats", "rooms", "settings", "bans"];

/// So much of each of [`RESTORED`].
pub(super) type Restored = [u64; RESTORED.len()];

/// See the module.
#[derive(Debug)]
pub(super) struct Figures {
    appends: [AtomicU64; OUTCOMES.len()],
    received: AtomicU64,
    leases_lost: AtomicU64,
    reaped: AtomicU64,
    lost_events: AtomicU64,
    restored: [AtomicU64; RESTORED.len()],
    read_at: Mutex<Instant>,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            appends: Default::default(),
            received: AtomicU64::default(),
            leases_lost: AtomicU64::default(),
            reaped: AtomicU64::default(),
            lost_events: AtomicU64::default(),
            restored: Default::default(),
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
            Err(StoreError::Unavailable(_) | StoreError::Lost(_)) => 5,
            Err(StoreError::Unknown(_)) => 6,
        };
        count(&self.appends[nth]);
    }

    /// A letter of another server came.
    pub(super) fn letter_received(&self) {
        count(&self.received);
    }

    /// A life is over; another one has taken its place.
    pub(super) fn lease_lost(&self) {
        count(&self.leases_lost);
    }

    /// The seats of a server that is gone were freed here.
    pub(super) fn reaped(&self) {
        count(&self.reaped);
    }

    /// So many events of which this server knew are in the log no more.
    pub(super) fn lost_events(&self, count: usize) {
        self.lost_events.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// The log has these by now, some of which it may have had before.
    pub(super) fn appended(&self, entries: &[Planned]) {
        for Planned { cause, change, .. } in entries {
            // Nothing else of this is done by the servers themselves.
            let kind = match (cause, change) {
                (Cause::Server, Change::Joined(_)) => 0,
                (Cause::Server, Change::Created { .. }) => 1,
                (Cause::Server, Change::Updated { .. }) => 2,
                _ => continue,
            };
            count(&self.restored[kind]);
        }
    }

    /// So many bans were put back.
    pub(super) fn bans_restored(&self, count: usize) {
        let [.., bans] = &self.restored;
        bans.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// What was put back so far.
    pub(super) fn restored(&self) -> Restored {
        self.restored.each_ref().map(|counter| counter.load(Ordering::Relaxed))
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
        let Figures { appends, received, leases_lost, reaped, .. } = &self.figures;
        let post = &self.life.read().post;
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
            post.taken(),
        );
        to.counter(
            "signalpost_fleet_letters_received_total",
            "Letters of other servers.",
            of(received),
        );
        let Lost { gone, full } = *post.lost().borrow();
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
        to.counter(
            "signalpost_fleet_lost_events_total",
            "Events that were in the log, and which it lost.",
            of(&self.figures.lost_events),
        );
        to.counters(
            "signalpost_fleet_restored_total",
            "What was put back that the log had lost.",
            ["kind"],
            RESTORED.into_iter().zip(self.figures.restored()).map(|(kind, count)| ([kind], count)),
        );
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
