//! How what waits before a room that other servers hold too becomes a batch for the log, in which each next motion sees
//! what those before it lead to.

use std::time::SystemTime;

use super::{
    Inner, RoomCell,
    motion::{Motion, Refused, Word},
    replica::Flight,
    split::Split,
};
use crate::{
    config::limits,
    event::{Cause, Position},
    hub::Hub,
    id::{ClientId, Incarnation},
    room::{Change, Command, Denied, Event, Room},
    store::BatchId,
};

/// A batch that is to be appended.
#[derive(Debug)]
pub(in crate::hub) struct Draft {
    pub(in crate::hub) id: BatchId,
    pub(in crate::hub) before: Room,
    /// As it will be, but for the positions.
    pub(in crate::hub) after: Room,
    pub(in crate::hub) entries: Vec<Planned>,
}

/// A change that is to be appended.
#[derive(Debug)]
pub(in crate::hub) struct Planned {
    pub(in crate::hub) order: u32,
    pub(in crate::hub) at: SystemTime,
    pub(in crate::hub) cause: Cause,
    pub(in crate::hub) change: Change,
    pub(in crate::hub) word: Option<Word>,
}

impl RoomCell {
    /// Decides what waits. None: there is nothing, and the room is driven no more.
    pub(in crate::hub) fn draft(&self, hub: &Hub, node: Incarnation) -> Option<Draft> {
        let mut inner = self.inner.lock();
        let replica = inner.replica();
        if replica.split.as_ref().is_some_and(Split::waits_for_others) {
            // What those here see is not what it would be decided on.
            replica.refuse();
        }
        if replica.queue.is_empty() {
            replica.driven = false;
            return None;
        }
        Some(inner.decide_all(hub, node))
    }
}

impl Inner {
    fn decide_all(&mut self, hub: &Hub, node: Incarnation) -> Draft {
        let id = *uuid::Uuid::new_v4().as_bytes();
        let before = self.truth().clone();
        let shown = std::mem::replace(&mut self.room, before.clone());
        let (mut entries, mut decided) = (Vec::new(), Vec::new());
        let now = hub.now();
        let mut ends = false;
        // Whose connections end as soon as the log has this.
        let mut leaving = Vec::new();
        // Who sits here, or does so by this.
        let mut here: Vec<_> = self.people_here().collect();
        // Another room in its place has a chain of its own, which begins with another batch.
        while !ends && decided.len() < limits::MOTIONS_AT_ONCE {
            let Some(pending) = self.replica().queue.pop_front() else { break };
            let order = u32::try_from(decided.len()).expect("they are bounded");
            let arrives = pending.motion.arrives();
            let outcome = if arrives.is_some_and(|id| leaving.contains(&id)) {
                Err(Refused::Ending)
            } else {
                self.decide(hub, &pending.motion, (node, &here), now)
            };
            here.extend(arrives);
            leaving.extend(pending.motion.ends());
            let outcome = outcome.map(|changes| {
                let changed = !changes.is_empty();
                for change in changes {
                    ends = matches!(change, Change::Closed);
                    let Motion { cause, word, .. } = &pending.motion;
                    // As if it was in the log already, which gives the positions.
                    let prev = self.room.version();
                    let position = Position(prev.0 + 1);
                    let event = Event { position, prev, at: now, cause: cause.clone(), change };
                    self.room.apply(&event);
                    let Event { at, cause, change, .. } = event;
                    entries.push(Planned { order, at, cause, change, word: word.clone() });
                }
                changed
            });
            decided.push((pending, outcome));
        }
        let after = std::mem::replace(&mut self.room, shown);
        self.replica().flight = Some(Flight { id, decided, missing: entries.len(), ends_at: None });
        Draft { id, before, after, entries }
    }

    fn decide(
        &self,
        hub: &Hub,
        motion: &Motion,
        (node, here): (Incarnation, &[ClientId]),
        now: SystemTime,
    ) -> Result<Vec<Change>, Refused> {
        if motion.arrival.as_ref().is_some_and(|arrival| arrival.client.outbox.is_ending()) {
            return Err(Refused::Ending);
        }
        let (ban, who_wait) = hub.bans.during(|bans| self.met_by(bans, motion, now));
        let command = motion.command.clone().beside_bans(ban.is_some(), who_wait).seated_by(node);
        let later = self.replica.iter().flat_map(|replica| &replica.queue);
        let about_to_leave = later.filter_map(|pending| Some(pending.motion.leaves()?.0));
        let mut command = command.sparing(here, about_to_leave);
        if let Command::Move { clients, .. } = &mut command {
            // Whoever made a ban waits for nobody whose lease is over: a seat that it left there stays there.
            clients.retain(|id| !hub.bans.during(|bans| self.is_banned(bans, *id, now)));
        }
        let is_of_names = matches!(command, Command::Rename { .. });
        match self.room.decide(command, now) {
            // Whoever lost its seat a moment ago has nobody to tell.
            Err(Denied::NotAMember) if is_of_names => Ok(Vec::new()),
            decided => decided.map_err(|denied| Refused::of(denied, ban)),
        }
    }
}
