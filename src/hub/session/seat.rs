//! How a session takes its seat, and gives it up.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use super::{Session, banned, unavailable};
use crate::{
    hub::{
        cell::{Arrival, Motion, Refused, RoomCell},
        fleet::NotHeld,
        rate::milliseconds,
    },
    id::RoomId,
    protocol::{Code, JoinRequest, Rejected, Reply, RequestId, ReturnToken},
    room::{Denied, Identity, LeaveReason, Proof},
};

/// How often a password is looked at for one join.
const LOOKS: usize = 3;

impl Session {
    /// Takes a seat, or begins to wait for one. A password is looked at between two questions to the room, which may
    /// have another one by then.
    pub(super) async fn take_seat<E>(
        &mut self,
        request: &JoinRequest,
        request_id: Option<&RequestId>,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), Rejected>, E> {
        let mut proof = if request.password.is_some() { Proof::Unchecked } else { Proof::None };
        let mut looks = 0..LOOKS;
        loop {
            let tried = self.try_seat(request, request_id, proof, meanwhile).await?;
            let password = match (tried, &request.password) {
                (Err(NotTaken::Unchecked), Some(password)) if looks.next().is_some() => password,
                (tried, _) => return Ok(tried.map_err(Rejected::from)),
            };
            let hub = Arc::clone(self.hub());
            let cell = self.wait_for(hub.find(&request.room_id), meanwhile).await?;
            let Ok(cell) = cell else { return Ok(Err(unavailable())) };
            let looked_at = match cell.and_then(|cell| cell.password()) {
                Some(kept) => Box::pin(self.verify(password, kept, meanwhile)).await?,
                None => Box::pin(self.hash(password, meanwhile)).await?.map(Proof::New),
            };
            proof = match looked_at {
                Ok(proof) => proof,
                Err(rejected) => return Ok(Err(rejected)),
            };
        }
    }

    /// Check, leave, join: a refusal by the new room leaves the old seat as it was.
    async fn try_seat<E>(
        &mut self,
        request: &JoinRequest,
        request_id: Option<&RequestId>,
        proof: Proof,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), NotTaken>, E> {
        let JoinRequest { room_id, metadata, returning, .. } = request;
        let again = self.seat.clone().filter(|cell| cell.id() == room_id);
        let again = again.filter(|cell| cell.knows(self.client.id));
        let (granted, vouched) = self.standing();
        let arrival = Arc::new(Arrival {
            client: Arc::clone(&self.client),
            identity: self.names.as_ref().map_or_else(Identity::default, |n| n.identity.clone()),
            metadata: metadata.clone(),
            vouched,
            granted,
            returning: returning.clone(),
            return_token: ReturnToken::random(),
            request_id: request_id.cloned(),
            ice_servers: self.hub().ice_servers_at_seat(self.client.id),
            left: again.is_some().then(|| Reply::Left { room_id, request_id: None }.encode()),
        });
        let allowed = match &again {
            Some(cell) => self.may_change(cell).map_err(NotTaken::from),
            None => self.ask(room_id, &arrival, proof.clone(), meanwhile).await?,
        };
        if allowed.is_err() {
            return Ok(allowed);
        }
        if again.is_none() {
            self.leave(LeaveReason::Moved, None, meanwhile).await?;
        }
        let taken = self.sit_down(room_id, &arrival, &proof, meanwhile).await?;
        if taken.is_err() && again.is_none() {
            self.seat = None;
            self.client.publish_seat(None);
        }
        Ok(taken)
    }

    async fn sit_down<E>(
        &mut self,
        room_id: &RoomId,
        arrival: &Arc<Arrival>,
        proof: &Proof,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), NotTaken>, E> {
        loop {
            let hub = Arc::clone(self.hub());
            let cell = match self.wait_for(hub.cell(room_id), meanwhile).await? {
                Ok(cell) => cell,
                Err(not_held) => return Ok(Err(Rejected::from(not_held).into())),
            };
            // Before it is asked whether the connection is at its end: whoever ends it finds the seat.
            self.client.publish_seat(Some(&cell));
            // Already now: should the connection end meanwhile, the seat is given up that it is about to take.
            self.seat = Some(Arc::clone(&cell));
            let join = Motion::join(arrival, proof.clone());
            let Err(refused) = self.put(&cell, join, meanwhile).await? else {
                return Ok(Ok(()));
            };
            hub.directory.forget_if_closed(&cell);
            match refused {
                // Its last member left meanwhile, and took the room along.
                Refused::CellClosed => {}
                Refused::Denied(denied) => return Ok(Err(self.denied(denied, &cell, arrival))),
                // What it may get by that is given back.
                Refused::Unsettled => return Ok(Err(unavailable().into())),
                Refused::Ending | Refused::Banned(_) | Refused::Unavailable => {
                    return Ok(Err(Rejected::from(refused).into()));
                }
            }
        }
    }

    /// Whether the room would let this client in now.
    async fn ask<E>(
        &mut self,
        room_id: &RoomId,
        arrival: &Arrival,
        proof: Proof,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), NotTaken>, E> {
        let (is_shared, moves) = (self.hub().is_shared(), self.seat.is_some());
        if !(is_shared && moves) {
            let asked = self.ask_here(room_id, arrival, proof.clone(), meanwhile).await?;
            if asked.is_ok() || !is_shared {
                return Ok(asked);
            }
        }
        // What is known here may be old: nobody is refused by that, or gives up a seat for it.
        if let Err(rejected) = self.catch_up(meanwhile).await? {
            return Ok(Err(rejected.into()));
        }
        self.ask_here(room_id, arrival, proof, meanwhile).await
    }

    async fn ask_here<E>(
        &mut self,
        room_id: &RoomId,
        arrival: &Arrival,
        proof: Proof,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), NotTaken>, E> {
        let hub = Arc::clone(self.hub());
        Ok(match self.wait_for(hub.find(room_id), meanwhile).await? {
            Ok(Some(cell)) => self.ask_in(&cell, arrival, proof),
            Ok(None) => self.ask_for_a_room(room_id, arrival, &proof),
            Err(not_held) => Err(Rejected::from(not_held).into()),
        })
    }

    fn ask_in(&self, cell: &RoomCell, arrival: &Arrival, proof: Proof) -> Result<(), NotTaken> {
        self.may_change(cell)?;
        let answer = cell.ask(self.hub(), arrival, proof, self.hub().now());
        answer.map_err(|denied| self.denied(denied, cell, arrival))
    }

    /// The same of a room that does not exist.
    fn ask_for_a_room(
        &self,
        room_id: &RoomId,
        arrival: &Arrival,
        proof: &Proof,
    ) -> Result<(), NotTaken> {
        let (hub, address) = (self.hub(), self.client.address);
        if let Some(ban) = hub.bans.against(Some(room_id), arrival.who(), address, hub.now()) {
            return Err(banned(&ban).into());
        }
        match proof {
            _ if !hub.directory.has_space() => Err(too_many_rooms().into()),
            Proof::None | Proof::New(_) => Ok(()),
            Proof::Unchecked | Proof::Right(_) => Err(NotTaken::Unchecked),
        }
    }

    /// Says a room's refusal in words for people: those of the ban, where it is one.
    fn denied(&self, denied: Denied, cell: &RoomCell, arrival: &Arrival) -> NotTaken {
        let (hub, now) = (self.hub(), self.hub().now());
        if denied == Denied::PasswordUnchecked {
            return NotTaken::Unchecked;
        }
        let refusal = Rejected::from(denied);
        if denied == Denied::Held {
            let retry_after_ms = u64::try_from(cell.held_for(now).as_millis()).ok();
            return Rejected { retry_after_ms, ..refusal }.into();
        }
        let ban = (denied == Denied::Banned)
            .then(|| hub.bans.against(Some(cell.id()), arrival.who(), self.client.address, now));
        ban.flatten().map_or(refusal, |ban| banned(&ban)).into()
    }

    /// Gives up the seat, and says so unless somebody took it already.
    pub(super) async fn leave<E>(
        &mut self,
        reason: LeaveReason,
        request_id: Option<&RequestId>,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<(), E> {
        let Some((cell, leave)) = self.departure(reason) else { return Ok(()) };
        let believes_so = cell.has(self.client.id);
        let left = self.put(&cell, leave, meanwhile).await?;
        self.gave_up(&cell);
        if believes_so && left.is_ok_and(|done| done.changed) {
            self.reply(&Reply::Left { room_id: cell.id(), request_id });
        }
        Ok(())
    }

    /// Gives up the seat, whatever comes of it.
    pub(super) fn forsake(&mut self, reason: LeaveReason) {
        let Some((cell, leave)) = self.departure(reason) else { return };
        cell.owe(self.hub(), leave);
        self.gave_up(&cell);
    }

    fn departure(&mut self, reason: LeaveReason) -> Option<(Arc<RoomCell>, Motion)> {
        let cell = self.seat.take()?;
        if reason.is_others() {
            // Whoever ended the connection frees the seat, in its own name, and finds it by what is published.
            return None;
        }
        let id = self.client.id;
        Some((cell, Motion::leave(id, reason, reason.cause(id))))
    }

    fn gave_up(&self, cell: &Arc<RoomCell>) {
        self.hub().directory.forget_if_closed(cell);
        // Not only for those who look: a room and a client who sits in it hold each other.
        self.client.publish_seat(None);
    }

    /// Whether a room's members can bear to hear of another change.
    pub(super) fn may_change(&self, cell: &RoomCell) -> Result<(), Rejected> {
        let hub = self.hub();
        cell.announces_more(&hub.rates, hub.heartbeat.now()).map_err(room_is_busy)
    }
}

/// Why no seat was taken.
enum NotTaken {
    /// The password has to be looked at, or looked at again.
    Unchecked,
    Rejected(Rejected),
}

impl From<Rejected> for NotTaken {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl From<NotTaken> for Rejected {
    fn from(not_taken: NotTaken) -> Self {
        match not_taken {
            NotTaken::Unchecked => Denied::PasswordUnchecked.into(),
            NotTaken::Rejected(rejected) => rejected,
        }
    }
}

impl From<NotHeld> for Rejected {
    fn from(not_held: NotHeld) -> Self {
        match not_held {
            NotHeld::TooMany => too_many_rooms(),
            NotHeld::Unavailable => unavailable(),
        }
    }
}

fn room_is_busy(ticks: u32) -> Rejected {
    let text = "So many come and go in the room that its members would hear of nothing else";
    Rejected::rate_limited(text, milliseconds(ticks))
}

fn too_many_rooms() -> Rejected {
    Rejected::new(Code::Unavailable, "The server takes no more rooms")
}
