//! One room on this server: its state and the outboxes of its members behind one lock.
//!
//! Deciding, sequencing, applying and announcing are one critical section here, since the memory journal
//! never waits. A cell that closed stays closed; whoever finds one asks the directory for another.

mod orders;

use std::{mem, sync::Arc, time::SystemTime};

use parking_lot::Mutex;

use super::{
    Client, Hub,
    outbox::Entry,
    rate::{Announced, Rates},
};
use crate::{
    ban::Ban,
    config::IceServer,
    event::{Administrator, Cause},
    id::{ClientId, RoomId},
    journal::Decision,
    protocol::{Announcement, Frame, Joined, RequestId},
    room::{
        Change, Command, Denied, Event, Identity, LeaveReason, Member, Room, Settings, Summary,
    },
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
    /// In join order, as their members in the room.
    clients: Vec<Arc<Client>>,
    announced: Announced,
    /// What [`super::timers::Timers`] has of it.
    timer: Option<SystemTime>,
    closed: bool,
}

/// A client that asks for a seat, and what it is told in which order.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) client: Arc<Client>,
    pub(super) identity: Identity,
    pub(super) metadata: Option<Arc<str>>,
    pub(super) request_id: Option<RequestId>,
    /// What it is told of, unless it was at its welcome.
    pub(super) ice_servers: Option<Arc<[IceServer]>>,
    /// What it hears first if it gives up a seat in this very room.
    pub(super) left: Option<Frame>,
}

/// What became of a departure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Departed {
    pub(super) had_a_seat: bool,
    pub(super) closed: bool,
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
    pub(super) fn vacant(id: RoomId, defaults: Arc<Settings>, rates: &Rates) -> Self {
        let room = Room::vacant(id.clone(), defaults);
        let announced = Announced::new(rates);
        let inner = Inner { room, clients: Vec::new(), announced, timer: None, closed: false };
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

    /// The room and who sits in it, of one moment.
    pub(super) fn roster(&self) -> Option<(Summary, Vec<Arc<Member>>)> {
        let inner = self.inner.lock();
        Some((inner.room.summary()?, inner.room.members().cloned().collect()))
    }

    /// Whether the room's members can bear to hear of another change.
    ///
    /// # Errors
    /// In how many ticks they can.
    pub(super) fn announces_more(&self, rates: &Rates, now: u32) -> Result<(), u32> {
        self.inner.lock().announced.allows_more(rates, now)
    }

    /// What the room would say to an arrival now. Nothing changes.
    pub(super) fn ask(&self, hub: &Hub, arrival: &Arrival, now: SystemTime) -> Result<(), Denied> {
        let inner = self.inner.lock();
        let banned = hub.bans.meet(Some(&self.id), &arrival.identity, arrival.client.address, now);
        inner.room.decide(arrival.command(banned), now).map(drop)
    }

    /// Seats a client, unless the room refuses.
    pub(super) fn join(
        &self,
        hub: &Hub,
        arrival: &Arrival,
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
            let Arrival { client, identity, .. } = arrival;
            let joined = hub.bans.decide(Some(&self.id), identity, client.address, now, |ban| {
                let command = arrival.command(ban.is_some());
                inner.commit(hub, command, Cause::Client(client.id), Some(arrival), now)
            });
            joined.map_err(NotSeated::Denied)
        };
        // Where nobody came in, nobody would ever close it.
        inner.closed |= !inner.room.exists();
        joined
    }

    /// A member goes by other names, which `publish` shows to everybody, unless a ban stands against these.
    ///
    /// # Errors
    /// Which ban that is.
    pub(super) fn rename(
        &self,
        hub: &Hub,
        client: &Client,
        identity: &Identity,
        now: SystemTime,
        publish: impl FnOnce(),
    ) -> Result<(), Arc<Ban>> {
        let mut inner = self.inner.lock();
        hub.bans.admit(Some(&self.id), identity, client.address, now, || {
            publish();
            let (client_id, identity) = (client.id, identity.clone());
            let command = Command::Rename { client_id, identity, banned: false };
            // Whoever lost its seat a moment ago has nobody to tell.
            let _: Result<(), Denied> =
                inner.commit(hub, command, Cause::Client(client.id), None, now);
        })
    }

    /// Frees a seat, `by` an administrator if the reason is one of theirs. It cannot fail, so it needs no answer and can
    /// run while a task unwinds. Returns whether there was one, and whether that closed the room.
    pub(super) fn depart(
        &self,
        hub: &Hub,
        client_id: ClientId,
        reason: LeaveReason,
        by: &Administrator,
        now: SystemTime,
    ) -> Departed {
        self.inner.lock().depart(hub, client_id, reason, by, now)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.inner.lock().closed
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

impl Arrival {
    fn command(&self, banned: bool) -> Command {
        let Self { client, identity, metadata, .. } = self;
        Command::Join {
            client_id: client.id,
            identity: identity.clone(),
            metadata: metadata.clone(),
            banned,
        }
    }
}

impl Inner {
    fn depart(
        &mut self,
        hub: &Hub,
        client_id: ClientId,
        reason: LeaveReason,
        by: &Administrator,
        now: SystemTime,
    ) -> Departed {
        let had_a_seat = self.room.seat_of(client_id).is_some();
        let leave = Command::Leave { client_id, reason };
        let cause = reason.cause(client_id, by);
        self.commit(hub, leave, cause, None, now).expect("a departure is never denied");
        Departed { had_a_seat, closed: self.closed }
    }

    fn commit(
        &mut self,
        hub: &Hub,
        command: Command,
        cause: Cause,
        arrival: Option<&Arrival>,
        now: SystemTime,
    ) -> Result<(), Denied> {
        // All leave at once, and each is told so.
        let all_leave = matches!(command, Command::Close { .. });
        let changes = self.room.decide(command, now)?;
        let id = self.room.id().clone();
        let decision = Decision { decided_on: self.room.version(), changes, cause, now };
        hub.journal.append_of_room(&id, decision, |event| {
            if let Change::Left { client_id, .. } = &event.change
                && let Some(seat) = self.room.seat_of(*client_id)
            {
                self.clients.remove(seat);
            }
            hub.metrics.event((&event.change).into());
            self.room.apply(event);
            if !all_leave || !matches!(event.change, Change::Left { .. }) {
                self.announce(event, arrival);
            }
        });
        let timer = self.room.expires_at();
        hub.timers.move_to(&id, mem::replace(&mut self.timer, timer), timer);
        debug_assert!(
            self.room
                .members()
                .map(|member| member.client_id)
                .eq(self.clients.iter().map(|c| c.id)),
            "clients stand as their members do"
        );
        Ok(())
    }

    fn announce(&mut self, event: &Event, arrival: Option<&Arrival>) {
        let concerned = match &event.change {
            Change::Joined(member) => {
                if let Some(arrival) = arrival {
                    self.seat(arrival);
                }
                Some(member.client_id)
            }
            Change::Left { client_id, reason, .. } => {
                if let Some(Arrival { client, left: Some(left), .. }) = arrival
                    && *reason == LeaveReason::Rejoined
                {
                    client.push(Entry::Frame(left.clone()));
                }
                Some(*client_id)
            }
            Change::Renamed { member, .. } => Some(member.client_id),
            Change::Closed => {
                self.closed = true;
                None
            }
            Change::Created { .. } | Change::Updated { .. } | Change::Locked | Change::Unlocked => {
                None
            }
        };
        let Some(news) = Announcement::of(event, self.room.settings()) else { return };
        self.announced.take(news.weight() * self.clients.len());
        let news = Entry::Announcement(Arc::new(news));
        let renamed = || self.clients.iter().find(|client| Some(client.id) == concerned);
        let changed = arrival.map(|arrival| &arrival.client).or_else(renamed);
        for client in self.clients.iter().filter(|client| Some(client.id) != concerned) {
            match changed {
                Some(changed) => client.push_news_of(changed, news.clone()),
                None => client.push(news.clone()),
            }
        }
    }

    /// The joiner hears who is there before anybody hears of the joiner, or the joiner of anything else.
    fn seat(&mut self, Arrival { client, request_id, ice_servers, .. }: &Arrival) {
        let peers = self.room.members().filter(|member| member.client_id != client.id);
        let joined = Joined {
            room_id: self.room.id().clone(),
            peers: peers.cloned().collect(),
            settings: self.room.settings().clone(),
            request_id: request_id.clone(),
            ice_servers: ice_servers.clone(),
        };
        let joined = Announcement::joined(joined);
        self.announced.take(joined.weight());
        client.push(Entry::Announcement(Arc::new(joined)));
        self.clients.push(Arc::clone(client));
    }
}
