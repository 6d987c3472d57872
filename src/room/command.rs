//! What may be asked of a room.

use std::sync::Arc;

use super::{Identity, LeaveReason};
use crate::id::ClientId;

/// A wish, which [`super::Room::decide`] turns into changes or refuses.
#[derive(Debug, Clone)]
pub enum Command {
    /// Take a seat. Whoever has one gives it up and takes a new one.
    Join {
        /// Who.
        client_id: ClientId,
        /// Under which names.
        identity: Identity,
        /// What it says of itself: JSON text, opaque here.
        metadata: Option<Arc<str>>,
    },
    /// Free a seat. Never refused; no change for whoever has none.
    Leave {
        /// Whose.
        client_id: ClientId,
        /// Why.
        reason: LeaveReason,
    },
    /// Go by other names.
    Rename {
        /// Who.
        client_id: ClientId,
        /// The names from now on.
        identity: Identity,
    },
    /// Admit nobody new, or admit again.
    Lock {
        /// What the lock shall be.
        locked: bool,
    },
}
