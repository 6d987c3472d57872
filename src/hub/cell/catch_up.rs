//! How a replica of a room becomes like the room, where it has missed what happened: those here hear of what is
//! otherwise, as if it had happened now.

use std::{collections::HashMap, mem, sync::Arc};

use super::{Arrival, Inner, arrival::Knocker, commit::Occasion};
use crate::{
    event::{self, Cause},
    hub::Hub,
    protocol::Announcement,
    room::{Change, Event, LeaveReason, Room, Waiter, WaitingEnd},
};

impl Inner {
    /// See the module. Some have come by these `arrivals`.
    pub(super) fn become_like(&mut self, hub: &Hub, room: Room, arrivals: &[Arc<Arrival>]) {
        if !arrivals.is_empty()
            || self.here().next().is_some()
            || self.waiting.iter().any(|knocker| knocker.arrival.is_some())
        {
            for change in differences(&self.room, &room) {
                let event = self.now(hub, change);
                let arrival = event.change.arrives();
                let arrival = arrivals.iter().find(|known| Some(known.client.id) == arrival);
                self.happened(hub, &event, Occasion { arrival, ..Occasion::default() });
            }
        }
        let mut here: HashMap<_, _> = mem::take(&mut self.clients)
            .into_iter()
            .flatten()
            .map(|client| (client.id, client))
            .collect();
        let mut arrivals: HashMap<_, _> = mem::take(&mut self.waiting)
            .into_iter()
            .filter_map(|Knocker { id, arrival, .. }| Some((id, arrival?)))
            .collect();
        self.room = room;
        self.clients = self.room.members().map(|member| here.remove(&member.client_id)).collect();
        let waiting: Vec<Waiter> = self.room.waiting().cloned().collect();
        self.waiting = waiting
            .into_iter()
            .filter_map(|waiter| {
                let id = waiter.member.client_id;
                let event = self.now(hub, Change::Waiting(waiter));
                let knock = Announcement::of(&event, self.room.settings()).map(Arc::new)?;
                Some(Knocker { id, arrival: arrivals.remove(&id), knock })
            })
            .collect();
    }

    pub(super) fn now(&self, hub: &Hub, change: Change) -> Event {
        let version = self.room.version();
        event::Event {
            position: version,
            prev: version,
            at: hub.now(),
            cause: Cause::Server,
            change,
        }
    }
}

/// What makes one room of another, but for what nobody hears of.
fn differences(old: &Room, new: &Room) -> Vec<Change> {
    let left = old.members().filter(|member| new.member(member.client_id).is_none());
    let left = left.map(|member| Change::Left {
        client_id: member.client_id,
        user_id: member.identity.user_id.clone(),
        reason: LeaveReason::NodeLost,
    });
    let gone = old.waiting().filter(|waiter| new.waiter(waiter.member.client_id).is_none());
    let gone = gone.map(|waiter| Change::WaitingEnded {
        client_id: waiter.member.client_id,
        user_id: waiter.member.identity.user_id.clone(),
        reason: match new.member(waiter.member.client_id) {
            Some(_) => WaitingEnd::Admitted,
            None => WaitingEnd::Gone(LeaveReason::NodeLost),
        },
    });
    let changed = new.members().filter_map(|member| match old.member(member.client_id) {
        None => Some(Change::Joined(Arc::clone(member))),
        Some(former) if former.identity != member.identity || former.vouched != member.vouched => {
            let previous = former.identity.user_id.clone();
            Some(Change::Renamed { member: Arc::clone(member), previous })
        }
        Some(former) if former.standing != member.standing => {
            let previous = former.standing.role;
            Some(Change::RoleChanged { member: Arc::clone(member), previous })
        }
        Some(_) => None,
    });
    let settings = (new.exists() && old.settings() != new.settings())
        .then(|| Change::Updated { settings: new.settings().clone() });
    let came = new.waiting().filter(|waiter| old.waiter(waiter.member.client_id).is_none());
    let came = came.map(|waiter| Change::Waiting(waiter.clone()));
    left.chain(gone).chain(changed).chain(settings).chain(came).collect()
}
