//! What administrators say to clients.

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use tonic::Status;

use super::{
    convert::broadcast,
    pb,
    problem::{Faults, Problem},
    service::Service,
};
use crate::{hub::Audience, id::ClientId};

impl Service {
    pub(super) async fn say(
        &self,
        request: &pb::BroadcastRequest,
    ) -> Result<pb::BroadcastResponse, Status> {
        let (audience, content, excluded) = self.read_broadcast(request)?;
        let reached =
            self.hub.broadcast(&audience, &excluded, &content).await.map_err(Problem::from)?;
        Ok(broadcast::reached(&reached))
    }

    pub(super) fn read_broadcast(
        &self,
        request: &pb::BroadcastRequest,
    ) -> Result<(Audience, Box<RawValue>, BTreeSet<ClientId>), Faults> {
        let pb::BroadcastRequest { target, body, exclude, .. } = request;
        let most = self.hub.max_message_bytes();
        let mut faults = Faults::default();
        let audience = faults.merge(broadcast::audience(target.as_ref()));
        let content = faults.merge(broadcast::content(body.as_ref()));
        let excluded = faults.merge(broadcast::excluded(exclude));
        if content.as_ref().is_some_and(|content| content.get().len() > most) {
            faults.add("content", format!("must be at most {most} bytes of JSON"));
        }
        faults.or(|| Some((audience?, content?, excluded?)))
    }
}
