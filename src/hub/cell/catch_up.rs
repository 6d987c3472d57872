//! How a replica of a room becomes like the room, where it has missed what happened: those here hear of what is
//! otherwise, as if it had happened now.

use std::{collections::HashMap, mem, sync::Arc};

use super::{Inner, Motion, arrival::Knocker, commit::Occasion};
use crate::{
    event::{self, Cause},
    hub::Hub,
    protocol::Announcement,
    room::{Change, Event, LeaveReason, Member, Room, Waiter, WaitingEnd},
};

impl Inner {
    /// See the module. What came of these motions of clients here is among that.
    pub(super) fn become_like(&mut self, hub: &Hub, room: Room, motions: &[&Motion]) {
        if !motions.is_empty()
            || self.here().next().is_some()
            || self.waiting.iter().any(|knocker| knocker.arrival.is_some())
        {
            for change in differences(&self.room, &room, motions) {
                let motion = motions.iter().find(|motion| motion.is_about(&change));
                let occasion = Occasion {
                    arrival: motion.and_then(|motion| motion.arrival.as_ref()),
                    client: motion.and_then(|motion| motion.client.as_ref()),
                    word: motion.and_then(|motion| motion.word.as_ref()),
                };
                let event = self.now(hub, change);
                self.happened(hub, &event, occasion);
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
        now_in(&self.room, hub, change)
    }
}

/// What those here see happen in a room, while the log goes on as it is.
pub(super) fn now_in(room: &Room, hub: &Hub, change: Change) -> Event {
    let version = room.version();
    event::Event { position: version, prev: version, at: hub.now(), cause: Cause::Server, change }
}

/// What makes one room of another, but for what nobody hears of.
fn differences(old: &Room, new: &Room, motions: &[&Motion]) -> Vec<Change> {
    // Whoever asked for a seat anew hears of it, though it had one before.
    let is_anew = |member: &Member, former: &Member| {
        let asked = motions.iter().any(|motion| motion.arrives() == Some(member.client_id));
        asked && member.joined_at != former.joined_at
    };
    let why = |id| {
        let left = motions.iter().filter_map(|motion| motion.leaves());
        let mut why = left.filter(|(other, _)| *other == id).map(|(_, reason)| reason);
        why.next().unwrap_or(LeaveReason::NodeLost)
    };
    let left = old.members().filter_map(|former| {
        let client_id = former.client_id;
        let reason = match new.member(client_id) {
            None => why(client_id),
            Some(member) if is_anew(member, former) => LeaveReason::Rejoined,
            Some(_) => return None,
        };
        let user_id = former.identity.user_id.clone();
        Some(Change::Left { client_id, user_id, reason })
    });
    let gone = old.waiting().filter_map(|Waiter { member: former, .. }| {
        let client_id = former.client_id;
        let reason = match (new.member(client_id), new.waiter(client_id)) {
            (Some(_), _) => WaitingEnd::Admitted,
            (None, None) => WaitingEnd::Gone(why(client_id)),
            (None, Some(Waiter { member, .. })) if is_anew(member, former) => {
                WaitingEnd::Gone(LeaveReason::Rejoined)
            }
            (None, Some(_)) => return None,
        };
        let user_id = former.identity.user_id.clone();
        Some(Change::WaitingEnded { client_id, user_id, reason })
    });
    let changed = new.members().flat_map(|member| {
        let Some(former) = old.member(member.client_id).filter(|former| !is_anew(member, former))
        else {
            return [Some(Change::Joined(Arc::clone(member))), None];
        };
        let is_renamed = former.identity != member.identity || former.vouched != member.vouched;
        let renamed = is_renamed.then(|| {
            let previous = former.identity.user_id.clone();
            Change::Renamed { member: Arc::clone(member), previous }
        });
        let has_other_role = former.standing != member.standing;
        let role_changed = has_other_role.then(|| {
            let previous = former.standing.role;
            Change::RoleChanged { member: Arc::clone(member), previous }
        });
        [renamed, role_changed]
    });
    let changed = changed.flatten();
    let settings = (new.exists() && old.settings() != new.settings())
        .then(|| Change::Updated { settings: Arc::clone(new.settings()) });
    let came = new.waiting().filter(|waiter| {
        let former = old.waiter(waiter.member.client_id);
        former.is_none_or(|former| is_anew(&waiter.member, &former.member))
    });
    let came = came.map(|waiter| Change::Waiting(waiter.clone()));
    left.chain(gone).chain(changed).chain(settings).chain(came).collect()
}
