//! Nobody waits for as long as the log cannot be reached: neither who has something before the room, nor who cannot be
//! told whether it is in the log already.

use super::{
    Inner, RoomCell,
    motion::{Done, Motion, Refused},
    replica::{Pending, Replica},
};
use crate::{
    event::Cause,
    hub::Hub,
    id::ClientId,
    room::{Command, LeaveReason},
};

impl RoomCell {
    /// The log cannot be reached: whoever may be refused need not wait, and those here see who has gone.
    pub(in crate::hub) fn refuse(&self, hub: &Hub) {
        let mut inner = self.inner.lock();
        inner.replica().refuse();
        inner.show_departures(hub);
    }

    /// Nobody can tell for now what becomes of the batch on its way: whoever waits for it hears so, and may ask again.
    /// Who asked for a seat does not get it by that. Who asked anew, and has one, keeps it meanwhile, and waits, as who
    /// asks for other names does: those in the room and those of its session are the same.
    pub(in crate::hub) fn give_up(&self) {
        let mut inner = self.inner.lock();
        let Some(flight) = &mut inner.replica().flight else { return };
        for (pending, _) in &mut flight.decided {
            let Motion { names, .. } = &pending.motion;
            if !pending.motion.is_owed() && !pending.motion.arrives_anew() && names.is_none() {
                pending.tell(Err(Refused::Unsettled));
            }
        }
    }
}

impl Replica {
    pub(super) fn refuse(&mut self) {
        self.refuse_if(|_| true);
    }

    /// A departure is never refused.
    pub(super) fn refuse_if(&mut self, is_meant: impl Fn(&Pending) -> bool) {
        for pending in std::mem::take(&mut self.queue) {
            if pending.motion.is_owed() || !is_meant(&pending) {
                self.queue.push_back(pending);
            } else {
                pending.answer(Err(Refused::Unavailable));
            }
        }
    }
}

impl Pending {
    pub(super) fn answer(mut self, answer: Result<Done, Refused>) {
        self.tell(answer);
    }

    /// Answers whoever waits, whatever becomes of it.
    pub(super) fn tell(&mut self, answer: Result<Done, Refused>) {
        if let Some(waits) = self.answer.take() {
            // Whoever asked may be gone.
            let _ = waits.send(answer);
        }
    }

    /// Whether whoever wanted it was told that nobody knows what becomes of it.
    pub(super) fn is_given_up(&self) -> bool {
        self.answer.is_none() && !self.motion.is_owed()
    }
}

impl Inner {
    /// Frees the seats that the log gave to those who were told that they have none.
    pub(super) fn give_back(&mut self, seats: impl IntoIterator<Item = ClientId>) {
        for client_id in seats {
            let leave = Command::Leave { client_id, reason: LeaveReason::Left };
            let leave = Motion::new(leave, Cause::Client(client_id));
            // Before it asks for another one.
            self.replica().queue.push_front(Pending::owed(leave));
        }
    }
}
