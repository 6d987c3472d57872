//! With a Redis Cluster.

#[allow(clippy::duplicate_mod, reason = "the same tests, with each kind of Redis")]
#[path = "../../tutorial/messages.rs"]
mod messages;

use super::Nodes;

type Servers = Nodes<true>;
