//! How a server is emptied while it runs: nobody new is let in, and one client after another is sent away, so that
//! they do not all come to another server at once.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};

use super::{Client, Ending, Hub, outbox::Entry};
use crate::{config::limits, protocol::Reply};

/// How often clients are sent away while a drain runs.
const STEP: Duration = Duration::from_millis(100);
/// How long a client that is sent away should wait at least before it comes back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Drain(watch::Sender<Progress>);

/// How far a drain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Whether one runs.
    pub stage: Stage,
    /// Clients that are still there.
    pub left: usize,
    /// Clients that left since it began, sent away or not.
    pub gone: usize,
    /// Over how much time they are sent away.
    pub window: Duration,
    /// Since when.
    pub begun: Instant,
}

/// Whether a server takes clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It does.
    Serving,
    /// Nobody new; those who are there are being sent away.
    Draining,
    /// All were sent away, and it stops.
    Drained,
    /// It does again: the drain was cancelled.
    Cancelled,
    /// It stops.
    Stopping,
}

/// No drain runs that could be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server is not being drained")]
pub struct NotDraining;

impl Hub {
    /// Begins to send everybody away over `window`, or over as much time as the number of clients asks for. Where that
    /// is under way, it only shows how far.
    pub fn drain(&self, window: Option<Duration>) -> watch::Receiver<Progress> {
        self.drain.0.send_if_modified(|progress| {
            let begins = matches!(progress.stage, Stage::Serving | Stage::Cancelled);
            if begins {
                self.clients.close();
                let left = self.clients.count();
                let window = window.unwrap_or_else(|| window_of(left));
                let begun = Instant::now();
                *progress = Progress { stage: Stage::Draining, left, gone: 0, window, begun };
            }
            begins
        });
        self.drain.0.subscribe()
    }

    /// Lets clients in again, and those stay who are still there. Returns how many.
    ///
    /// # Errors
    /// [`NotDraining`].
    pub fn cancel_drain(&self) -> Result<usize, NotDraining> {
        let cancelled = self.drain.0.send_if_modified(|progress| {
            let draining = progress.stage == Stage::Draining;
            if draining {
                progress.stage = Stage::Cancelled;
                self.clients.open();
            }
            draining
        });
        if cancelled { Ok(self.clients.count()) } else { Err(NotDraining) }
    }

    /// How far a drain is, and whether there is one.
    pub fn draining(&self) -> watch::Receiver<Progress> {
        self.drain.0.subscribe()
    }

    /// Done once a drain has sent everybody away.
    pub async fn drained(&self) {
        let mut progress = self.drain.0.subscribe();
        let drained = progress.wait_for(|progress| progress.stage == Stage::Drained).await;
        drained.expect("the hub has the sender");
    }

    /// Says goodbye to every client and ends its connection; whoever comes later is sent away at once.
    pub fn send_away(&self) {
        self.drain.0.send_modify(|progress| {
            // The end of a drain is why it stops, and what those who follow it are to see.
            if progress.stage != Stage::Drained {
                progress.stage = Stage::Stopping;
            }
            self.clients.close();
        });
        let window = window_of(self.clients.count());
        self.clients.for_each(|client| say_goodbye(client, window));
    }

    /// Carries out drains, for as long as it is polled.
    pub(super) async fn run_drains(&self) {
        let mut orders = self.drain.0.subscribe();
        loop {
            let order = orders.wait_for(|progress| progress.stage == Stage::Draining).await;
            let order = *order.expect("the hub has the sender");
            tracing::info!(clients = order.left, window = ?order.window, "draining");
            self.run_drain(order).await;
        }
    }

    async fn run_drain(&self, order: Progress) {
        let mut leaving = self.in_random_order();
        let all = leaving.len();
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            steps.tick().await;
            let elapsed = order.begun.elapsed();
            let due = part(all, elapsed, order.window);
            let stays = all - due;
            let step = leaving.split_off(stays.min(leaving.len()));
            if !self.send_away_in(order, &step) {
                return;
            }
            let left = self.clients.count();
            // Nobody comes in: once all are gone, whoever they were, there is nothing to wait for.
            let is_over =
                left == 0 || leaving.is_empty() && elapsed >= order.window + limits::CLOSE;
            self.drain.0.send_if_modified(|progress| {
                let goes_on = progress.stage == Stage::Draining && progress.begun == order.begun;
                if goes_on {
                    (progress.left, progress.gone) = (left, order.left.saturating_sub(left));
                    if is_over {
                        progress.stage = Stage::Drained;
                    }
                }
                goes_on
            });
            if is_over {
                return;
            }
        }
    }

    /// Says goodbye to these, unless the drain was cancelled, and maybe another one begun. Who cancels it waits for
    /// this, so that nobody is sent away afterwards.
    fn send_away_in(&self, drain: Progress, clients: &[Weak<Client>]) -> bool {
        let now = self.drain.0.borrow();
        let goes_on = now.stage == Stage::Draining && now.begun == drain.begun;
        if goes_on {
            let clients = clients.iter().filter_map(Weak::upgrade);
            clients.for_each(|client| say_goodbye(&client, drain.window));
        }
        goes_on
    }

    fn in_random_order(&self) -> Vec<Weak<Client>> {
        let mut clients = Vec::new();
        self.clients.for_each(|client| clients.push(Arc::downgrade(client)));
        fastrand::shuffle(&mut clients);
        clients
    }
}

impl Drain {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Progress {
            stage: Stage::Serving,
            left: 0,
            gone: 0,
            window: Duration::ZERO,
            begun: Instant::now(),
        }))
    }
}

impl Progress {
    /// How much of the window is left.
    pub fn remaining(&self) -> Duration {
        self.window.saturating_sub(self.begun.elapsed())
    }
}

/// When so many clients leave, others can bear 100 of them a second, and nobody wants to wait for long.
fn window_of(clients: usize) -> Duration {
    let seconds = clients.div_ceil(limits::DRAINED_A_SECOND) as u64;
    Duration::from_secs(seconds).clamp(limits::LEAST_DRAIN, limits::LONGEST_DEFAULT_DRAIN)
}

/// How many of `all` are due after `elapsed` of `window`: the first of them at once.
fn part(all: usize, elapsed: Duration, window: Duration) -> usize {
    if elapsed >= window {
        return all;
    }
    let due = (all as u128 * elapsed.as_millis()).div_ceil(window.as_millis().max(1));
    usize::try_from(due).map_or(all, |due| due.min(all))
}

/// Those who leave at the same moment shall not come back at the same moment.
fn say_goodbye(client: &Arc<Client>, window: Duration) {
    let spread = fastrand::u64(0..=u64::try_from(window.as_millis()).unwrap_or(u64::MAX));
    let least = u64::try_from(RETRY_AFTER.as_millis()).expect("a second or so");
    let goodbye = Reply::GoingAway { retry_after_ms: least.saturating_add(spread) };
    client.push(Entry::Frame(goodbye.encode()));
    client.outbox.end(Ending::GoingAway);
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::Config;

    #[test]
    fn the_window_follows_the_number_of_clients() {
        for (clients, seconds) in [(0, 1), (1, 1), (100, 1), (101, 2), (500, 5), (1_000_000, 300)] {
            assert_eq!(window_of(clients), Duration::from_secs(seconds), "{clients}");
        }
    }

    #[test]
    fn clients_leave_evenly_over_the_window() {
        let window = Duration::from_secs(10);
        for (elapsed, due) in [(0, 0), (10, 10), (55, 55), (100, 100), (1000, 100)] {
            let elapsed = Duration::from_millis(elapsed * 100);
            assert_eq!(part(100, elapsed, window), due, "{elapsed:?}");
        }
        assert_eq!(part(0, window / 2, window), 0);
        assert_eq!(part(3, Duration::ZERO, Duration::ZERO), 3);
    }

    #[tokio::test]
    async fn a_drain_that_is_over_is_told_as_that_when_the_server_stops_for_it() {
        let config = Config::try_parse_from(["signalpost"]).unwrap();
        let hub = Arc::new(Hub::new(Arc::new(config)));
        let mut progress = hub.drain(None);
        progress.mark_unchanged();
        tokio::select! {
            () = hub.run() => {}
            () = hub.drained() => hub.send_away(),
        }
        assert_eq!(progress.borrow().stage, Stage::Drained);
        assert_eq!(hub.cancel_drain(), Err(NotDraining));
    }
}
