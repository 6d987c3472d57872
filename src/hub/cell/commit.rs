//! How a command becomes events, and what those concerned hear of each.

use std::{mem, sync::Arc, time::SystemTime};

use super::{Arrival, Departed, Inner, Knocker};
use crate::{
    event::{Administrator, Cause},
    hub::{Client, Ending, Hub, outbox::Entry},
    id::ClientId,
    journal::Decision,
    protocol::{Announcement, Joined, Rejected},
    room::{Change, Command, Denied, Event, LeaveReason, Role, WaitingEnd},
};

/// What leads to a command.
pub(super) struct Occasion<'a> {
    cause: Cause,
    /// Whoever asks for a seat.
    arrival: Option<&'a Arc<Arrival>>,
    /// Whoever is not listened to while the others have more news to take than they can.
    client: Option<&'a Arc<Client>>,
}

impl<'a> Occasion<'a> {
    pub(super) fn of_arrival(arrival: &'a Arc<Arrival>) -> Self {
        let client = &arrival.client;
        Self { arrival: Some(arrival), ..Self::of_client(client) }
    }

    pub(super) fn of_client(client: &'a Arc<Client>) -> Self {
        Self { cause: Cause::Client(client.id), arrival: None, client: Some(client) }
    }
}

impl From<Cause> for Occasion<'_> {
    fn from(cause: Cause) -> Self {
        Self { cause, arrival: None, client: None }
    }
}

impl From<&Administrator> for Occasion<'_> {
    fn from(by: &Administrator) -> Self {
        Cause::Administrator(by.clone()).into()
    }
}

impl Inner {
    pub(super) fn depart(
        &mut self,
        hub: &Hub,
        client_id: ClientId,
        reason: LeaveReason,
        cause: Cause,
        now: SystemTime,
    ) -> Departed {
        let had_a_seat =
            self.room.seat_of(client_id).is_some() || self.room.waiter(client_id).is_some();
        let leave = Command::Leave { client_id, reason };
        let departed = self.commit(hub, leave, cause.into(), now);
        departed.expect("a departure is never denied");
        Departed { had_a_seat, closed: self.closed }
    }

    pub(super) fn commit(
        &mut self,
        hub: &Hub,
        command: Command,
        occasion: Occasion<'_>,
        now: SystemTime,
    ) -> Result<(), Denied> {
        // All leave at once, and each is told so.
        let all_leave = matches!(command, Command::Close { .. });
        let changes = self.room.decide(command, now)?;
        let id = self.room.id().clone();
        let Occasion { cause, arrival, client } = occasion;
        let ends = changes.iter().any(|change| matches!(change, Change::Closed));
        let cause_of_end = ends.then(|| cause.clone());
        let decision = Decision { decided_on: self.room.version(), changes, cause, now };
        hub.journal.append_of_room(&id, decision, |event| {
            let takes_over = if let Change::Left { client_id, .. } = &event.change {
                self.unseat(*client_id, arrival)
            } else {
                None
            };
            hub.metrics.event((&event.change).into());
            self.room.apply(event);
            if !all_leave || !matches!(event.change, Change::Left { .. }) {
                self.announce(hub, event, arrival, client);
            }
            if let Some(former) = takes_over {
                former.outbox.end(Ending::TakenOver);
            }
        });
        // No command that is decided while the bans are locked ends a room.
        if let Some(cause) = cause_of_end {
            hub.bans.end_of_room(hub, &id, cause, now);
        }
        let timer = self.room.due_at();
        hub.timers.move_to(&id, mem::replace(&mut self.timer, timer), timer);
        debug_assert!(self.is_in_step(), "clients stand as their members do");
        Ok(())
    }

    /// Whoever sat there, if its seat goes to another connection.
    fn unseat(
        &mut self,
        client_id: ClientId,
        arrival: Option<&Arc<Arrival>>,
    ) -> Option<Arc<Client>> {
        let client = self.clients.remove(self.room.seat_of(client_id)?);
        arrival.is_some_and(|arrival| arrival.client.id != client_id).then_some(client)
    }

    fn is_in_step(&self) -> bool {
        let (seated, waiting) = (self.clients.iter(), self.waiting.iter());
        let members = self.room.members().map(|member| member.client_id);
        let waiters = self.room.waiting().map(|waiter| waiter.member.client_id);
        members.eq(seated.map(|client| client.id)) && waiters.eq(waiting.map(Knocker::id))
    }

    fn announce(
        &mut self,
        hub: &Hub,
        event: &Event,
        arrival: Option<&Arc<Arrival>>,
        changed: Option<&Arc<Client>>,
    ) {
        let news = Announcement::of(event, self.room.settings()).map(Arc::new);
        let concerned = match &event.change {
            Change::Joined(member) => {
                self.seat(hub, member.client_id, arrival);
                Some(member.client_id)
            }
            Change::Left { client_id, reason, .. } => {
                if let Some(Arrival { client, left: Some(left), .. }) = arrival.map(|a| &**a)
                    && client.id == *client_id
                    && *reason == LeaveReason::Rejoined
                {
                    client.push(Entry::Frame(left.clone()));
                }
                Some(*client_id)
            }
            Change::Renamed { member, .. } => Some(member.client_id),
            Change::Waiting(waiter) => {
                let knock = news.as_ref().expect("hosts hear of it");
                self.let_wait(waiter.member.client_id, arrival, knock);
                None
            }
            Change::WaitingEnded { client_id, reason, .. } => {
                self.end_waiting(*client_id, *reason);
                None
            }
            Change::Closed => {
                self.closed = true;
                None
            }
            Change::Created { .. }
            | Change::RoleChanged { .. }
            | Change::Moved { .. }
            | Change::Updated { .. }
            | Change::Locked
            | Change::Unlocked => None,
        };
        let Some(news) = news else { return };
        let for_hosts = matches!(event.change, Change::Waiting(_) | Change::WaitingEnded { .. });
        let audience = if for_hosts { self.hosts().count() } else { self.clients.len() };
        self.announced.take(news.weight() * audience);
        let news = Entry::Announcement(news);
        let tell = |client: &Arc<Client>| match changed {
            Some(changed) => client.push_news_of(changed, news.clone()),
            None => client.push(news.clone()),
        };
        if for_hosts {
            return self.hosts().for_each(tell);
        }
        self.clients.iter().filter(|client| Some(client.id) != concerned).for_each(tell);
        if let Change::RoleChanged { member, previous } = &event.change
            && member.standing.is_host()
            && *previous != Role::Host
        {
            self.tell_who_waits(member.client_id);
        }
    }

    fn hosts(&self) -> impl Iterator<Item = &Arc<Client>> {
        let people = self.room.members().zip(&self.clients);
        people.filter(|(member, _)| member.standing.is_host()).map(|(_, client)| client)
    }

    /// The joiner hears who is there before anybody hears of the joiner, or the joiner of anything else.
    fn seat(&mut self, hub: &Hub, client_id: ClientId, arrival: Option<&Arc<Arrival>>) {
        let asked_now = arrival.filter(|arrival| arrival.client.id == client_id).cloned();
        let waited = asked_now.is_none();
        // Who waits may have asked again, with something to show.
        let waiting = self.take_waiting(client_id);
        let Some(arrival) = asked_now.or(waiting) else { return };
        let Some(member) = self.room.member(client_id) else { return };
        let Arrival { client, request_id, returning, return_token, ice_servers, .. } = &*arrival;
        let returned = returning.as_ref().filter(|token| token.key() == member.return_key);
        let peers = self.room.members().filter(|member| member.client_id != client_id);
        let joined = Joined {
            room_id: self.room.id().clone(),
            peers: peers.cloned().collect(),
            settings: self.room.settings().clone(),
            role: member.standing.role,
            return_token: returned.unwrap_or(return_token).clone(),
            request_id: request_id.clone(),
            // Those that it was to have when it began to wait may have ended by now.
            ice_servers: match waited {
                true => hub.ice_servers_at_seat(client_id),
                false => ice_servers.clone(),
            },
        };
        let is_host = member.standing.is_host();
        let joined = Announcement::joined(joined);
        self.announced.take(joined.weight());
        client.push(Entry::Announcement(Arc::new(joined)));
        self.clients.push(Arc::clone(client));
        hub.renew_ice_servers_later(client_id);
        if is_host {
            self.tell_who_waits(client_id);
        }
    }

    /// Whoever waits already has other names, which `knock` says.
    fn let_wait(
        &mut self,
        client_id: ClientId,
        arrival: Option<&Arc<Arrival>>,
        knock: &Arc<Announcement>,
    ) {
        let knock = Arc::clone(knock);
        if let Some(arrival) = arrival.filter(|arrival| arrival.client.id == client_id) {
            let (room_id, request_id) = (self.room.id().clone(), arrival.request_id.clone());
            let waiting = Announcement::waiting(room_id, request_id);
            arrival.client.push(Entry::Announcement(Arc::new(waiting)));
            arrival.client.outbox.hub.metrics.waits();
            self.waiting.push(Knocker { arrival: Arc::clone(arrival), knock });
        } else if let Some(knocker) = self.waiting.iter_mut().find(|k| k.id() == client_id) {
            knocker.knock = knock;
        }
    }

    /// Whoever waited hears why, unless it went itself or its connection ends.
    fn end_waiting(&mut self, client_id: ClientId, reason: WaitingEnd) {
        if reason == WaitingEnd::Admitted {
            return;
        }
        let Some(arrival) = self.take_waiting(client_id) else { return };
        // Whose connection ends hears of that instead.
        if arrival.client.outbox.is_ending() {
            return;
        }
        let Some(rejected) = Rejected::after_waiting(reason) else { return };
        arrival.client.outbox.hub.metrics.refusal(rejected.code);
        let word = Announcement::not_admitted(rejected, arrival.request_id.clone());
        arrival.client.push(Entry::Announcement(Arc::new(word)));
    }

    fn take_waiting(&mut self, client_id: ClientId) -> Option<Arc<Arrival>> {
        let place = self.waiting.iter().position(|knocker| knocker.id() == client_id)?;
        let Knocker { arrival, .. } = self.waiting.remove(place);
        arrival.client.outbox.hub.metrics.waits_no_longer();
        Some(arrival)
    }

    /// A host hears of those who knocked before it was one.
    fn tell_who_waits(&self, host: ClientId) {
        let Some(seat) = self.room.seat_of(host) else { return };
        for Knocker { knock, .. } in &self.waiting {
            self.clients[seat].push(Entry::Announcement(Arc::clone(knock)));
        }
    }
}
