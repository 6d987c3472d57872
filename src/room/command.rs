//! What may be asked of a room.

use std::{sync::Arc, time::Duration};

use super::{
    Entrant, Identity, LeaveReason, PasswordHash, Proof, ReturnKey, Role, Room, Settings, Vouched,
};
use crate::{
    event::Position,
    id::{ClientId, Incarnation},
};

/// A wish, which [`super::Room::decide`] turns into changes or refuses.
#[derive(Debug, Clone)]
pub enum Command {
    /// Take a seat, or wait for one where there is a lobby. Whoever has one gives it up and takes a new one.
    Join {
        /// Who.
        entrant: Entrant,
        /// Whether a ban stands against it now.
        banned: bool,
        /// What it shows of the room's password.
        proof: Proof,
        /// What it shows of a seat that it had.
        returning: Option<ReturnKey>,
    },
    /// Free a seat, or wait no longer. Never refused; no change for whoever does neither.
    Leave {
        /// Whose.
        client_id: ClientId,
        /// Why.
        reason: LeaveReason,
    },
    /// Go by other names, or by another token.
    Rename {
        /// Who.
        client_id: ClientId,
        /// The names from now on.
        identity: Identity,
        /// What its token says of it from now on.
        vouched: Option<Arc<Vouched>>,
        /// The role that comes with it.
        granted: Role,
        /// Whether a ban stands against these names.
        banned: bool,
    },
    /// Come to be ahead of its members.
    Create {
        /// Its settings to begin with.
        settings: Settings,
    },
    /// Have other settings. Who waits comes in where that lifts the lobby.
    Update {
        /// Who wants it.
        by: By,
        /// Which.
        update: Update,
        /// The position of the settings that this is meant for; none: of any.
        settled_at: Option<Position>,
        /// Who waits and is banned.
        banned: Vec<ClientId>,
    },
    /// Make a host of a member, or a member of a host.
    SetRole {
        /// Who wants it.
        by: By,
        /// Whose role.
        target: ClientId,
        /// Whether it is to be host.
        host: bool,
    },
    /// Take a member's seat.
    Remove {
        /// Who wants it.
        by: By,
        /// Whose.
        target: ClientId,
    },
    /// Seat somebody who waits.
    Admit {
        /// Who wants it.
        by: By,
        /// Whom; none: all of them, as far as there is room.
        target: Option<ClientId>,
        /// Who waits and is banned.
        banned: Vec<ClientId>,
    },
    /// Let somebody wait no longer.
    Deny {
        /// Who wants it.
        by: By,
        /// Whom.
        target: ClientId,
    },
    /// End, whoever sits in it.
    Close {
        /// As for an update.
        settled_at: Option<Position>,
    },
    /// Free the seats of all who are connected to a node that is gone, and let those of them wait no longer who do. Never
    /// refused.
    NodeLost {
        /// Which.
        node: Incarnation,
    },
    /// Have some be connected to another node: what their node is called after it lost its lease and took a new one. Never
    /// refused; no change for whoever is connected elsewhere by now.
    Move {
        /// To which they are connected.
        node: Incarnation,
        /// To which they shall be.
        to: Incarnation,
        /// Who.
        clients: Vec<ClientId>,
    },
    /// Have some sit or wait again who did in a room that a lost log had, with its settings where it is gone or has older
    /// ones, and nobody else of their node. Never refused; no change for whoever is there.
    Restore {
        /// As it was.
        lost: Arc<Room>,
        /// Who.
        clients: Vec<ClientId>,
        /// Who is about to leave: what the room has of those stays until then.
        leaving: Vec<ClientId>,
        /// To which node they are connected.
        node: Incarnation,
    },
    /// End what has its time: the waiting of who waits for too long, and the room, if it was empty for as long as it
    /// may be. Never refused.
    Expire,
}

impl Command {
    /// Whether who is banned is a part of it.
    pub fn asks_for_bans(&self) -> bool {
        matches!(
            self,
            Self::Join { .. } | Self::Rename { .. } | Self::Update { .. } | Self::Admit { .. }
        )
    }

    /// The same, of clients that are connected to this node, where they take seats, move them here, or have them again.
    #[must_use]
    pub fn seated_by(mut self, node: Incarnation) -> Self {
        if let Self::Join { entrant: Entrant { node: own, .. }, .. }
        | Self::Restore { node: own, .. }
        | Self::Move { to: own, .. } = &mut self
        {
            *own = node;
        }
        self
    }

    /// The same, of those of whom it is known that they sit there: where nobody is to sit again, these are spared, and
    /// nobody else is moved or put back. Of who is about to leave all are to hear why.
    #[must_use]
    pub fn sparing(
        mut self,
        here: &[ClientId],
        about_to_leave: impl Iterator<Item = ClientId>,
    ) -> Self {
        if let Self::Restore { lost, clients, .. } = &mut self
            && !lost.exists()
        {
            *clients = here.to_vec();
        }
        if let Self::Restore { clients, .. } | Self::Move { clients, .. } = &mut self {
            clients.retain(|id| here.contains(id));
        }
        if let Self::Restore { leaving, .. } = &mut self {
            leaving.extend(about_to_leave);
        }
        self
    }

    /// The names that somebody is to have in the room by it, and whether a token vouches for them.
    pub fn new_names(&self) -> Option<(&Identity, bool)> {
        if let Self::Join { entrant, .. } = self {
            return Some((&entrant.identity, entrant.vouched.is_some()));
        }
        if let Self::Rename { identity, vouched, .. } = self {
            return Some((identity, vouched.is_some()));
        }
        None
    }

    /// The same, saying whether a ban stands against whom it is about, and who waits and is banned.
    #[must_use]
    pub fn beside_bans(mut self, is_met: bool, who_wait: Vec<ClientId>) -> Self {
        match &mut self {
            Self::Join { banned, .. } | Self::Rename { banned, .. } => *banned = is_met,
            Self::Update { banned, .. } | Self::Admit { banned, .. } => *banned = who_wait,
            Self::Leave { .. }
            | Self::Create { .. }
            | Self::SetRole { .. }
            | Self::Remove { .. }
            | Self::Deny { .. }
            | Self::Close { .. }
            | Self::NodeLost { .. }
            | Self::Move { .. }
            | Self::Restore { .. }
            | Self::Expire => {}
        }
        self
    }
}

/// Who wants something that not everybody may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// An administrator, who may all.
    Administrator,
    /// A client, who must be a host.
    Client(ClientId),
}

/// What of a room's settings shall be otherwise; none: as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// See [`Settings::max_members`].
    pub max_members: Option<usize>,
    /// See [`Settings::locked`].
    pub locked: Option<bool>,
    /// See [`Settings::metadata`].
    pub metadata: Option<Arc<str>>,
    /// See [`Settings::empty_timeout`].
    pub empty_timeout: Option<Duration>,
    /// See [`Settings::password`].
    pub password: Option<Option<PasswordHash>>,
    /// See [`Settings::lobby`].
    pub lobby: Option<bool>,
}
