//! What those hear whom an event concerns: members, hosts and who waits.

use std::sync::Arc;

use super::{Arrival, Inner, Knocker, Word, commit::Occasion};
use crate::{
    hub::{Client, Hub, outbox::Entry},
    id::ClientId,
    protocol::{Announcement, Joined, Rejected},
    room::{Change, Event, LeaveReason, Role, WaitingEnd},
};

impl Inner {
    /// Somebody who leaves may have sat `here`, as far as that client knows: a log that lost something may have a seat
    /// that it had given up.
    pub(super) fn announce(
        &mut self,
        hub: &Hub,
        event: &Event,
        occasion: Occasion<'_>,
        sat_here: bool,
    ) {
        let Occasion { arrival, client: changed, .. } = occasion;
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
                    && sat_here
                {
                    client.push(Entry::Frame(left.clone()));
                }
                // All leave at once, and each is told so, unless the log has not all of those here.
                if *reason == LeaveReason::RoomClosed && !self.is_split() {
                    return;
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
                // A fleet may bring about another one in the same place.
                self.closed = self.replica.is_none();
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
        self.here().filter(|client| Some(client.id) != concerned).for_each(tell);
        if let Change::RoleChanged { member, previous } = &event.change
            && member.standing.is_host()
            && *previous != Role::Host
        {
            self.tell_who_waits(member.client_id);
        }
    }

    fn hosts(&self) -> impl Iterator<Item = &Arc<Client>> {
        let people = self.room.members().zip(&self.clients);
        let hosts = people.filter(|(member, _)| member.standing.is_host());
        hosts.filter_map(|(_, client)| client.as_ref())
    }

    /// Those members who are connected to this server.
    pub(super) fn here(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.clients.iter().flatten()
    }

    /// The joiner hears who is there before anybody hears of the joiner, or the joiner of anything else.
    fn seat(&mut self, hub: &Hub, client_id: ClientId, arrival: Option<&Arc<Arrival>>) {
        let asked_now = arrival.filter(|arrival| arrival.client.id == client_id).cloned();
        let waited = asked_now.is_none();
        // Who waits may have asked again, with something to show.
        let waiting = self.take_waiting(client_id);
        let Some(arrival) = asked_now.or(waiting) else { return self.clients.push(None) };
        let Some(member) = self.room.member(client_id) else { return };
        let Arrival { client, request_id, returning, return_token, ice_servers, .. } = &*arrival;
        let returned = returning.as_ref().filter(|token| token.key() == member.return_key);
        let peers = self.room.members().filter(|member| member.client_id != client_id);
        let joined = Joined {
            room_id: self.room.id().clone(),
            peers: peers.cloned().collect(),
            settings: Arc::clone(self.room.settings()),
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
        self.clients.push(Some(Arc::clone(client)));
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
        if let Some(knocker) = self.waiting.iter_mut().find(|knocker| knocker.id == client_id) {
            knocker.knock = knock;
            return;
        }
        let arrival = arrival.filter(|arrival| arrival.client.id == client_id).cloned();
        if let Some(Arrival { client, request_id, .. }) = arrival.as_deref() {
            let waiting = Announcement::waiting(self.room.id().clone(), request_id.clone());
            client.push(Entry::Announcement(Arc::new(waiting)));
            client.outbox.hub.metrics.waits();
        }
        self.waiting.push(Knocker { id: client_id, arrival, knock });
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
        if reason == WaitingEnd::Gone(LeaveReason::NodeLost) {
            return self.say_to_former(&arrival.client, &Word::node_lost());
        }
        let Some(rejected) = Rejected::after_waiting(reason) else { return };
        arrival.client.outbox.hub.metrics.refusal(rejected.code);
        let word = Announcement::not_admitted(rejected, arrival.request_id.clone());
        arrival.client.push(Entry::Announcement(Arc::new(word)));
    }

    fn take_waiting(&mut self, client_id: ClientId) -> Option<Arc<Arrival>> {
        let place = self.waiting.iter().position(|knocker| knocker.id == client_id)?;
        let arrival = self.waiting.remove(place).arrival?;
        arrival.client.outbox.hub.metrics.waits_no_longer();
        Some(arrival)
    }

    /// A host hears of those who knocked before it was one.
    fn tell_who_waits(&self, host: ClientId) {
        let client = self.room.seat_of(host).and_then(|seat| self.clients[seat].as_ref());
        let Some(client) = client else { return };
        for Knocker { knock, .. } in &self.waiting {
            client.push(Entry::Announcement(Arc::clone(knock)));
        }
    }
}
