//! A room that other servers of a fleet hold too. What is put before it waits here, is decided in batches, and changes
//! the room only when the log brings it: to every server in the same order.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::{Notify, oneshot, watch};

use super::{
    Inner, RoomCell,
    commit::Occasion,
    motion::{Done, Motion, Refused, Word, publish_names},
    say::Kept,
    split::Split,
};
use crate::{
    config::limits,
    event::Position,
    hub::Hub,
    room::{Change, Event, Room, WaitingEnd},
    store::BatchId,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Replica {
    /// Whether the room is as it was at some moment; until then it is not looked at.
    loaded: watch::Sender<bool>,
    /// Up to where the log is known: what happened until then is part of it.
    known_to: Position,
    /// What the log told of it before it was loaded, in this life or the one before.
    pub(super) early: Vec<Told>,
    pub(super) queue: VecDeque<Pending>,
    pub(super) flight: Option<Flight>,
    /// Whether somebody loads it, and appends what waits.
    pub(super) driven: bool,
    /// Whoever needs it for a while.
    holds: usize,
    /// Where those here see another room than the log has.
    pub(super) split: Option<Split>,
    /// What came for members here before the log had brought who says it.
    pub(super) kept: Kept,
    /// Tells whoever drives it that the log brought something.
    moved: Arc<Notify>,
}

/// A motion that waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) motion: Motion,
    /// How often another server was faster.
    conflicts: u32,
    /// Whether those here have seen it happen already.
    pub(super) is_shown: bool,
    pub(super) answer: Option<oneshot::Sender<Result<Done, Refused>>>,
}

/// A batch on its way into the log.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) id: BatchId,
    /// Each with what was decided: whether it changes anything.
    pub(super) decided: Vec<(Pending, Result<bool, Refused>)>,
    /// How many of its entries the log has not brought yet.
    pub(super) missing: usize,
    /// Where its last entry stands, once that is known.
    pub(super) ends_at: Option<Position>,
}

/// An entry of the log about a room.
#[derive(Debug)]
pub(in crate::hub) struct Told {
    pub(in crate::hub) event: Event,
    pub(in crate::hub) batch: BatchId,
    /// Which motion of the batch it comes of.
    pub(in crate::hub) order: u32,
    pub(in crate::hub) word: Option<Word>,
}

impl Replica {
    pub(super) fn new() -> Self {
        Self {
            loaded: watch::Sender::new(false),
            known_to: Position::ZERO,
            early: Vec::new(),
            queue: VecDeque::new(),
            flight: None,
            driven: false,
            holds: 0,
            split: None,
            kept: Kept::default(),
            moved: Arc::default(),
        }
    }

    pub(super) fn is_loaded(&self) -> bool {
        *self.loaded.borrow()
    }

    /// Up to where those here see what the log has, where their view is of this version.
    pub(super) fn shows(&self, version: Position) -> Position {
        if self.split.is_some() { version } else { version.max(self.known_to) }
    }

    fn is_idle(&self) -> bool {
        self.holds == 0 && !self.driven && self.queue.is_empty() && self.flight.is_none()
    }
}

impl RoomCell {
    /// Has a motion wait until it is decided. Returns what brings the answer, and whether the room is to be driven now.
    ///
    /// # Errors
    /// [`Refused::Unavailable`], if too many wait already. A departure always may.
    pub(in crate::hub) fn enqueue(
        &self,
        motion: Motion,
    ) -> Result<(oneshot::Receiver<Result<Done, Refused>>, bool), Refused> {
        let mut inner = self.inner.lock();
        let replica = inner.replica();
        if replica.queue.len() >= limits::MOTIONS && !motion.is_owed() {
            return Err(Refused::Unavailable);
        }
        let (answer, answered) = oneshot::channel();
        replica.queue.push_back(Pending {
            motion,
            conflicts: 0,
            is_shown: false,
            answer: Some(answer),
        });
        Ok((answered, !std::mem::replace(&mut replica.driven, true)))
    }

    /// Keeps the room here until [`Self::release`]. Returns whether it is to be driven, to be loaded.
    pub(in crate::hub) fn hold(&self) -> bool {
        let mut inner = self.inner.lock();
        let replica = inner.replica();
        replica.holds += 1;
        !replica.is_loaded() && !std::mem::replace(&mut replica.driven, true)
    }

    pub(in crate::hub) fn release(&self) {
        self.inner.lock().replica().holds -= 1;
    }

    /// Whether nobody here has anything to do with the room.
    pub(in crate::hub) fn is_idle(&self) -> bool {
        let inner = self.inner.lock();
        let nobody =
            inner.here().next().is_none() && inner.waiting.iter().all(|k| k.arrival.is_none());
        nobody && inner.replica.as_ref().is_some_and(|replica| replica.is_idle())
    }

    /// Tells when the room is loaded.
    pub(in crate::hub) fn loading(&self) -> watch::Receiver<bool> {
        self.inner.lock().replica().loaded.subscribe()
    }

    pub(in crate::hub) fn is_loaded(&self) -> bool {
        self.inner.lock().replica().is_loaded()
    }

    /// Tells whoever drives the room that something in it moved.
    pub(in crate::hub) fn moved(&self) -> Arc<Notify> {
        Arc::clone(&self.inner.lock().replica().moved)
    }

    /// The room is as it was when the log was at `head`.
    pub(in crate::hub) fn load(&self, hub: &Hub, room: Room, head: Position) {
        let mut inner = self.inner.lock();
        let replica = inner.replica();
        replica.known_to = head;
        replica.loaded.send_replace(true);
        let early = std::mem::take(&mut replica.early);
        let known = early.iter().filter(|told| told.event.position <= head);
        let landed = replica.flight.take_if(|flight| {
            flight.ends_at.is_some_and(|at| at <= head)
                || known.clone().any(|told| told.batch == flight.id)
        });
        inner.take_in(hub, room, &landed.as_ref().map(Flight::motions).unwrap_or_default());
        if let Some(landed) = landed {
            inner.land(hub, landed, false);
        }
        for told in early {
            inner.told(hub, told);
        }
        inner.hand_on_kept();
        inner.replica().moved.notify_one();
    }

    /// From now on the room is not what it may have been: it is to be loaded. Returns whether it is to be driven.
    pub(in crate::hub) fn unload(&self) -> bool {
        let mut inner = self.inner.lock();
        inner.replica().unload()
    }

    /// The log tells of a change. Returns whether the room has to be driven, as something is missing.
    pub(in crate::hub) fn told(&self, hub: &Hub, told: Told) -> bool {
        self.inner.lock().told(hub, told)
    }

    /// Whether a batch of this room is on its way into the log.
    pub(in crate::hub) fn is_in_flight(&self) -> bool {
        self.inner.lock().replica().flight.is_some()
    }

    /// The batch on its way is in the log, up to there.
    pub(in crate::hub) fn appended(&self, ends_at: Position) {
        if let Some(flight) = &mut self.inner.lock().replica().flight {
            flight.ends_at = Some(ends_at);
        }
    }

    /// The version on which it was decided still held: what was refused is refused.
    pub(in crate::hub) fn confirmed(&self, hub: &Hub) {
        self.inner.lock().settle(hub);
    }

    /// The batch is not in the log: it is decided anew.
    pub(in crate::hub) fn fell_through(&self) {
        self.inner.lock().fall_back_after(0);
    }

    /// Another server was faster: it is decided anew, but for what others were faster than for so often.
    pub(in crate::hub) fn lost_race(&self, most: u32) {
        let mut inner = self.inner.lock();
        inner.fall_back_after(1);
        inner.replica().refuse_if(|pending| pending.conflicts >= most);
    }
}

impl Replica {
    /// Returns whether somebody has to load it.
    pub(super) fn unload(&mut self) -> bool {
        self.loaded.send_replace(false);
        self.moved.notify_one();
        !std::mem::replace(&mut self.driven, true)
    }
}

impl Flight {
    /// What changed the room. Who was told that nobody knows whether it has a seat is not told now that it has one.
    fn motions(&self) -> Vec<&Motion> {
        let decided = self.decided.iter();
        let changed = decided.filter(|(_, outcome)| matches!(outcome, Ok(true)));
        let arrives = |pending: &Pending| pending.motion.arrives().is_some();
        let told = changed.filter(|(pending, _)| !pending.is_given_up() || !arrives(pending));
        told.map(|(pending, _)| &pending.motion).collect()
    }
}

impl Pending {
    /// Of nobody who waits for it.
    pub(super) fn owed(motion: Motion) -> Self {
        Self { motion, conflicts: 0, is_shown: false, answer: None }
    }
}

impl Inner {
    pub(super) fn fall_back_after(&mut self, conflicts: u32) {
        let replica = self.replica();
        let Some(Flight { decided, .. }) = replica.flight.take() else { return };
        for (pending, _) in decided.into_iter().rev().filter(|(pending, _)| !pending.is_given_up())
        {
            let conflicts = pending.conflicts + conflicts;
            replica.queue.push_front(Pending { conflicts, ..pending });
        }
        replica.moved.notify_one();
    }

    pub(super) fn replica(&mut self) -> &mut Replica {
        self.replica.as_mut().expect("a fleet's rooms are replicas")
    }

    fn told(&mut self, hub: &Hub, told: Told) -> bool {
        let version = self.truth().version();
        let replica = self.replica();
        if !replica.is_loaded() {
            replica.early.push(told);
            return false;
        }
        // A room that had ended when it was loaded has no version.
        if told.event.position <= version.max(replica.known_to) {
            let occasion = Occasion { word: told.word.as_ref(), ..Occasion::default() };
            self.see_who_went(hub, &told.event, occasion);
            return false;
        }
        if told.event.prev != version {
            tracing::warn!(room = ?self.room.id(), "the log has a gap; loading the room anew");
            let replica = self.replica();
            replica.early.push(told);
            return replica.unload();
        }
        self.apply_told(hub, &told);
        false
    }

    fn apply_told(&mut self, hub: &Hub, told: &Told) {
        let Told { event, batch, order, word } = told;
        let mut flight = self.replica().flight.take();
        let own = flight.as_mut().filter(|flight| flight.id == *batch);
        let place = usize::try_from(*order).unwrap_or(usize::MAX);
        let pending = own.as_ref().and_then(|own| own.decided.get(place)).map(|(own, _)| own);
        let motion = pending.map(|pending| &pending.motion);
        let seats = pending.filter(|pending| !pending.is_given_up());
        let occasion = Occasion {
            arrival: seats.and_then(|pending| pending.motion.arrival.as_ref()),
            client: motion.and_then(|motion| motion.client.as_ref()),
            word: word.as_ref(),
        };
        if !self.happened_in_truth(hub, event, occasion) {
            self.happened(hub, event, occasion);
        }
        if let (true, Change::Closed) = (own.is_some(), &event.change) {
            hub.end_bans_of_soon(self.room.id(), &event.cause);
        }
        self.replica().known_to = event.position;
        self.hand_on_kept();
        let is_whole = own.is_some_and(|own| {
            own.missing = own.missing.saturating_sub(1);
            own.missing == 0
        });
        self.replica().flight = flight;
        if is_whole {
            self.settle(hub);
        }
        // Whoever was admitted still stands among those who wait, until its join follows.
        let admitted = matches!(event.change, Change::WaitingEnded { reason, .. } if reason == WaitingEnd::Admitted);
        debug_assert!(admitted || self.is_in_step(), "clients stand as their members do");
        self.replica().moved.notify_one();
    }

    /// The batch on its way is in the log, or need not be.
    fn settle(&mut self, hub: &Hub) {
        if let Some(flight) = self.replica().flight.take() {
            let is_told = self.replica().split.is_none();
            self.land(hub, flight, is_told);
        }
    }

    /// Answers whoever waits for this batch, of which those here may have been told as the log did.
    fn land(&mut self, hub: &Hub, mut flight: Flight, is_told: bool) {
        if self.replica().split.is_some() {
            // A log that lost something may not have had whom those here see go.
            flight.decided.iter_mut().for_each(|(pending, _)| self.show_if_departure(hub, pending));
        }
        self.reconcile(hub, &flight.motions());
        let at = self.replica().known_to;
        for (pending, outcome) in flight.decided {
            if pending.is_given_up() {
                self.give_back(pending.motion.arrives().filter(|_| outcome.is_ok()));
                continue;
            }
            // Whoever came and had to go in one moment has heard of neither.
            let has_gone = |id| self.room.member(id).is_none() && self.room.waiter(id).is_none();
            if !is_told && outcome.is_ok() && pending.motion.arrives().is_some_and(has_gone) {
                pending.answer(Err(Refused::Unavailable));
                continue;
            }
            let answer = outcome.map(|changed| {
                // Not before the log has them.
                let Motion { client, names, .. } = &pending.motion;
                publish_names(client.as_ref(), names.clone());
                let room = pending.motion.is_shown().then(|| self.room.summary());
                let changed = changed || pending.is_shown;
                Done { changed, at, room: room.flatten().map(Box::new) }
            });
            pending.answer(answer);
        }
        self.replica().moved.notify_one();
    }
}
