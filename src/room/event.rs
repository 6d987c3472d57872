//! What happens to a room.

use std::{fmt, sync::Arc, time::SystemTime};

use super::{Member, Settings};
use crate::id::{ClientId, UserId};

/// A place in the log of all rooms' events. Positions only rise; zero stands before the first.
///
/// The memory journal counts 1, 2, 3…; a Redis stream id (48 bits of milliseconds, 16 of sequence) fits too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// Before everything: the version of a room that does not exist.
    pub const ZERO: Self = Self(0);
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

/// A change with its place in the order of things.
#[derive(Debug, Clone)]
pub struct Event {
    /// Where the log has it; the room's version from now on.
    pub position: Position,
    /// The room's version before it. Anything else there means that events are missing or came twice.
    pub prev: Position,
    /// When it was decided.
    pub at: SystemTime,
    /// What happened.
    pub change: Change,
}

/// What happened to a room.
#[derive(Debug, Clone)]
pub enum Change {
    /// It came to be, for the member whose join follows.
    Created {
        /// Its settings to begin with.
        settings: Settings,
    },
    /// A seat was taken.
    Joined(Arc<Member>),
    /// A member goes by other names now: the ones given here.
    Renamed(Arc<Member>),
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
    /// The last member left: it is gone, its settings with it.
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
    pub const ALL: [Self; 14] = [
        Self::Left,
        Self::Moved,
        Self::Rejoined,
        Self::Disconnected,
        Self::Timeout,
        Self::SlowConsumer,
        Self::RateLimited,
        Self::ProtocolError,
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
            Self::ServerShutdown => "server-shutdown",
            Self::InternalError => "internal-error",
            Self::Removed => "removed",
            Self::Banned => "banned",
            Self::RoomClosed => "room-closed",
            Self::NodeLost => "node-lost",
        }
    }
}
