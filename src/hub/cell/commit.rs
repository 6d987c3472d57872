//! How a motion becomes events, and the room what they say.

use std::{mem, sync::Arc, time::SystemTime};

use super::{
    Arrival, Inner, RoomCell,
    motion::{Done, Motion, Refused, Word, publish_names},
};
use crate::{
    event::Cause,
    hub::{Client, Ending, Hub, outbox::Entry, removal::removed},
    id::ClientId,
    journal::Decision,
    room::{Change, Command, Denied, Event, LeaveReason},
};

/// What those concerned by an event have to do with it, beside what it says itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Occasion<'a> {
    /// See [`Motion`].
    pub(super) arrival: Option<&'a Arc<Arrival>>,
    pub(super) client: Option<&'a Arc<Client>>,
    pub(super) word: Option<&'a Word>,
}

impl RoomCell {
    /// Decides a motion, and has everybody concerned hear of what changed.
    pub(in crate::hub) fn put(
        &self,
        hub: &Hub,
        motion: Motion,
        now: SystemTime,
    ) -> Result<Done, Refused> {
        self.inner.lock().put(hub, motion, now)
    }
}

impl Inner {
    pub(super) fn put(
        &mut self,
        hub: &Hub,
        motion: Motion,
        now: SystemTime,
    ) -> Result<Done, Refused> {
        if motion.is_for_a_vacancy() && self.closed {
            return Err(Refused::CellClosed);
        }
        // Both asked under the room's lock: a ban or an end that comes later finds the client seated.
        let is_ending = |arrival: &Arc<Arrival>| arrival.client.outbox.is_ending();
        let done = if motion.arrival.as_ref().is_some_and(is_ending) {
            Err(Refused::Ending)
        } else {
            self.beside_bans(hub, motion, now, |inner, motion| inner.commit(hub, motion, now))
        };
        // Where nobody came in, nobody would ever close it.
        self.closed |= !self.room.exists();
        done
    }

    fn commit(&mut self, hub: &Hub, motion: Motion, now: SystemTime) -> Result<Done, Denied> {
        let is_shown = motion.is_shown();
        let Motion { command, cause, arrival, client, word, names } = motion;
        let is_of_names = matches!(command, Command::Rename { .. });
        let changes = match self.room.decide(command, now) {
            // Whoever lost its seat a moment ago has nobody to tell.
            Err(Denied::NotAMember) if is_of_names => Vec::new(),
            decided => decided?,
        };
        let changed = !changes.is_empty();
        let occasion =
            Occasion { arrival: arrival.as_ref(), client: client.as_ref(), word: word.as_ref() };
        self.append(hub, changes, cause, occasion, now);
        // Not before the log has them: whom a ban of the old ones does not meet any more sits under the new ones.
        publish_names(client.as_ref(), names);
        let room = is_shown.then(|| self.room.summary()).flatten().map(Box::new);
        Ok(Done { changed, at: self.room.version(), room })
    }

    fn append(
        &mut self,
        hub: &Hub,
        changes: Vec<Change>,
        cause: Cause,
        occasion: Occasion<'_>,
        now: SystemTime,
    ) {
        let id = self.room.id().clone();
        let ends = changes.iter().any(|change| matches!(change, Change::Closed));
        let cause_of_end = ends.then(|| cause.clone());
        let decision = Decision { decided_on: self.room.version(), changes, cause, now };
        hub.journal.append_of_room(&id, decision, |event| self.happened(hub, event, occasion));
        if let Some(cause) = cause_of_end {
            hub.bans.end_of_room(hub, &id, cause, now);
        }
        let timer = self.room.due_at().map(Into::into);
        hub.timers.move_to(&id, mem::replace(&mut self.timer, timer), timer);
        debug_assert!(self.is_in_step(), "clients stand as their members do");
    }

    /// Lets an event have happened, and has those concerned hear of it.
    pub(super) fn happened(&mut self, hub: &Hub, event: &Event, occasion: Occasion<'_>) {
        let former = if let Change::Left { client_id, .. } = &event.change {
            self.unseat(*client_id)
        } else {
            None
        };
        hub.metrics.event((&event.change).into());
        self.room.apply(event);
        self.announce(hub, event, occasion, former.is_some());
        if let (Some(former), Change::Left { reason, .. }) = (former, &event.change) {
            self.part(&former, *reason, occasion);
        }
    }

    fn unseat(&mut self, client_id: ClientId) -> Option<Arc<Client>> {
        self.clients.remove(self.room.seat_of(client_id)?)
    }

    /// Whoever lost its seat by the will of others hears so, and whose seat goes to another connection is gone.
    fn part(&self, former: &Arc<Client>, reason: LeaveReason, occasion: Occasion<'_>) {
        let Occasion { arrival, word, .. } = occasion;
        let by_itself = arrival.is_some_and(|arrival| arrival.client.id == former.id);
        if reason == LeaveReason::Rejoined && !by_itself {
            return former.outbox.end(Ending::TakenOver);
        }
        let lost = (reason == LeaveReason::NodeLost).then(Word::node_lost);
        let given = word.filter(|_| reason.is_others());
        if let Some(word) = lost.as_ref().or(given) {
            self.say_to_former(former, word);
        }
    }

    /// Says why somebody has no place here any more.
    pub(super) fn say_to_former(&self, former: &Arc<Client>, Word { code, text, ending }: &Word) {
        let word = Entry::Frame(removed(*code, text.as_deref(), Some(self.room.id())));
        let heard = match ending {
            // Under the room's lock, so that it takes no other seat first.
            Some(ending) => former.outbox.end_after(word, *ending),
            None => {
                former.push(word);
                true
            }
        };
        if heard {
            former.outbox.hub.metrics.refusal(*code);
        }
    }

    pub(super) fn is_in_step(&self) -> bool {
        let members = self.room.members().zip(&self.clients);
        let mut here = members.filter_map(|(member, client)| Some((member, client.as_ref()?)));
        let waiters = self.room.waiting().map(|waiter| waiter.member.client_id);
        // Whoever is admitted waits here until it sits, which may be told by another entry of the log.
        let knockers = self.waiting.iter().map(|knocker| knocker.id);
        let knockers = knockers.filter(|id| self.room.waiter(*id).is_some());
        self.room.members().len() == self.clients.len()
            && here.all(|(member, client)| member.client_id == client.id)
            && waiters.eq(knockers)
    }
}
