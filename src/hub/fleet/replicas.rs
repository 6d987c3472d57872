//! What administrators change is not confirmed before replicas of Redis have it, where `--redis-wait-replicas` says so.

use crate::{event::Position, hub::Hub};

impl Hub {
    /// Waits until they have the log up to there. False: too few had it in time. A server that stands alone has none.
    pub(in crate::hub) async fn is_replicated(&self, up_to: Position) -> bool {
        let Some(fleet) = &self.fleet else { return true };
        // In a box: most servers stand alone.
        let replicated = Box::pin(fleet.store.is_replicated(up_to)).await;
        replicated.unwrap_or_else(|error| {
            tracing::debug!(%error, "no replica was heard of");
            false
        })
    }
}
