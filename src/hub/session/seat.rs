//! How a session takes its seat, and gives it up.

use std::{sync::Arc, time::SystemTime};

use super::{Session, banned, not_in_room};
use crate::{
    event::Administrator,
    hub::{
        cell::{Arrival, Departed, NotSeated, RoomCell},
        directory::TooManyRooms,
        rate::milliseconds,
    },
    id::RoomId,
    protocol::{Code, Rejected, Reply, RequestId},
    room::{Denied, Identity, LeaveReason},
};

impl Session {
    /// Check, leave, join: a refusal by the new room leaves the old seat as it was.
    #[expect(clippy::unused_async, reason = "a journal shared by several servers must be awaited")]
    pub(super) async fn take_seat(
        &mut self,
        room_id: &RoomId,
        metadata: Option<Arc<str>>,
        request_id: Option<&RequestId>,
    ) -> Result<(), Rejected> {
        let again = self.sits_in(room_id);
        let arrival = Arrival {
            client: Arc::clone(&self.client),
            identity: self.names.as_ref().map_or_else(Identity::default, |n| n.identity.clone()),
            metadata,
            request_id: request_id.cloned(),
            ice_servers: self.hub().ice_servers_at_seat(self.client.id),
            left: again.then(|| Reply::Left { room_id, request_id: None }.encode()),
        };
        if again && let Some(cell) = &self.seat {
            self.may_change(cell)?;
        } else {
            self.ask(room_id, &arrival)?;
            self.leave(LeaveReason::Moved, None);
        }
        let taken = self.sit_down(room_id, &arrival);
        match taken {
            Ok(()) => self.hub().renew_ice_servers_later(self.client.id),
            Err(_) if !again => self.client.publish_seat(None),
            Err(_) => {}
        }
        taken
    }

    fn sit_down(&mut self, room_id: &RoomId, arrival: &Arrival) -> Result<(), Rejected> {
        loop {
            let hub = Arc::clone(self.hub());
            let cell = hub.cell(room_id).map_err(|TooManyRooms| too_many_rooms())?;
            // Before it is asked whether the connection is at its end: whoever ends it finds the seat.
            self.client.publish_seat(Some(&cell));
            let refusal = match cell.join(&hub, arrival, SystemTime::now()) {
                Ok(()) => {
                    self.seat = Some(cell);
                    return Ok(());
                }
                Err(NotSeated::Denied(denied)) => {
                    self.denied(denied, Some(room_id), &arrival.identity)
                }
                Err(NotSeated::Ending) => not_in_room(),
                Err(NotSeated::CellClosed) => {
                    // Its last member left meanwhile, and took the room along.
                    hub.directory.forget(&cell);
                    continue;
                }
            };
            hub.directory.forget_if_closed(&cell);
            return Err(refusal);
        }
    }

    /// Whether the room would let this client in now.
    fn ask(&self, room_id: &RoomId, arrival: &Arrival) -> Result<(), Rejected> {
        let (hub, now) = (self.hub(), SystemTime::now());
        let Arrival { identity, .. } = arrival;
        match hub.find(room_id) {
            Some(cell) => {
                self.may_change(&cell)?;
                let answer = cell.ask(hub, arrival, now);
                answer.map_err(|denied| self.denied(denied, Some(room_id), identity))
            }
            None if hub.bans.meet(Some(room_id), identity, self.client.address, now) => {
                Err(self.denied(Denied::Banned, Some(room_id), identity))
            }
            None if hub.directory.has_space() => Ok(()),
            None => Err(too_many_rooms()),
        }
    }

    /// Says a room's refusal in words for people: those of the ban, where it is one.
    pub(super) fn denied(
        &self,
        denied: Denied,
        room_id: Option<&RoomId>,
        identity: &Identity,
    ) -> Rejected {
        let (hub, now) = (self.hub(), SystemTime::now());
        let ban = (denied == Denied::Banned)
            .then(|| hub.bans.against(room_id, identity, self.client.address, now));
        match ban.flatten() {
            Some(ban) => banned(&ban),
            None => Rejected::new(denied.into(), denied.to_string()),
        }
    }

    pub(super) fn leave(&mut self, reason: LeaveReason, request_id: Option<&RequestId>) {
        if let Some(cell) = self.depart(reason) {
            self.reply(&Reply::Left { room_id: cell.id(), request_id });
        }
    }

    /// Gives up the seat. Returns the room, unless somebody took the seat already.
    pub(super) fn depart(&mut self, reason: LeaveReason) -> Option<Arc<RoomCell>> {
        let cell = self.seat.take()?;
        let (hub, id) = (self.hub(), self.client.id);
        let by =
            if reason.is_administrators() { hub.enders.of(id) } else { Administrator::default() };
        let Departed { had_a_seat, closed } = cell.depart(hub, id, reason, &by, SystemTime::now());
        if closed {
            self.hub().directory.forget(&cell);
        }
        // Not only for those who look: a room and a client who sits in it hold each other.
        self.client.publish_seat(None);
        had_a_seat.then_some(cell)
    }

    /// Whether a room's members can bear to hear of another change.
    pub(super) fn may_change(&self, cell: &RoomCell) -> Result<(), Rejected> {
        let hub = self.hub();
        cell.announces_more(&hub.rates, hub.heartbeat.now()).map_err(room_is_busy)
    }

    fn sits_in(&self, room_id: &RoomId) -> bool {
        let seat = self.seat.as_ref().filter(|cell| cell.id() == room_id);
        seat.is_some_and(|cell| cell.seats(self.client.id))
    }
}

fn room_is_busy(ticks: u32) -> Rejected {
    let text = "So many come and go in the room that its members would hear of nothing else";
    Rejected::rate_limited(text, milliseconds(ticks))
}

fn too_many_rooms() -> Rejected {
    Rejected::new(Code::Unavailable, "The server takes no more rooms")
}
