//! Pings every client now and then and ends those that do not answer, with one timer for all of them.
//!
//! A wheel of ticks holds what is to be checked when. It holds names, not clients: a connection that went
//! away meanwhile leaves 20 bytes behind for one turn at most.

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

use super::{Client, Ending, keep::Keep, registry::Registry};
use crate::id::ClientId;

/// How time passes in the hub.
pub(super) const TICK: Duration = Duration::from_millis(250);
pub(super) const TICKS_A_SECOND: u32 = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Heartbeat {
    ping_ticks: usize,
    pong_ticks: usize,
    now: AtomicU32,
    wheel: Mutex<VecDeque<Vec<Check>>>,
    /// Who waits for the next tick.
    waiting: Mutex<Vec<Arc<Client>>>,
}

#[derive(Debug, Clone, Copy)]
enum Check {
    Ping(ClientId),
    Pong { client_id: ClientId, pinged_at: u32 },
}

impl Heartbeat {
    pub(super) fn new(ping_every: Duration, pong_within: Duration) -> Self {
        Self {
            ping_ticks: ticks(ping_every),
            pong_ticks: ticks(pong_within),
            now: AtomicU32::new(1),
            wheel: Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    /// From now on this client is pinged.
    pub(super) fn enrol(&self, client_id: ClientId) {
        self.schedule(self.until_ping(), Check::Ping(client_id));
    }

    /// The tick that it is.
    pub(super) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// Summons a client's connection in the next tick.
    pub(super) fn summon_later(&self, client: &Arc<Client>) {
        self.waiting.lock().push(Arc::clone(client));
    }

    pub(super) async fn run(&self, clients: &Registry, keep: &Keep) {
        let mut ticks = interval(TICK);
        // A process that was stopped for a while must not find everyone silent at once.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.turn(clients);
            if now.is_multiple_of(TICKS_A_SECOND) {
                keep.look(now);
            }
        }
    }

    fn turn(&self, clients: &Registry) -> u32 {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        let waiting = mem::take(&mut *self.waiting.lock());
        waiting.iter().for_each(|client| client.outbox.summon());
        let due = self.wheel.lock().pop_front().unwrap_or_default();
        for check in due {
            match check {
                Check::Ping(client_id) => {
                    let Some(client) = clients.find(client_id) else { continue };
                    client.outbox.ping();
                    self.schedule(self.pong_ticks, Check::Pong { client_id, pinged_at: now });
                    self.schedule(self.until_ping(), Check::Ping(client_id));
                }
                Check::Pong { client_id, pinged_at } => {
                    let Some(client) = clients.find(client_id) else { continue };
                    if client.heard_at() < pinged_at {
                        client.outbox.end(Ending::HeartbeatTimeout);
                    }
                }
            }
        }
        now
    }

    /// Up to a fifth early, so that clients that came together are not pinged together for ever.
    fn until_ping(&self) -> usize {
        fastrand::usize(self.ping_ticks - self.ping_ticks / 5..=self.ping_ticks)
    }

    fn schedule(&self, in_ticks: usize, check: Check) {
        let mut wheel = self.wheel.lock();
        if wheel.len() <= in_ticks {
            wheel.resize(in_ticks + 1, Vec::new());
        }
        wheel[in_ticks].push(check);
    }
}

fn ticks(duration: Duration) -> usize {
    usize::try_from(duration.as_millis() / TICK.as_millis()).expect("an hour at most")
}
