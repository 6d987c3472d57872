//! What the nodes of a fleet keep in Redis, and what they put into its log, as bytes: from a room's change to the fields
//! that it touches, and back to rooms, bans and events.
//!
//! Two releases run side by side. Whoever reads passes over a field that it does not know, and gives up at a kind of
//! change, role or reason that it does not know: [`StoredError::NewerRelease`].

mod ban;
mod entry;
mod people;
mod room;
mod scalar;

use std::{sync::Arc, time::SystemTime};

pub use ban::{ban_delta, ban_entry, bans, read_ban_entry};
pub use entry::{entry, read_entry};
pub use room::{Delta, delta, room};

use crate::event::Cause;

/// The generated code of `proto/signalpost/cluster/v1`. It has no `Debug`, as it holds the hashes of passwords.
#[allow(missing_debug_implementations, unnameable_types, unreachable_pub, clippy::all, clippy::use_self, clippy::wildcard_enum_match_arm, reason = "generated")]
#[rustfmt::skip]
pub(crate) mod pb {
    include!(concat!(env!("OUT_DIR"), "/signalpost.cluster.v1.rs"));
}

/// A field of a hash in Redis, and what it is from now on; none: it is gone.
pub type Field = (String, Option<Vec<u8>>);

/// An entry of the log, but for its place there.
#[derive(Debug, Clone)]
pub struct StoredEntry<C> {
    /// Who or what brought it about.
    pub cause: Cause,
    /// When it was decided.
    pub at: SystemTime,
    /// What happened.
    pub change: C,
    /// What those are told whom it unseats; none: the server's own words.
    pub word: Option<Word>,
}

/// What somebody is told whom a host or an administrator unseats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// For people, if there is more to say than the usual words.
    pub text: Option<Arc<str>>,
    /// Whether its connection ends, too.
    pub ends: bool,
}

/// Why bytes tell nothing. Nothing is left to do but to leave alone what they are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// There is something in them that this release does not know.
    #[error("a newer release of Signalpost wrote it: {0} is unknown to this one")]
    NewerRelease(&'static str),
    /// No release wrote them so.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
}
