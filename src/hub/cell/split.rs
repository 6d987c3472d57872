//! Two views of one room, where the log cannot be reached, or has lost what was in it: those here go on with the room
//! as they know it, while the log has another one. In the end the log is right.

use std::{mem, sync::Arc};

use tokio::time::Instant;

use super::{
    Inner, RoomCell, Word,
    catch_up::now_in,
    commit::Occasion,
    motion::{Done, Motion},
    replica::{Pending, Told},
};
use crate::{
    event::Cause,
    hub::Hub,
    id::{ClientId, Incarnation},
    room::{Change, Command, Event, LeaveReason, Member, Room, Waiter, WaitingEnd},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Split {
    /// The room as the log has it; none: it is to be loaded.
    truth: Option<Room>,
    /// Until when other servers may put into the log what it lost.
    pub(super) until: Option<Instant>,
    /// Whether the log lost what was in it: then those here sit there again. Otherwise who sits there not was given up.
    is_of_loss: bool,
}

impl Split {
    /// Whether other servers may still put into the log what it lost.
    pub(super) fn waits_for_others(&self) -> bool {
        self.until.is_some()
    }
}

impl RoomCell {
    /// The log has lost what was in it behind what was followed, but for what was `missed`: the room is loaded anew, and
    /// those here sit there again. They go on meanwhile, and hear by `until` who does not. Returns whether the room is to be
    /// driven.
    pub(in crate::hub) fn outlive(&self, until: Instant, missed: Vec<Told>) -> bool {
        let mut inner = self.inner.lock();
        inner.fall_back_after(0);
        inner.replica().early = missed;
        if inner.people_here().next().is_some() {
            inner.replica().split =
                Some(Split { truth: None, until: Some(until), is_of_loss: true });
        } else {
            inner.restore(Vec::new());
        }
        inner.replica().unload()
    }

    /// When those here are to see the room as the log has it, if they do not.
    pub(in crate::hub) fn is_split_until(&self) -> Option<Instant> {
        self.inner.lock().replica().split.as_ref().and_then(|split| split.until)
    }

    /// Those here see the room as the log has it, unless that has lost something once more.
    pub(in crate::hub) fn reunite(&self, hub: &Hub) {
        let mut inner = self.inner.lock();
        if let Some(split) = &mut inner.replica().split {
            split.until.take_if(|until| *until <= Instant::now());
        }
        inner.reconcile(hub, &[]);
    }
}

impl Inner {
    /// The room as the log has it.
    pub(super) fn truth(&self) -> &Room {
        let split = self.replica.as_ref().and_then(|replica| replica.split.as_ref());
        split.and_then(|split| split.truth.as_ref()).unwrap_or(&self.room)
    }

    /// Whether those here see another room than the log has.
    pub(super) fn is_split(&self) -> bool {
        self.replica.as_ref().is_some_and(|replica| replica.split.is_some())
    }

    /// The room is loaded, with what came of these motions.
    pub(super) fn take_in(&mut self, hub: &Hub, room: Room, motions: &[&Motion]) {
        if self.replica().split.is_none() {
            return self.become_like(hub, room, motions);
        }
        for member in room.members() {
            self.follow_to_node(hub, member);
        }
        if let Some(split) = &mut self.replica().split {
            split.truth = Some(room);
            if !split.is_of_loss {
                return;
            }
        }
        let clients: Vec<_> = self.people_here().collect();
        self.restore(clients);
    }

    /// Has these of this server sit or wait there as they do here, and nobody else of it but who is about to leave, before
    /// anything else is decided.
    fn restore(&mut self, clients: Vec<ClientId>) {
        let (lost, node) = (Arc::new(self.room.clone()), Incarnation::NONE);
        let restore = Command::Restore { lost, clients, leaving: Vec::new(), node };
        let restore = Motion::new(restore, Cause::Server);
        self.replica().queue.push_front(Pending::owed(restore));
    }

    /// Whether an event is for the log's view only; those here see nevertheless who goes.
    pub(super) fn happened_in_truth(
        &mut self,
        hub: &Hub,
        event: &Event,
        occasion: Occasion<'_>,
    ) -> bool {
        let split = self.replica().split.as_mut();
        let Some(truth) = split.and_then(|split| split.truth.as_mut()) else { return false };
        truth.apply(event);
        if let Change::Moved { member } | Change::Joined(member) = &event.change {
            self.follow_to_node(hub, member);
        }
        self.see_who_goes(hub, event, occasion);
        true
    }

    /// The same of an event that was part of the log's view when that was loaded. Those of this server are put back.
    pub(super) fn see_who_went(&mut self, hub: &Hub, event: &Event, occasion: Occasion<'_>) {
        let gone = event.change.departs().map(|(id, _)| id);
        if !self.people_here().any(|id| Some(id) == gone) {
            self.see_who_goes(hub, event, occasion);
        }
    }

    /// Has those here see who goes by an event that is part of the log's view.
    fn see_who_goes(&mut self, hub: &Hub, event: &Event, occasion: Occasion<'_>) {
        let split = self.replica.as_ref().and_then(|replica| replica.split.as_ref());
        let Some(truth) = split.and_then(|split| split.truth.as_ref()) else { return };
        let is_there = |room: &Room, id| room.member(id).is_some() || room.waiter(id).is_some();
        let Some((id, why)) = event.change.departs() else { return };
        // Who rejoins has another seat by now, or waits anew, which those here see later.
        if why == LeaveReason::Rejoined || is_there(truth, id) {
            return;
        }
        if let Some(gone) = departure(&self.room, id, why) {
            let gone = self.now(hub, gone);
            self.happened(hub, &gone, occasion);
        }
    }

    /// What is said to a member goes to the node that seats it by now.
    fn follow_to_node(&mut self, hub: &Hub, member: &Member) {
        let shown = self.room.member(member.client_id);
        if let Some(shown) = shown.filter(|shown| shown.node != member.node) {
            let member = Arc::new(Member { node: member.node, ..Member::clone(shown) });
            let moved = self.now(hub, Change::Moved { member });
            self.happened(hub, &moved, Occasion::default());
        }
    }

    /// Has those here see who has gone from here, though the log does not have it yet. Who goes by itself has gone.
    pub(super) fn show_departures(&mut self, hub: &Hub) {
        let replica = self.replica();
        let (mut flight, mut queue) = (replica.flight.take(), mem::take(&mut replica.queue));
        let flying = flight.iter_mut().flat_map(|flight| &mut flight.decided);
        for pending in flying.map(|(pending, _)| pending).chain(&mut queue) {
            self.show_if_departure(hub, pending);
            let by_itself = pending.motion.leaves().map(|(client_id, _)| Cause::Client(client_id));
            if pending.is_shown && by_itself.as_ref() == Some(&pending.motion.cause) {
                let at = self.truth().version();
                pending.tell(Ok(Done { changed: true, at, room: None }));
            }
        }
        let replica = self.replica();
        (replica.flight, replica.queue) = (flight, queue);
    }

    pub(super) fn show_if_departure(&mut self, hub: &Hub, pending: &mut Pending) {
        if let Some((client_id, reason)) = pending.motion.leaves() {
            let word = pending.motion.word.as_ref();
            pending.is_shown |= self.show_departure(hub, client_id, reason, word);
        }
    }

    fn show_departure(
        &mut self,
        hub: &Hub,
        client_id: ClientId,
        reason: LeaveReason,
        word: Option<&Word>,
    ) -> bool {
        let Some(gone) = departure(&self.room, client_id, reason) else { return false };
        if self.replica().split.is_none() {
            let truth = Some(self.room.clone());
            self.replica().split = Some(Split { truth, until: None, is_of_loss: false });
        }
        let gone = self.now(hub, gone);
        self.happened(hub, &gone, Occasion { word, ..Occasion::default() });
        true
    }

    /// Those here see the room as the log has it, unless others are to add to that, but for whom they have seen go. What
    /// came of `motions` is new in it.
    pub(super) fn reconcile(&mut self, hub: &Hub, motions: &[&Motion]) {
        let is_time = |split: &mut Split| split.until.is_none() && split.truth.is_some();
        let Some(Split { truth: Some(truth), .. }) = self.replica().split.take_if(is_time) else {
            return;
        };
        let mut seen = truth.clone();
        for (client_id, reason) in self.shown_departures() {
            if let Some(gone) = departure(&seen, client_id, reason) {
                seen.apply(&now_in(&seen, hub, gone));
                self.replica().split =
                    Some(Split { truth: Some(truth.clone()), until: None, is_of_loss: false });
            }
        }
        self.become_like(hub, seen, motions);
        self.hand_on_kept();
    }

    /// Whom those here have seen go, while the log may not have it yet.
    fn shown_departures(&self) -> Vec<(ClientId, LeaveReason)> {
        let Some(replica) = &self.replica else { return Vec::new() };
        let flying = replica.flight.iter().flat_map(|flight| &flight.decided);
        let owed = flying.map(|(pending, _)| pending).chain(&replica.queue);
        owed.filter(|pending| pending.is_shown)
            .filter_map(|pending| pending.motion.leaves())
            .collect()
    }

    pub(super) fn people_here(&self) -> impl Iterator<Item = ClientId> {
        let waiting = self.waiting.iter().filter_map(|knocker| knocker.client());
        self.here().chain(waiting).map(|client| client.id)
    }
}

fn departure(room: &Room, client_id: ClientId, reason: LeaveReason) -> Option<Change> {
    let user_id = |member: &Member| member.identity.user_id.clone();
    if let Some(member) = room.member(client_id) {
        return Some(Change::Left { client_id, user_id: user_id(member), reason });
    }
    let Waiter { member, .. } = room.waiter(client_id)?;
    let reason = WaitingEnd::Gone(reason);
    Some(Change::WaitingEnded { client_id, user_id: user_id(member), reason })
}
