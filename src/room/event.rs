//! What happens to a room.

use std::sync::Arc;

use super::{Member, Settings};
use crate::{
    event::{self, Administrator, Cause},
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
        settings: Settings,
    },
    /// A seat was taken.
    Joined(Arc<Member>),
    /// A member goes by other names now.
    Renamed {
        /// The names from now on.
        member: Arc<Member>,
        /// The user's name for itself before.
        previous: Option<UserId>,
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
        settings: Settings,
    },
    /// It is gone, its settings with it.
    Closed,
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
    /// An administrator took the seat.
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

    /// Whether an administrator brings it about.
    pub fn is_administrators(self) -> bool {
        matches!(self, Self::Removed | Self::Banned | Self::RoomClosed)
    }

    /// Who brings a departure about for this reason: the client, or the administrator if it is one.
    pub fn cause(self, client_id: ClientId, by: &Administrator) -> Cause {
        match self {
            Self::Left | Self::Moved | Self::Rejoined | Self::Disconnected => {
                Cause::Client(client_id)
            }
            Self::Removed | Self::Banned | Self::RoomClosed => Cause::Administrator(by.clone()),
            Self::Timeout
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
