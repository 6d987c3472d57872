//! What administrators say to clients.

use tonic::Status;

use super::{
    convert::broadcast,
    pb,
    problem::{Faults, Problem},
    service::Service,
};

impl Service {
    pub(super) fn say(
        &self,
        request: &pb::BroadcastRequest,
    ) -> Result<pb::BroadcastResponse, Status> {
        let pb::BroadcastRequest { target, body, exclude, .. } = request;
        let most = self.hub.max_message_bytes();
        let (audience, content, excluded) = Faults::gather(|faults| {
            let audience = faults.merge(broadcast::audience(target.as_ref()));
            let content = faults.merge(broadcast::content(body.as_ref()));
            let excluded = faults.merge(broadcast::excluded(exclude));
            if content.as_ref().is_some_and(|content| content.get().len() > most) {
                faults.add("content", format!("must be at most {most} bytes of JSON"));
            }
            Some((audience?, content?, excluded?))
        })?;
        let reached = self.hub.broadcast(&audience, &excluded, &content).map_err(Problem::from)?;
        tracing::info!(reached = reached.clients, "an administrator sent a broadcast");
        Ok(broadcast::reached(&reached))
    }
}
