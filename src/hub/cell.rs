//! One room on this server: its state and the outboxes of its members behind one lock.
//!
//! Deciding, sequencing, applying and announcing are one critical section here, since the memory journal
//! never waits. A cell that closed stays closed; whoever finds one asks the directory for another.

mod announce;
mod arrival;
mod catch_up;
mod commit;
mod draft;
mod motion;
mod replica;
mod say;
mod split;
mod unsettled;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

use super::{
    Client, Hub,
    rate::{Announced, Rates},
};
use crate::{
    event::{Cause, Position},
    id::{ClientId, RoomId},
    room::{By, Command, Denied, Member, PasswordHash, Proof, Role, Room, Rules, Summary, Waiter},
    timestamp::Timestamp,
};
use arrival::Knocker;
use replica::Replica;
pub(super) use {
    arrival::Arrival,
    draft::{Draft, Planned},
    motion::{Commander, Done, Motion, Refused, Word},
    replica::Told,
    say::{Away, Said, Unroutable},
};

/// See the module.
#[derive(Debug)]
pub(super) struct RoomCell {
    id: RoomId,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    room: Room,
    /// In join order, as their members in the room; none: connected to another server.
    clients: Vec<Option<Arc<Client>>>,
    /// In the order in which they came, as in the room.
    waiting: Vec<Knocker>,
    announced: Announced,
    /// What [`super::timers::Timers`] has of it.
    timer: Option<Timestamp>,
    closed: bool,
    /// Where other servers hold the room too.
    replica: Option<Box<Replica>>,
}

/// Where a client is in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a seat, with this role.
    Sits(Role),
    /// In the lobby.
    Waits,
}

impl RoomCell {
    pub(super) fn vacant(id: RoomId, rules: Arc<Rules>, rates: &Rates) -> Self {
        let inner = Inner {
            room: Room::vacant(id.clone(), rules),
            clients: Vec::new(),
            waiting: Vec::new(),
            announced: Announced::new(rates),
            timer: None,
            closed: false,
            replica: None,
        };
        Self { id, inner: Mutex::new(inner) }
    }

    /// The same of a room that is shared with other servers.
    pub(super) fn shared(self) -> Self {
        self.inner.lock().replica = Some(Box::new(Replica::new()));
        self
    }

    pub(super) fn id(&self) -> &RoomId {
        &self.id
    }

    pub(super) fn summary(&self) -> Option<Summary> {
        self.inner.lock().room.summary()
    }

    /// The position of the room's last event, as the log has it.
    pub(super) fn true_version(&self) -> Position {
        self.inner.lock().truth().version()
    }

    pub(super) fn exists(&self) -> bool {
        self.inner.lock().room.exists()
    }

    /// Whether the room's time, or that of somebody who waits, is over, and the log does not have it yet.
    pub(super) fn is_over(&self, now: SystemTime) -> bool {
        self.inner.lock().room.has_its_time_at().is_some_and(|at| at <= now)
    }

    /// The room with all that it holds, if it exists.
    pub(super) fn snapshot(&self) -> Option<Room> {
        let inner = self.inner.lock();
        inner.room.exists().then(|| inner.room.clone())
    }

    /// Who waits for a seat.
    pub(super) fn waiting(&self) -> Option<Vec<Waiter>> {
        let room = &self.inner.lock().room;
        room.exists().then(|| room.waiting().cloned().collect())
    }

    /// Where this client is, if it is here.
    pub(super) fn place_of(&self, client_id: ClientId) -> Option<Place> {
        let room = &self.inner.lock().room;
        let sits = room.member(client_id).map(|member| Place::Sits(member.standing.role));
        sits.or_else(|| room.waiter(client_id).map(|_| Place::Waits))
    }

    /// Whether the room's members can bear to hear of another change.
    ///
    /// # Errors
    /// In how many ticks they can.
    pub(super) fn announces_more(&self, rates: &Rates, now: u32) -> Result<(), u32> {
        self.inner.lock().announced.allows_more(rates, now)
    }

    /// The hash that a password has to be compared with; none where the room has no password, or does not exist.
    pub(super) fn password(&self) -> Option<PasswordHash> {
        let inner = self.inner.lock();
        if inner.room.exists() { inner.room.settings().password.clone() } else { None }
    }

    /// For how long only those may come in who lost their seats here.
    pub(super) fn held_for(&self, now: SystemTime) -> Duration {
        let until = self.inner.lock().room.held_until();
        until.and_then(|until| until.duration_since(now).ok()).unwrap_or_default()
    }

    /// What the room would say to an arrival now. Nothing changes.
    pub(super) fn ask(
        &self,
        hub: &Hub,
        arrival: &Arrival,
        proof: Proof,
        now: SystemTime,
    ) -> Result<(), Denied> {
        let inner = self.inner.lock();
        let banned = hub.bans.meet(Some(&self.id), arrival.who(), arrival.client.address, now);
        inner.room.decide(arrival.command(proof, banned), now).map(drop)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.inner.lock().closed
    }

    /// Whether this client sits here, or waits for a seat.
    pub(super) fn knows(&self, client_id: ClientId) -> bool {
        let inner = self.inner.lock();
        inner.room.seat_of(client_id).is_some() || inner.room.waiter(client_id).is_some()
    }

    /// Whether this client believes so: a log that lost something may have a seat that it had lost.
    pub(super) fn has(&self, client_id: ClientId) -> bool {
        self.inner.lock().people_here().any(|id| id == client_id)
    }

    /// Whether this client sits here.
    pub(super) fn seats(&self, client_id: ClientId) -> bool {
        self.inner.lock().room.seat_of(client_id).is_some()
    }

    /// How many clients of this server sit here.
    pub(super) fn seated_here(&self) -> usize {
        self.inner.lock().here().count()
    }

    /// Whether this client may do what is for hosts.
    pub(super) fn may_host(&self, client_id: ClientId) -> Result<(), Denied> {
        self.inner.lock().room.may(By::Client(client_id))
    }

    /// What the room would say to somebody who wants this. Nothing changes.
    pub(super) fn would(&self, command: Command, now: SystemTime) -> Result<(), Denied> {
        self.inner.lock().room.decide(command, now).map(drop)
    }

    /// Whoever sits here under this id, if it does.
    pub(super) fn member(&self, client_id: ClientId) -> Option<Arc<Member>> {
        self.inner.lock().room.member(client_id).cloned()
    }

    /// Who is meant of those who sit here or wait.
    pub(super) fn people(&self, is_meant: impl Fn(&Client) -> bool) -> Vec<Arc<Client>> {
        let inner = self.inner.lock();
        let waiting = inner.waiting.iter().filter_map(Knocker::client);
        inner.here().chain(waiting).filter(|client| is_meant(client)).cloned().collect()
    }

    /// Ends what has its time in the room: that somebody waits, or the room itself, if it was empty for long enough.
    /// Returns whether it is closed.
    pub(super) fn expire(&self, hub: &Hub, now: SystemTime) -> bool {
        let mut inner = self.inner.lock();
        if inner.room.due_at().is_some_and(|at| at <= now) {
            inner.room.forget(now);
            let expired = inner.put(hub, Motion::new(Command::Expire, Cause::Timer), now);
            expired.expect("the end of a time is never denied");
        }
        inner.closed
    }

    /// Ends the room if nobody sits in it, since the server stops. Returns whether it is closed.
    pub(super) fn end_empty(&self, hub: &Hub, now: SystemTime) -> bool {
        let mut inner = self.inner.lock();
        if inner.room.exists() && inner.clients.is_empty() {
            let close = Motion::new(Command::Close { settled_at: None }, Cause::Server);
            inner.put(hub, close, now).expect("it exists");
        }
        inner.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An Arc takes 16 more, and 256 is one of the allocator's sizes.
    #[test]
    fn a_room_takes_256_bytes() {
        assert!(size_of::<RoomCell>() <= 256 - 16);
    }
}
