//! Stable codes: of errors, and of closed connections.

use serde::Serialize;

use crate::room::Denied;

/// What an `error` or a `join-error` is about. Programs go by it; the text beside it is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// No JSON object, or a field that is missing, given twice, of the wrong type or too long.
    BadMessage,
    /// No request has that type.
    UnknownType,
    /// The roomId is missing, empty, too long or no string.
    BadRoomId,
    /// Every seat is taken.
    RoomFull,
    /// The room is locked.
    RoomLocked,
    /// The room is empty, and waits for those who lost their seats in it.
    RoomHeld,
    /// The room has a password, and none was given.
    PasswordRequired,
    /// The password is another one.
    WrongPassword,
    /// A password was given, and the room has none.
    PasswordNotSet,
    /// The server has no rooms with passwords but those that administrators make.
    PasswordsOff,
    /// As many wait for a seat as may.
    LobbyFull,
    /// Nobody let the client in for as long as it may wait.
    WaitingTimeout,
    /// A host or an administrator did not let the client in.
    Denied,
    /// Only a host may ask for that, or the client's token is for other rooms.
    Forbidden,
    /// There must be a host.
    LastHost,
    /// The server takes no more rooms, or the servers of a fleet cannot agree on anything now.
    Unavailable,
    /// The sender sits in no room.
    NotInRoom,
    /// Nobody of that name sits in the sender's room.
    PeerNotFound,
    /// More than the client may say or change, or a room announce.
    RateLimited,
    /// The user or the address is kept out, of the room or of the server.
    Banned,
    /// A host or an administrator took the seat, or an administrator ended the connection.
    Removed,
    /// An administrator ended the room, or it ended while the client waited for a seat.
    RoomClosed,
    /// The server was away from its fleet for so long that others gave up the seat.
    NodeLost,
    /// A token is needed, or the one that was shown is not taken.
    Unauthenticated,
    /// The token expired while the client was connected.
    TokenExpired,
}

impl Code {
    /// Every code, for tables and tests.
    pub const ALL: [Self; 25] = [
        Self::BadMessage,
        Self::UnknownType,
        Self::BadRoomId,
        Self::RoomFull,
        Self::RoomLocked,
        Self::RoomHeld,
        Self::PasswordRequired,
        Self::WrongPassword,
        Self::PasswordNotSet,
        Self::PasswordsOff,
        Self::LobbyFull,
        Self::WaitingTimeout,
        Self::Denied,
        Self::Forbidden,
        Self::LastHost,
        Self::Unavailable,
        Self::NotInRoom,
        Self::PeerNotFound,
        Self::RateLimited,
        Self::Banned,
        Self::Removed,
        Self::RoomClosed,
        Self::NodeLost,
        Self::Unauthenticated,
        Self::TokenExpired,
    ];
}

impl From<Denied> for Code {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Full => Self::RoomFull,
            Denied::Locked => Self::RoomLocked,
            Denied::Held => Self::RoomHeld,
            Denied::Banned => Self::Banned,
            Denied::PasswordRequired => Self::PasswordRequired,
            Denied::PasswordNotSet => Self::PasswordNotSet,
            Denied::LobbyFull => Self::LobbyFull,
            Denied::Forbidden => Self::Forbidden,
            Denied::LastHost => Self::LastHost,
            Denied::NotAMember | Denied::NotWaiting => Self::PeerNotFound,
            Denied::NoSuchRoom => Self::NotInRoom,
            Denied::PasswordUnchecked | Denied::Exists | Denied::Changed => Self::Unavailable,
        }
    }
}

/// Why the server closes a connection (RFC 6455, section 7.4): 4000 to 4499 ask the client to reconnect, but
/// for 4002; 4500 to 4999 not to, but for 4503 with another token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// The server stops.
    GoingAway = 1001,
    /// A fault in the WebSocket protocol.
    Protocol = 1002,
    /// A binary message.
    Unsupported = 1003,
    /// A text that is not UTF-8.
    InvalidText = 1007,
    /// A message over the limit.
    TooLarge = 1009,
    /// No answer to a ping.
    HeartbeatTimeout = 4000,
    /// The client did not read what was kept for it.
    SlowConsumer = 4001,
    /// Another connection took the seat over.
    TakenOver = 4002,
    /// The server was away from its fleet for so long that others gave up the seat.
    NodeLost = 4003,
    /// A message was begun and not finished.
    Unfinished = 4005,
    /// The client said more than it may, and went on.
    RateLimited = 4008,
    /// An administrator ended the connection, or a ban keeps the client out.
    Removed = 4501,
    /// An administrator ended the room that the client sat in.
    RoomClosed = 4502,
    /// The client has shown no token in time, or its token expired.
    Unauthorized = 4503,
}

impl CloseCode {
    /// Every code, for tables and tests.
    pub const ALL: [Self; 14] = [
        Self::GoingAway,
        Self::Protocol,
        Self::Unsupported,
        Self::InvalidText,
        Self::TooLarge,
        Self::HeartbeatTimeout,
        Self::SlowConsumer,
        Self::TakenOver,
        Self::NodeLost,
        Self::Unfinished,
        Self::RateLimited,
        Self::Removed,
        Self::RoomClosed,
        Self::Unauthorized,
    ];

    /// The reason for an expired token.
    pub const TOKEN_EXPIRED: &str = "token-expired: come back with a new one";

    /// The reason for people that goes with it, at most 123 bytes.
    pub fn reason(self) -> &'static str {
        match self {
            Self::GoingAway => "The server is going away; reconnect shortly",
            Self::Protocol => "Fault in the WebSocket protocol",
            Self::Unsupported => "Binary messages are not taken; send JSON as text",
            Self::InvalidText => "The message is not valid UTF-8",
            Self::TooLarge => "The message is too large",
            Self::HeartbeatTimeout => "No answer to a ping; reconnect",
            Self::SlowConsumer => "Too many messages were left unread; reconnect",
            Self::TakenOver => "Another connection of yours took the seat over",
            Self::NodeLost => "The server was out of reach for the others; reconnect",
            Self::Unfinished => "A message was begun and not finished in time; reconnect",
            Self::RateLimited => "Too many messages for too long; reconnect later",
            Self::Removed => "Removed by an administrator",
            Self::RoomClosed => "An administrator ended the room",
            Self::Unauthorized => "unauthenticated: register with a token",
        }
    }
}
