//! One room on this server: its state and the outboxes of its members behind one lock.
//!
//! Deciding, sequencing, applying and announcing are one critical section here, since the memory journal
//! never waits. A cell that closed stays closed; whoever finds one asks the directory for another.

mod commit;
mod hosting;
mod orders;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

use super::{
    Client, Hub,
    outbox::Entry,
    rate::{Announced, Rates},
};
use crate::{
    ban::{Ban, Subject},
    config::IceServer,
    event::Cause,
    id::{ClientId, Incarnation, RoomId},
    protocol::{Announcement, Frame, RequestId, ReturnToken},
    room::{
        Command, Denied, Entrant, Identity, LeaveReason, PasswordHash, Proof, Role, Room, Rules,
        Summary, Vouched, Waiter,
    },
};
use commit::Occasion;
pub(super) use hosting::{Commander, NotDone, REMOVED_BY_HOST};

/// See the module.
#[derive(Debug)]
pub(super) struct RoomCell {
    id: RoomId,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    room: Room,
    /// In join order, as their members in the room.
    clients: Vec<Arc<Client>>,
    /// In the order in which they came, as in the room.
    waiting: Vec<Knocker>,
    announced: Announced,
    /// What [`super::timers::Timers`] has of it.
    timer: Option<SystemTime>,
    closed: bool,
}

/// Somebody who waits for a seat.
#[derive(Debug)]
struct Knocker {
    arrival: Arc<Arrival>,
    /// What hosts hear of it, those who become it later among them.
    knock: Arc<Announcement>,
}

/// A client that asks for a seat, and what it is told in which order.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) client: Arc<Client>,
    pub(super) identity: Identity,
    pub(super) metadata: Option<Arc<str>>,
    /// What its token says of it, and the role that comes with it.
    pub(super) vouched: Option<Arc<Vouched>>,
    pub(super) granted: Role,
    /// What it shows of a seat that it had.
    pub(super) returning: Option<ReturnToken>,
    /// What it shall return by, unless it keeps the one that it returns by now.
    pub(super) return_token: ReturnToken,
    pub(super) request_id: Option<RequestId>,
    /// What it is told of, unless it was at its welcome.
    pub(super) ice_servers: Option<Arc<[IceServer]>>,
    /// What it hears first if it gives up a seat in this very room.
    pub(super) left: Option<Frame>,
}

/// What became of a departure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Departed {
    /// Or waited for one.
    pub(super) had_a_seat: bool,
    pub(super) closed: bool,
}

/// Where a client is in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a seat, with this role.
    Sits(Role),
    /// In the lobby.
    Waits,
}

/// The cell's room ended. Another cell may stand in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CellClosed;

/// Why somebody took no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotSeated {
    /// The room does not want it.
    Denied(Denied),
    /// Its connection is at its end.
    Ending,
    /// See [`CellClosed`].
    CellClosed,
}

/// Why a signal went nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unroutable {
    /// The sender sits here no more.
    SenderNotSeated,
    /// The target does not sit here.
    TargetNotSeated,
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
        };
        Self { id, inner: Mutex::new(inner) }
    }

    pub(super) fn id(&self) -> &RoomId {
        &self.id
    }

    pub(super) fn summary(&self) -> Option<Summary> {
        self.inner.lock().room.summary()
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

    /// Seats a client, or lets it wait, unless the room refuses.
    pub(super) fn join(
        &self,
        hub: &Hub,
        arrival: &Arc<Arrival>,
        proof: Proof,
        now: SystemTime,
    ) -> Result<(), NotSeated> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(NotSeated::CellClosed);
        }
        // Both asked under the room's lock: a ban or an end that comes later finds the client seated.
        let joined = if arrival.client.outbox.is_ending() {
            Err(NotSeated::Ending)
        } else {
            let client = &arrival.client;
            let who = arrival.who();
            let joined = hub.bans.decide(Some(&self.id), who, client.address, now, |ban| {
                let command = arrival.command(proof, ban.is_some());
                inner.commit(hub, command, Occasion::of_arrival(arrival), now)
            });
            joined.map_err(NotSeated::Denied)
        };
        // Where nobody came in, nobody would ever close it.
        inner.closed |= !inner.room.exists();
        joined
    }

    /// Somebody who sits or waits here goes by other names, or by another token; `publish` shows that to everybody,
    /// unless a ban stands against the names.
    ///
    /// # Errors
    /// Which ban that is.
    pub(super) fn rename(
        &self,
        hub: &Hub,
        client: &Arc<Client>,
        (identity, vouched, granted): (&Identity, Option<Arc<Vouched>>, Role),
        now: SystemTime,
        publish: impl FnOnce(),
    ) -> Result<(), Arc<Ban>> {
        let mut inner = self.inner.lock();
        let who = (identity, vouched.is_some());
        hub.bans.decide(Some(&self.id), who, client.address, now, |ban| match ban {
            // One of its address is no matter of names: whom it is meant for has gone, or is about to.
            Some(ban) if matches!(ban.subject, Subject::User(_)) => Err(Arc::clone(ban)),
            _ => {
                let (client_id, identity) = (client.id, identity.clone());
                let command =
                    Command::Rename { client_id, identity, vouched, granted, banned: false };
                // Whoever lost its seat a moment ago has nobody to tell.
                let _: Result<(), Denied> =
                    inner.commit(hub, command, Occasion::of_client(client), now);
                // Not before the log has them: whom a ban of the old ones does not meet any more sits under the new ones.
                publish();
                Ok(())
            }
        })
    }

    /// Frees a seat, or ends somebody's waiting. It cannot fail, so it needs no answer and can
    /// run while a task unwinds. Returns whether there was one, and whether that closed the room.
    pub(super) fn depart(
        &self,
        hub: &Hub,
        client_id: ClientId,
        reason: LeaveReason,
        cause: Cause,
        now: SystemTime,
    ) -> Departed {
        self.inner.lock().depart(hub, client_id, reason, cause, now)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.inner.lock().closed
    }

    /// Whether this client sits here, or waits for a seat.
    pub(super) fn knows(&self, client_id: ClientId) -> bool {
        let inner = self.inner.lock();
        inner.room.seat_of(client_id).is_some() || inner.room.waiter(client_id).is_some()
    }

    /// Whether this client sits here.
    pub(super) fn seats(&self, client_id: ClientId) -> bool {
        self.inner.lock().room.seat_of(client_id).is_some()
    }

    /// Hands a signal to one room-mate.
    pub(super) fn route(
        &self,
        from: ClientId,
        to: ClientId,
        frame: Frame,
    ) -> Result<(), Unroutable> {
        let inner = self.inner.lock();
        let sender = inner.room.seat_of(from).ok_or(Unroutable::SenderNotSeated)?;
        let target = inner.room.seat_of(to).ok_or(Unroutable::TargetNotSeated)?;
        inner.clients[target].push_from(&inner.clients[sender], Entry::Frame(frame));
        Ok(())
    }

    /// Hands a message to every room-mate.
    pub(super) fn fan_out(&self, from: ClientId, frame: &Frame) -> Result<(), Unroutable> {
        let inner = self.inner.lock();
        let sender = inner.room.seat_of(from).ok_or(Unroutable::SenderNotSeated)?;
        let sender = &inner.clients[sender];
        for client in inner.clients.iter().filter(|client| client.id != from) {
            client.push_from(sender, Entry::Frame(frame.clone()));
        }
        Ok(())
    }
}

impl Knocker {
    fn id(&self) -> ClientId {
        self.arrival.client.id
    }
}

impl Arrival {
    /// Whom a ban may meet, and whether a token vouches for that name.
    pub(super) fn who(&self) -> (&Identity, bool) {
        (&self.identity, self.vouched.is_some())
    }

    fn command(&self, proof: Proof, banned: bool) -> Command {
        let Self { client, identity, metadata, vouched, granted, .. } = self;
        let entrant = Entrant {
            client_id: client.id,
            identity: identity.clone(),
            metadata: metadata.clone(),
            vouched: vouched.clone(),
            granted: *granted,
            return_key: self.return_token.key(),
            node: Incarnation::NONE,
        };
        let returning = self.returning.as_ref().map(ReturnToken::key);
        Command::Join { entrant, banned, proof, returning }
    }
}
