//! One room on this server: its state and the outboxes of its members behind one lock.
//!
//! Deciding, sequencing, applying and announcing are one critical section here, since the memory journal
//! never waits. A cell that closed stays closed; whoever finds one asks the directory for another.

use std::{sync::Arc, time::SystemTime};

use parking_lot::Mutex;

use super::{
    Client,
    outbox::Entry,
    rate::{Announced, Rates},
};
use crate::{
    id::{ClientId, RoomId},
    journal::Journal,
    protocol::{Announcement, Frame, Joined, RequestId},
    room::{Change, Command, Denied, Event, LeaveReason, Member, Room, Settings, Summary},
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
    closed: bool,
}

/// A client that asks for a seat, and what it is told in which order.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) client: Arc<Client>,
    pub(super) request_id: Option<RequestId>,
    /// What it hears first if it gives up a seat in this very room.
    pub(super) left: Option<Frame>,
}

/// The cell's room ended. Another cell may stand in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CellClosed;

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
        let inner = Inner { room, clients: Vec::new(), announced, closed: false };
        Self { id, inner: Mutex::new(inner) }
    }

    pub(super) fn id(&self) -> &RoomId {
        &self.id
    }

    pub(super) fn summary(&self) -> Option<Summary> {
        self.inner.lock().room.summary()
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

    /// What the room would say to a command now. Nothing changes.
    pub(super) fn ask(&self, command: Command, now: SystemTime) -> Result<(), Denied> {
        self.inner.lock().room.decide(command, now).map(drop)
    }

    /// Seats a client, unless the room refuses.
    pub(super) fn join(
        &self,
        journal: &Journal,
        arrival: Arrival,
        command: Command,
        now: SystemTime,
    ) -> Result<Result<(), Denied>, CellClosed> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(CellClosed);
        }
        Ok(inner.commit(journal, command, Some(&arrival), now))
    }

    /// Carries out a command that seats nobody.
    pub(super) fn command(
        &self,
        journal: &Journal,
        command: Command,
        now: SystemTime,
    ) -> Result<(), Denied> {
        self.inner.lock().commit(journal, command, None, now)
    }

    /// Locks or unlocks the room, and shows it as that left it.
    pub(super) fn lock(
        &self,
        journal: &Journal,
        locked: bool,
        now: SystemTime,
    ) -> Result<Summary, Denied> {
        let mut inner = self.inner.lock();
        inner.commit(journal, Command::Lock { locked }, None, now)?;
        inner.room.summary().ok_or(Denied::NoSuchRoom)
    }

    /// Frees a seat. It cannot fail, so it needs no answer and can run while a task unwinds. Returns
    /// whether that closed the room.
    pub(super) fn depart(
        &self,
        journal: &Journal,
        client_id: ClientId,
        reason: LeaveReason,
        now: SystemTime,
    ) -> bool {
        let mut inner = self.inner.lock();
        let leave = Command::Leave { client_id, reason };
        inner.commit(journal, leave, None, now).expect("a departure is never denied");
        inner.closed
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

    /// Hands a message to every member, and counts them.
    pub(super) fn announce(&self, frame: &Frame) -> Result<usize, CellClosed> {
        let inner = self.inner.lock();
        if !inner.room.exists() {
            return Err(CellClosed);
        }
        for client in &inner.clients {
            client.push(Entry::Frame(frame.clone()));
        }
        Ok(inner.clients.len())
    }
}

impl Inner {
    fn commit(
        &mut self,
        journal: &Journal,
        command: Command,
        arrival: Option<&Arrival>,
        now: SystemTime,
    ) -> Result<(), Denied> {
        let changes = self.room.decide(command, now)?;
        let id = self.room.id().clone();
        for record in journal.append(&id, self.room.version(), changes, now) {
            if let Change::Left { client_id, .. } = &record.event.change
                && let Some(seat) = self.room.seat_of(*client_id)
            {
                self.clients.remove(seat);
            }
            self.room.apply(&record.event);
            self.announce(&record.event, arrival);
        }
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
            Change::Renamed(member) => Some(member.client_id),
            Change::Closed => {
                self.closed = true;
                None
            }
            Change::Created { .. } | Change::Locked | Change::Unlocked => None,
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
    fn seat(&mut self, Arrival { client, request_id, .. }: &Arrival) {
        let peers = self.room.members().filter(|member| member.client_id != client.id);
        let joined = Joined {
            room_id: self.room.id().clone(),
            peers: peers.cloned().collect(),
            settings: self.room.settings().clone(),
            request_id: request_id.clone(),
        };
        let joined = Announcement::joined(joined);
        self.announced.take(joined.weight());
        client.push(Entry::Announcement(Arc::new(joined)));
        self.clients.push(Arc::clone(client));
    }
}
