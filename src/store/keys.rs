//! What is kept under which name.

use super::Subject;
use crate::id::Incarnation;

/// The names of one fleet's keys. Redis Cluster keeps those with the same text between braces at one server, where one
/// script can write them all.
#[derive(Debug)]
pub(super) struct Keys {
    /// A hash: format, epoch, and the log's head.
    pub(super) meta: String,
    /// The stream of all entries.
    pub(super) log: String,
    /// A sorted set of the names of all rooms, all with the score 0.
    pub(super) names: String,
    /// A sorted set of the names of rooms in which something has its time, by that time in milliseconds since 1970.
    pub(super) due: String,
    /// A hash: what each server says of itself.
    pub(super) nodes: String,
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        let of = |name: &str| format!("{{{prefix}}}:{name}");
        Self {
            meta: of("meta"),
            log: of("log"),
            names: of("names"),
            due: of("due"),
            nodes: of("nodes"),
            prefix: prefix.to_owned(),
        }
    }

    /// A hash: its version, when it was settled, and fields of the callers.
    pub(super) fn state(&self, subject: Subject<'_>) -> String {
        match subject {
            Subject::Room(id) => format!("{{{}}}:room:{id}", self.prefix),
            Subject::Bans => format!("{{{}}}:bans", self.prefix),
        }
    }

    /// A set of the names of the rooms where a server seats somebody.
    pub(super) fn seats(&self, of: Incarnation) -> String {
        format!("{{{}}}:seats:{of}", self.prefix)
    }

    /// A server's lease.
    pub(super) fn lease(&self, of: Incarnation) -> String {
        format!("{}{of}", self.leases())
    }

    /// What the names of all leases begin with.
    pub(super) fn leases(&self) -> String {
        format!("{{{}}}:node:", self.prefix)
    }

    /// Who gives up a server's seats.
    pub(super) fn claim(&self, of: Incarnation) -> String {
        format!("{{{}}}:reap:{of}", self.prefix)
    }

    /// What is remembered for a time.
    pub(super) fn remembered(&self, name: &str) -> String {
        format!("{{{}}}:remembered:{name}", self.prefix)
    }

    /// A server's inbox, a stream, and the number of the last letter of each who writes there, a hash. Inboxes are spread
    /// over a Redis Cluster.
    pub(super) fn inbox(&self, of: Incarnation) -> [String; 2] {
        ["inbox", "senders"].map(|name| format!("{}:{{{of}}}:{name}", self.prefix))
    }
}
