//! What may be asked of a room.

use std::{sync::Arc, time::Duration};

use super::{Identity, LeaveReason, Settings};
use crate::{event::Position, id::ClientId};

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
        /// Whether a ban stands against it now.
        banned: bool,
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
        /// Whether a ban stands against these.
        banned: bool,
    },
    /// Come to be ahead of its members.
    Create {
        /// Its settings to begin with.
        settings: Settings,
    },
    /// Have other settings.
    Update {
        /// Which.
        update: Update,
        /// The position of the settings that this is meant for; none: of any.
        settled_at: Option<Position>,
    },
    /// Admit nobody new, or admit again.
    Lock {
        /// What the lock shall be.
        locked: bool,
        /// As for an update.
        settled_at: Option<Position>,
    },
    /// End, whoever sits in it.
    Close {
        /// As for an update.
        settled_at: Option<Position>,
    },
    /// End, if it was empty for as long as it may be. Never refused.
    Expire,
}

/// What of a room's settings shall be otherwise; none: as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// See [`Settings::max_members`].
    pub max_members: Option<usize>,
    /// See [`Settings::metadata`].
    pub metadata: Option<Arc<str>>,
    /// See [`Settings::empty_timeout`].
    pub empty_timeout: Option<Duration>,
}
