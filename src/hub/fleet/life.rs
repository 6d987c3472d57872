//! One life of a server in a fleet: from when it took its lease until it lost it. Then it goes on under another name.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::Mutex,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};

use super::{Fleet, Job, nodes};
use crate::{
    event::Cause,
    hub::{Hub, cell::Motion},
    id::{Incarnation, RoomId},
    room::Command,
    store::{Inbox, Post, Store, StoreError},
};

/// A server shows itself so often within the time of its lease.
const HEARTBEATS: u32 = 5;
/// Between two looks for those whose lease is over.
const SOONEST_LOOK: Duration = Duration::from_millis(20);
/// How long to wait before Redis is asked again for another lease.
pub(super) const BACK_OFF: Duration = Duration::from_millis(100);
/// Rooms in which the seats of one server are freed at once.
const REAPED_AT_ONCE: usize = 256;

/// See the module.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) node: Incarnation,
    pub(super) post: Post,
    pub(super) inbox: Mutex<Inbox>,
}

impl Life {
    /// The first, or the one after `former`, whose letters are not written any more.
    pub(super) async fn begin(
        store: &Store,
        lease: Duration,
        former: Option<&Self>,
    ) -> Result<Self, StoreError> {
        let node = Incarnation::random();
        let inbox = store.open_inbox(node, lease).await?;
        store.enter(node, &nodes::info(), lease).await?;
        let post = match former {
            None => Post::new(store.clone(), node),
            Some(former) => former.post.next(node),
        };
        tracing::info!(%node, "in the fleet by this name");
        Ok(Self { node, post, inbox: Mutex::new(inbox) })
    }
}

impl Fleet {
    /// Waits until the server goes by another name than this.
    pub(super) async fn reborn(&self, node: Incarnation) {
        let mut names = self.names.subscribe();
        // The sender is a part of this.
        let _ = names.wait_for(|name| *name != node).await;
    }

    /// Renews the lease, until it is lost.
    async fn keep(&self, node: Incarnation) {
        let mut heart = interval(self.lease / HEARTBEATS);
        heart.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewed_at = Instant::now();
        let mut look_at = renewed_at + self.lease;
        loop {
            tokio::select! {
                // Whoever stood still looks at its own lease first.
                biased;
                _ = heart.tick() => match self.store.renew(node, self.lease).await {
                    Ok(true) => {
                        renewed_at = Instant::now();
                        self.is_reached(true);
                    }
                    Ok(false) => return,
                    Err(error) => {
                        tracing::debug!(%error, "the lease was not renewed");
                        // Where Redis was away, all leases are over, and all servers are about to take others.
                        look_at = Instant::now() + self.lease;
                        if renewed_at.elapsed() >= self.lease {
                            self.is_reached(false);
                        }
                    }
                },
                () = sleep_until(look_at) => {
                    look_at = Instant::now() + self.look_for_the_dead(node).await;
                }
            }
        }
    }

    /// Returns when to look again: as soon as another lease may be over.
    async fn look_for_the_dead(&self, node: Incarnation) -> Duration {
        let Ok(nodes) = self.store.nodes().await else { return self.lease / HEARTBEATS };
        let mut next = self.lease;
        for other in nodes.into_iter().filter(|other| other.incarnation != node) {
            if let Some(left) = other.lease {
                next = next.min(left.max(SOONEST_LOOK));
                continue;
            }
            // Whoever has the claim may be gone before it is done.
            next = next.min(self.lease / HEARTBEATS);
            let claimed = self.store.claim_reaping(other.incarnation, node, self.lease).await;
            if claimed == Ok(true) {
                self.do_soon(Job::Reap(other.incarnation));
            }
        }
        next
    }
}

impl Hub {
    /// Lives one life after the other, for as long as it is polled.
    pub(super) async fn live(self: &Arc<Self>, fleet: &Fleet) {
        loop {
            let life = fleet.life();
            tokio::select! {
                () = fleet.keep(life.node) => {}
                never = life.post.run() => match never {},
                () = self.read_letters(fleet, &life) => {}
            }
            tracing::warn!(node = %life.node, "the lease is lost; others may have given up seats of this server");
            let next = loop {
                match Life::begin(&fleet.store, fleet.lease, Some(&life)).await {
                    Ok(next) => break Arc::new(next),
                    Err(error) => {
                        tracing::debug!(%error, "no other lease yet");
                        fleet.is_reached(false);
                    }
                }
                sleep(BACK_OFF).await;
            };
            // Whoever waits until all who live know of a ban does not wait for the name that is lost.
            fleet.caught_up().await;
            // Before anybody can come in.
            fleet.is_reached(true);
            let name = next.node;
            *fleet.life.write() = next;
            fleet.figures.lease_lost();
            fleet.names.send_replace(name);
            fleet.do_soon(Job::Move(life.node));
        }
    }

    /// Takes over what this server has under its former name. What is left of that is nobody's: a log that lost something
    /// has seats of those who had gone.
    pub(super) async fn move_over(&self, fleet: &Fleet, from: Incarnation) {
        self.move_seats(fleet, from).await;
        // Otherwise others do so when its lease is over.
        if let Ok(rooms) = fleet.store.rooms_of(from).await {
            self.free_seats_in(fleet, from, &rooms).await;
            // A lease that was not over, as where only the inbox was lost, has nobody wait for a name that is no one's.
            let _ = fleet.store.leave(from).await;
        }
    }

    /// Has the seats of this server that nobody gave up be those of the name that it has by the time the log gets that.
    async fn move_seats(&self, fleet: &Fleet, node: Incarnation) {
        let (mut moves, to) = (Vec::new(), Incarnation::NONE);
        self.directory.for_each(|cell| {
            let clients: Vec<_> = cell.people(|_| true).iter().map(|client| client.id).collect();
            if !clients.is_empty() {
                let motion = Motion::new(Command::Move { node, to, clients }, Cause::Server);
                moves.extend(self.propose(fleet, cell.id(), motion).ok());
            }
        });
        for moved in moves {
            // It is never refused.
            let _ = moved.await;
        }
    }

    /// Frees the seats of a server whose lease is over, as long as nobody else does.
    pub(super) async fn reap(&self, fleet: &Fleet, node: Incarnation) {
        let since = SystemTime::now();
        while since.elapsed().unwrap_or_default() < fleet.lease {
            match self.reap_once(fleet, node).await {
                Ok(true) => {
                    fleet.figures.reaped();
                    return tracing::info!(%node, "freed the seats of a server that is gone");
                }
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "seats were not freed"),
            }
            sleep(BACK_OFF).await;
        }
    }

    /// Whether nothing of it is left.
    async fn reap_once(&self, fleet: &Fleet, node: Incarnation) -> Result<bool, StoreError> {
        let rooms = fleet.store.rooms_of(node).await?;
        self.free_seats_in(fleet, node, &rooms).await;
        fleet.store.buried(node).await
    }

    /// Frees what seats of a server are left in these rooms, once they have decided what was put before them earlier.
    pub(super) async fn free_seats_in(&self, fleet: &Fleet, node: Incarnation, rooms: &[String]) {
        for some in rooms.chunks(REAPED_AT_ONCE) {
            let mut freed = Vec::with_capacity(some.len());
            for name in some {
                let Ok(room_id) = name.parse::<RoomId>() else { continue };
                let lost = Motion::new(Command::NodeLost { node }, Cause::Server);
                freed.extend(self.propose(fleet, &room_id, lost).ok());
            }
            for room in freed {
                let _ = room.await;
            }
        }
    }
}
