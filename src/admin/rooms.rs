//! The calls about rooms.

use tonic::Status;

use super::{
    convert::{self, room},
    pb,
    problem::{Faults, Problem, Reason},
    service::Service,
};
use crate::{
    event::Administrator,
    hub::{Asker, Busy, NotChanged, NotFound, NotMade},
    id::RoomId,
    password::Password,
    room::{PasswordHash, Settings, Update},
};

impl Service {
    pub(super) async fn room(&self, request: &pb::GetRoomRequest) -> Result<pb::Room, Status> {
        let room_id = convert::room_id(&request.room_id)?;
        let missing = |error| Problem::from(error).with("room_id", &room_id);
        let room = self.hub.room(&room_id).await.map_err(missing)?;
        let summary = room.summary().ok_or(NotFound::Room).map_err(missing)?;
        let members = room.members().map(|member| room::member(member)).collect();
        let waiting = room.waiting().map(room::waiting).collect();
        Ok(pb::Room { members, waiting, ..room::room(&summary, self.etags()) })
    }

    pub(super) async fn make_room(
        &self,
        by: &Administrator,
        request: &pb::CreateRoomRequest,
    ) -> Result<pb::Room, Status> {
        let (room_id, settings, password) = self.read_new_room(request)?;
        let password = self.hashed(password).await?;
        let settings = Settings { password, ..settings };
        let made = self.hub.create_room(by, &room_id, settings).await;
        let room = made.map_err(|error| Problem::from(error).with("room_id", &room_id))?;
        Ok(room::room(&room, self.etags()))
    }

    pub(super) fn read_new_room(
        &self,
        request: &pb::CreateRoomRequest,
    ) -> Result<(RoomId, Settings, Option<Password>), Faults> {
        let limits = self.hub.limits();
        room::new_room(request, limits.members, limits.most_members)
    }

    pub(super) async fn change_room(
        &self,
        by: &Administrator,
        request: &pb::UpdateRoomRequest,
    ) -> Result<pb::Room, Status> {
        let (room_id, update, password) = room::update(request, self.hub.limits().most_members)?;
        let password = match password {
            Some(password) => Some(self.hashed(password).await?),
            None => None,
        };
        let update = Update { password, ..update };
        let etag = request.room.as_ref().map_or("", |room| &room.etag);
        let updated = self.hub.update_room(by, &room_id, update, self.etags().meant(etag)).await;
        let room = updated.map_err(|error| not_changed(error, &room_id))?;
        Ok(room::room(&room, self.etags()))
    }

    /// What a room keeps of its password, if it shall have one.
    async fn hashed(&self, password: Option<Password>) -> Result<Option<PasswordHash>, Problem> {
        let Some(password) = password else { return Ok(None) };
        let hashed = self.hub.hash_password(Asker::Administrator, &password).await;
        let busy = |busy: Busy| {
            let text = "too many passwords wait to be hashed";
            Problem::new(Reason::TooManyPasswords, text).retry_after(busy.retry_after)
        };
        hashed.map(Some).map_err(busy)
    }

    pub(super) async fn set_lock(
        &self,
        by: &Administrator,
        request: &pb::LockRoomRequest,
    ) -> Result<pb::Room, Status> {
        let pb::LockRoomRequest { room_id, locked, etag } = request;
        let room_id = convert::room_id(room_id)?;
        let settled = self.hub.lock_room(by, &room_id, *locked, self.etags().meant(etag)).await;
        let room = settled.map_err(|error| not_changed(error, &room_id))?;
        Ok(room::room(&room, self.etags()))
    }

    pub(super) async fn end_room(
        &self,
        by: &Administrator,
        request: &pb::DeleteRoomRequest,
    ) -> Result<(), Status> {
        let pb::DeleteRoomRequest { room_id, etag, reason } = request;
        let (room_id, reason) = Faults::gather(|faults| {
            let room_id = faults.merge(convert::room_id(room_id));
            let reason = faults.merge(convert::reason("reason", reason));
            Some((room_id?, reason?))
        })?;
        let deleted = self.hub.delete_room(by, &room_id, reason, self.etags().meant(etag)).await;
        deleted.map_err(|error| not_changed(error, &room_id))?;
        Ok(())
    }
}

fn not_changed(error: NotChanged, room_id: &RoomId) -> Problem {
    let reason = match error {
        NotChanged::NotFound => Reason::RoomNotFound,
        NotChanged::Changed => Reason::EtagMismatch,
        NotChanged::Unavailable | NotChanged::Unsettled | NotChanged::NotReplicated => {
            Reason::FleetUnavailable
        }
    };
    Problem::new(reason, error.to_string()).with("room_id", room_id)
}

impl From<NotMade> for Problem {
    fn from(error: NotMade) -> Self {
        let reason = match error {
            NotMade::Exists => Reason::RoomExists,
            NotMade::TooMany => Reason::TooManyRooms,
            NotMade::Unavailable | NotMade::Unsettled => Reason::FleetUnavailable,
        };
        Self::new(reason, error.to_string())
    }
}
