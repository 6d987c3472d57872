//! Pings every client now and then and ends those that do not answer, with one timer for all of them.
//!
//! A wheel of ticks holds what is to be done when: one thing a client, however often it is pinged. It holds
//! names, not clients: a connection that went away meanwhile leaves 17 bytes behind for one turn at most.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use super::{Client, Ending, registry::Registry};
use crate::id::ClientId;

/// How time passes in the hub.
pub(super) const TICK: Duration = Duration::from_millis(250);
pub(super) const TICKS_A_SECOND: u32 = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Heartbeat {
    ping_ticks: usize,
    /// For an answer, and a tick that had begun already.
    pong_ticks: usize,
    now: AtomicU32,
    wheel: Mutex<VecDeque<Vec<Check>>>,
    /// Who waits for the next tick.
    waiting: Mutex<Vec<Arc<Client>>>,
}

#[derive(Debug, Clone, Copy)]
enum Check {
    Ping(ClientId),
    /// Whether a ping was answered in time, so long ago.
    Answer(ClientId),
}

impl Heartbeat {
    pub(super) fn new(ping_every: Duration, pong_within: Duration) -> Self {
        Self {
            ping_ticks: ticks(ping_every),
            pong_ticks: ticks(pong_within) + 1,
            now: AtomicU32::new(1),
            wheel: Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    /// From now on this client is pinged.
    pub(super) fn enrol(&self, client: &Client) {
        client.heard(self.now());
        self.schedule(self.until_ping(), Check::Ping(client.id));
    }

    /// The tick that it is.
    pub(super) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// Summons a client's connection in the next tick.
    pub(super) fn summon_later(&self, client: &Arc<Client>) {
        self.waiting.lock().push(Arc::clone(client));
    }

    /// Turns the wheel for as long as it is polled, and tells each second which tick it is.
    pub(super) async fn run(&self, clients: &Registry, mut each_second: impl FnMut(u32)) {
        let mut ticks = interval(TICK);
        // A process that was stopped for a while must not find everyone silent at once.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.turn(clients);
            if now.is_multiple_of(TICKS_A_SECOND) {
                each_second(now);
            }
        }
    }

    fn turn(&self, clients: &Registry) -> u32 {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        let waiting = mem::take(&mut *self.waiting.lock());
        waiting.iter().for_each(|client| client.outbox.summon());
        let due = self.wheel.lock().pop_front().unwrap_or_default();
        for check in due {
            let (Check::Ping(client_id) | Check::Answer(client_id)) = check;
            let Some(client) = clients.find(client_id) else { continue };
            let silent = now.saturating_sub(client.heard_at()) as usize;
            let until_ping = self.until_ping();
            let (longest, next) = match check {
                Check::Ping(_) => {
                    client.outbox.ping();
                    // An answer may take longer than it is until the next ping: then that one looks for it.
                    let longest = self.ping_ticks + self.pong_ticks;
                    match until_ping.checked_sub(self.pong_ticks) {
                        Some(1..) => (longest, (self.pong_ticks, Check::Answer(client_id))),
                        _ => (longest, (until_ping, Check::Ping(client_id))),
                    }
                }
                Check::Answer(_) => {
                    let left = until_ping.saturating_sub(self.pong_ticks).max(1);
                    (self.pong_ticks, (left, Check::Ping(client_id)))
                }
            };
            if silent > longest {
                client.outbox.end(Ending::HeartbeatTimeout);
            }
            self.schedule(next.0, next.1);
        }
        now
    }

    /// Up to a fifth early, so that clients that came together are not pinged together for ever.
    fn until_ping(&self) -> usize {
        fastrand::usize(self.ping_ticks - self.ping_ticks / 5..=self.ping_ticks)
    }

    /// At least one tick ahead: the wheel begins with the next one.
    fn schedule(&self, in_ticks: usize, check: Check) {
        let mut wheel = self.wheel.lock();
        if wheel.len() < in_ticks {
            wheel.resize(in_ticks, Vec::new());
        }
        wheel[in_ticks - 1].push(check);
    }
}

fn ticks(duration: Duration) -> usize {
    usize::try_from(duration.as_millis() / TICK.as_millis()).expect("an hour at most")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use clap::Parser;

    use super::*;
    use crate::{
        config::Config,
        hub::{Due, Hub},
    };

    /// Turns the wheel with one client, which speaks where `speaks` says so of a tick and of whether it was pinged
    /// in it: how many checks were seen at most, and when it was ended.
    fn turn(
        ping_seconds: u64,
        pong_seconds: u64,
        speaks: impl Fn(usize, bool) -> bool,
    ) -> (usize, Option<usize>) {
        let seconds = Duration::from_secs;
        let heartbeat = Heartbeat::new(seconds(ping_seconds), seconds(pong_seconds));
        let clients = Registry::new(1);
        let hub = Arc::new(Hub::new(Arc::new(Config::try_parse_from(["signalpost"]).unwrap())));
        let client = Arc::new(Client::new(&hub, Ipv4Addr::LOCALHOST.into()));
        clients.insert(&client).unwrap();
        heartbeat.enrol(&client);
        let mut most = 0;
        for tick in 0..20_000 {
            if client.outbox.abandoned().is_some() {
                return (most, Some(tick));
            }
            let pinged = client.outbox.take_due(&mut Vec::new(), 1) == Due::Send { ping: true };
            if speaks(tick, pinged) {
                client.heard(heartbeat.now());
            }
            if tick % 500 == 0 {
                most = most.max(heartbeat.wheel.lock().iter().map(Vec::len).sum());
            }
            heartbeat.turn(&clients);
        }
        (most, None)
    }

    #[test]
    fn a_client_is_one_check_however_often_it_is_pinged() {
        for (ping_seconds, pong_seconds) in [(1, 3600), (1, 1), (25, 10), (3600, 1)] {
            let (most, ended) = turn(ping_seconds, pong_seconds, |_, _| true);
            assert_eq!((most, ended), (1, None), "{ping_seconds}, {pong_seconds}");
        }
    }

    #[test]
    fn who_says_nothing_but_answers_at_once_is_never_silent() {
        for (ping_seconds, pong_seconds) in [(1, 3600), (1, 1), (2, 1), (25, 10), (3600, 1)] {
            let (_, ended) = turn(ping_seconds, pong_seconds, |_, pinged| pinged);
            assert_eq!(ended, None, "{ping_seconds}, {pong_seconds}");
        }
    }

    #[test]
    fn silence_ends_a_client_when_its_answer_is_overdue() {
        for (ping_seconds, pong_seconds) in [(1, 3600), (1, 1), (25, 10), (3600, 1)] {
            let [ping, pong] =
                [ping_seconds, pong_seconds].map(|seconds| usize::try_from(4 * seconds).unwrap());
            // The last word may come right after a ping, or right before one; and an answer that may take longer than
            // it is until the next ping is looked for by that.
            let late = if pong < ping { 3 } else { 3 + ping };
            for speaks in [0, 1, 7, 1000] {
                let ended = turn(ping_seconds, pong_seconds, |tick, _| tick < speaks).1.unwrap();
                let silent = ended - speaks;
                let expected = pong..=pong + ping + late;
                let case = (ping_seconds, pong_seconds, speaks);
                assert!(expected.contains(&silent), "{case:?}: {silent}, not {expected:?}");
            }
        }
    }
}
