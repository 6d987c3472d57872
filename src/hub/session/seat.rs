//! How a session takes its names and its seat, and gives the seat up.
//!
//! Both are shown to others before they hold: an administrator who ends the connection or makes a ban in that moment
//! finds them, or is found.

use std::{sync::Arc, time::SystemTime};

use super::Session;
use crate::{
    ban::Ban,
    hub::{
        cell::{Arrival, CellClosed, Departed, RoomCell},
        client::Names,
        directory::TooManyRooms,
    },
    id::RoomId,
    protocol::{Code, Rejected, Reply, RequestId, UserIdJson},
    room::{Denied, Identity, LeaveReason},
};

impl Session {
    pub(super) fn register(
        &mut self,
        identity: Identity,
        request_id: Option<&RequestId>,
    ) -> Result<(), Rejected> {
        let own_id = || self.client.id.to_string().parse().expect("a UUID is a short text");
        let user_id = identity.user_id.clone().unwrap_or_else(own_id);
        let identity = Identity { user_id: Some(user_id.clone()), ..identity };
        let names = Names { identity: identity.clone(), user_id: UserIdJson::from(&user_id) };
        let seat = self.seat.clone().filter(|cell| cell.seats(self.client.id));
        if let Some(cell) = &seat {
            self.may_change(cell)?;
        }
        let before = self.names.replace(Arc::new(names));
        // Before bans are asked for: one that comes later finds the names.
        self.client.publish_names(self.names.clone());
        let renamed = self.rename(identity);
        if renamed.is_err() {
            self.client.publish_names(before.clone());
            self.names = before;
        } else {
            self.reply(&Reply::Registered { user_id: &user_id, request_id });
        }
        renamed
    }

    fn rename(&self, identity: Identity) -> Result<(), Rejected> {
        let (hub, now) = (self.hub(), SystemTime::now());
        let address = self.client.address;
        if let Some(ban) = hub.bans.against(None, &identity, address, now) {
            return Err(banned(&ban));
        }
        let Some(cell) = &self.seat else { return Ok(()) };
        match cell.rename(hub, &self.client, identity.clone(), now) {
            Err(Denied::Banned) => Err(self.denied(Denied::Banned, Some(cell.id()), &identity)),
            // Whoever lost its seat a moment ago has nobody to tell.
            _ => Ok(()),
        }
    }

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
            left: again.then(|| Reply::Left { room_id, request_id: None }.encode()),
        };
        if again && let Some(cell) = &self.seat {
            self.may_change(cell)?;
        } else {
            self.ask(room_id, &arrival)?;
            self.leave(LeaveReason::Moved, None);
        }
        let taken = self.sit_down(room_id, &arrival);
        if taken.is_err() && !again {
            self.client.publish_seat(None);
        }
        taken
    }

    fn sit_down(&mut self, room_id: &RoomId, arrival: &Arrival) -> Result<(), Rejected> {
        loop {
            let hub = Arc::clone(self.hub());
            let cell = hub.cell(room_id).map_err(|TooManyRooms| too_many_rooms())?;
            // Before it is asked whether the connection is at its end: whoever ends it finds the seat.
            self.client.publish_seat(Some(&cell));
            match cell.join(&hub, arrival, SystemTime::now()) {
                Ok(Ok(())) => {
                    self.seat = Some(cell);
                    return Ok(());
                }
                Ok(Err(denied)) => {
                    hub.directory.forget_if_closed(&cell);
                    return Err(self.denied(denied, Some(room_id), &arrival.identity));
                }
                // Its last member left meanwhile, and took the room along.
                Err(CellClosed) => hub.directory.forget(&cell),
            }
        }
    }

    /// Whether the room would let this client in now.
    fn ask(&self, room_id: &RoomId, arrival: &Arrival) -> Result<(), Rejected> {
        let (hub, now) = (self.hub(), SystemTime::now());
        let Arrival { identity, .. } = arrival;
        match hub.directory.find(room_id) {
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
    fn denied(&self, denied: Denied, room_id: Option<&RoomId>, identity: &Identity) -> Rejected {
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
        let Departed { had_a_seat, closed } =
            cell.depart(self.hub(), self.client.id, reason, SystemTime::now());
        if closed {
            self.hub().directory.forget(&cell);
        }
        // Not only for those who look: a room and a client who sits in it hold each other.
        self.client.publish_seat(None);
        had_a_seat.then_some(cell)
    }

    pub(super) fn sits_in(&self, room_id: &RoomId) -> bool {
        let seat = self.seat.as_ref().filter(|cell| cell.id() == room_id);
        seat.is_some_and(|cell| cell.seats(self.client.id))
    }
}

fn banned(ban: &Ban) -> Rejected {
    let text = ban.reason.as_deref().map_or_else(|| Denied::Banned.to_string(), str::to_owned);
    Rejected::new(Code::Banned, text)
}

fn too_many_rooms() -> Rejected {
    Rejected::new(Code::Unavailable, "The server takes no more rooms")
}
