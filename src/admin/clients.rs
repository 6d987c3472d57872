//! The calls about connected clients.

use tonic::Status;

use super::{
    convert::{self, ban, client, named},
    pb,
    problem::{Faults, Problem, Reason},
    service::Service,
};
use crate::{event::Administrator, hub::NotRemoved, id::ClientId};

impl Service {
    pub(super) async fn client(
        &self,
        request: &pb::GetClientRequest,
    ) -> Result<pb::Client, Problem> {
        self.shown(named("client_id", &request.client_id)?).await
    }

    pub(super) async fn shown(&self, id: ClientId) -> Result<pb::Client, Problem> {
        let missing = |error| Problem::from(error).with("client_id", id);
        let report = self.hub.client_anywhere(id).await.map_err(missing)?;
        Ok(client::client(&report))
    }

    pub(super) async fn end_client(
        &self,
        by: &Administrator,
        request: &pb::DisconnectClientRequest,
    ) -> Result<pb::DisconnectClientResponse, Status> {
        let (id, reason, keep_out) = client::ending(request, self.hub.now())?;
        let ended = self.hub.disconnect_client(by, id, reason, keep_out).await;
        let bans = ended.map_err(|error| Problem::from(error).with("client_id", id))?;
        let bans = bans.iter().map(|made| ban::ban(made)).collect();
        Ok(pb::DisconnectClientResponse { bans })
    }

    pub(super) async fn unseat_client(
        &self,
        by: &Administrator,
        request: &pb::RemoveClientRequest,
    ) -> Result<pb::Client, Problem> {
        let (id, room_id, reason) = Faults::gather(|faults| {
            let id = faults.merge(named("client_id", &request.client_id));
            let room_id = faults.merge(convert::any_room_id(&request.room_id));
            let reason = faults.merge(convert::reason("reason", &request.reason));
            Some((id?, room_id?, reason?))
        })?;
        let removed = self.hub.remove_client(by, id, room_id.as_ref(), reason).await;
        removed.map_err(|error| Problem::from(error).with("client_id", id))?;
        self.shown(id).await
    }
}

impl From<NotRemoved> for Problem {
    fn from(error: NotRemoved) -> Self {
        let reason = match error {
            NotRemoved::NotFound(missing) => return missing.into(),
            NotRemoved::Ban(denied) => return denied.into(),
            NotRemoved::NotInRoom => Reason::NotInRoom,
            NotRemoved::NoUserId => Reason::NoUserId,
        };
        Self::new(reason, error.to_string())
    }
}
