//! The tutorial's messages, each client on a node of its own choice.

mod cluster;
mod standalone;

use super::{fleet::Fleet, redis::Kind, support::Client};

/// Three, of which each client takes a random one.
struct Nodes<const CLUSTER: bool>(Fleet);

impl<const CLUSTER: bool> Nodes<CLUSTER> {
    async fn start() -> Self {
        Self::with("").await
    }

    async fn with(flags: &str) -> Self {
        let kind = if CLUSTER { Kind::Cluster } else { Kind::Standalone };
        Self(Fleet::with(kind, flags).await)
    }

    async fn client(&self) -> Client {
        self.0.client(fastrand::usize(..3)).await
    }

    async fn member(&self, room: &str) -> Client {
        self.0.member(fastrand::usize(..3), room).await
    }
}
