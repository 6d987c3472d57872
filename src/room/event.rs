//! What happens to a room.

use std::sync::Arc;

use super::{Member, Role, Settings, Waiter, WaitingEnd};
use crate::{
    event::{self, Cause},
    id::{ClientId, UserId},
};

/// A change of a room in its order.
pub type Event = event::Event<Change>;

/// What happened to a room.
#[derive(Debug, Clone)]
pub enum Change {
    /// It came to be: for the member whose join follows, or ahead of its members.
    Created {
        /// Its settings to begin with.
        settings: Arc<Settings>,
    },
    /// A seat was taken.
    Joined(Arc<Member>),
    /// A member goes by other names now, or by another token.
    Renamed {
        /// The member from now on.
        member: Arc<Member>,
        /// The user's name for itself before.
        previous: Option<UserId>,
    },
    /// A member may do more or less than before.
    RoleChanged {
        /// The member from now on.
        member: Arc<Member>,
        /// What it was before.
        previous: Role,
    },
    /// A member is connected to another node; nothing else of it is otherwise.
    Moved {
        /// The member from now on.
        member: Arc<Member>,
    },
    /// Somebody waits for a seat; or goes by other names while it does, or is connected to another node.
    Waiting(Waiter),
    /// Somebody waits no longer.
    WaitingEnded {
        /// Who.
        client_id: ClientId,
        /// The name that it went by.
        user_id: Option<UserId>,
        /// Why.
        reason: WaitingEnd,
    },
    /// It admits nobody new.
    Locked,
    /// It admits again.
    Unlocked,
    /// A seat was freed.
    Left {
        /// Whose.
        client_id: ClientId,
        /// The name that its room-mates knew it by.
        user_id: Option<UserId>,
        /// Why.
        reason: LeaveReason,
    },
    /// It has other settings, but for the lock.
    Updated {
        /// All of them.
        settings: Arc<Settings>,
    },
    /// It is gone, its settings with it.
    Closed,
}

impl Change {
    /// Who takes a seat by it.
    pub fn joined(&self) -> Option<&Arc<Member>> {
        if let Self::Joined(member) = self { Some(member) } else { None }
    }

    /// Who takes a seat by it, or begins to wait for one.
    pub fn arrives(&self) -> Option<ClientId> {
        let waits = if let Self::Waiting(waiter) = self { Some(&waiter.member) } else { None };
        self.joined().or(waits).map(|member| member.client_id)
    }

    /// Who gives up a seat by it, or waits for one no longer and gets none, and why.
    pub fn departs(&self) -> Option<(ClientId, LeaveReason)> {
        if let Self::Left { client_id, reason, .. }
        | Self::WaitingEnded { client_id, reason: WaitingEnd::Gone(reason), .. } = self
        {
            return Some((*client_id, *reason));
        }
        None
    }

    /// Who may do more or less by it, and what its role was before.
    pub fn new_role(&self) -> Option<(&Arc<Member>, Role)> {
        if let Self::RoleChanged { member, previous } = self {
            Some((member, *previous))
        } else {
            None
        }
    }

    /// The member from then on, where it is about one that sits.
    pub(super) fn member(&self) -> Option<&Arc<Member>> {
        if let Self::Renamed { member, .. } | Self::Moved { member } = self {
            return Some(member);
        }
        self.joined().or_else(|| self.new_role().map(|(member, _)| member))
    }
}

/// Why a seat was freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// The client asked.
    Left,
    /// The client joined another room.
    Moved,
    /// The client joined the same room again.
    Rejoined,
    /// The connection closed or broke.
    Disconnected,
    /// The client did not answer a ping.
    Timeout,
    /// The client did not read what was sent to it.
    SlowConsumer,
    /// The client said more than it may, and went on.
    RateLimited,
    /// The client broke the WebSocket protocol.
    ProtocolError,
    /// The client's token expired.
    TokenExpired,
    /// The server stops.
    ServerShutdown,
    /// The server's own fault.
    InternalError,
    /// A host or an administrator took the seat.
    Removed,
    /// A ban stands against the client.
    Banned,
    /// An administrator ended the room.
    RoomClosed,
    /// The server that the client was connected to is gone.
    NodeLost,
}

impl LeaveReason {
    /// Every reason, for tables and tests.
    pub const ALL: [Self; 15] = [
        Self::Left,
        Self::Moved,
        Self::Rejoined,
        Self::Disconnected,
        Self::Timeout,
        Self::SlowConsumer,
        Self::RateLimited,
        Self::ProtocolError,
        Self::TokenExpired,
        Self::ServerShutdown,
        Self::InternalError,
        Self::Removed,
        Self::Banned,
        Self::RoomClosed,
        Self::NodeLost,
    ];

    /// Its name in both protocols.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Moved => "moved",
            Self::Rejoined => "rejoined",
            Self::Disconnected => "disconnected",
            Self::Timeout => "timeout",
            Self::SlowConsumer => "slow-consumer",
            Self::RateLimited => "rate-limited",
            Self::ProtocolError => "protocol-error",
            Self::TokenExpired => "token-expired",
            Self::ServerShutdown => "server-shutdown",
            Self::InternalError => "internal-error",
            Self::Removed => "removed",
            Self::Banned => "banned",
            Self::RoomClosed => "room-closed",
            Self::NodeLost => "node-lost",
        }
    }

    /// Whether the seat was lost rather than given up or taken away: whoever had it may return.
    pub fn is_loss(self) -> bool {
        match self {
            Self::Disconnected
            | Self::Timeout
            | Self::SlowConsumer
            | Self::RateLimited
            | Self::ProtocolError
            | Self::TokenExpired
            | Self::ServerShutdown
            | Self::InternalError
            | Self::NodeLost => true,
            Self::Left
            | Self::Moved
            | Self::Rejoined
            | Self::Removed
            | Self::Banned
            | Self::RoomClosed => false,
        }
    }

    /// Whether somebody else brings it about, who frees the seat then.
    pub fn is_others(self) -> bool {
        matches!(self, Self::Removed | Self::Banned | Self::RoomClosed)
    }

    /// Who brings a departure about for this reason, where nobody else does.
    pub fn cause(self, client_id: ClientId) -> Cause {
        match self {
            Self::Left | Self::Moved | Self::Rejoined | Self::Disconnected => {
                Cause::Client(client_id)
            }
            Self::Removed
            | Self::Banned
            | Self::RoomClosed
            | Self::Timeout
            | Self::SlowConsumer
            | Self::RateLimited
            | Self::ProtocolError
            | Self::TokenExpired
            | Self::ServerShutdown
            | Self::InternalError
            | Self::NodeLost => Cause::Server,
        }
    }
}
