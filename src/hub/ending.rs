//! Why the server ends a connection of its own accord, and what becomes then of what is due.

use crate::room::LeaveReason;

/// Why the server ends a connection of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The server stops. What is due is still sent.
    GoingAway,
    /// No answer to a ping. What is due is dropped.
    HeartbeatTimeout,
    /// The client did not take what was due to it. What is due is dropped.
    SlowConsumer,
    /// The client did not finish what it began to say. What is due is dropped.
    Unfinished,
    /// The client said more than it may, for too long. What is due is dropped.
    RateLimited,
    /// Another connection took the seat over. What is due is dropped.
    TakenOver,
    /// Others gave up the seat while the server was away from its fleet. What is due is still sent.
    NodeLost,
    /// The client has shown no token in time. What is due is still sent.
    Unauthenticated,
    /// The client's token has expired. What is due is still sent.
    TokenExpired,
    /// The server stops now. What is due is dropped.
    CutOff,
    /// An administrator wants it. What is due is still sent.
    Removed,
    /// A ban stands against the client. What is due is still sent.
    Banned,
    /// An administrator ended the room. What is due is still sent.
    RoomClosed,
}

/// How an ending treats what is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// It is sent, as soon as the socket takes it.
    Patient,
    /// It is sent in the goodbye, which has a limit; nothing more is heard.
    Firm,
    /// It is dropped.
    AtOnce,
}

impl Ending {
    pub(super) fn urgency(self) -> Urgency {
        match self {
            Self::GoingAway => Urgency::Patient,
            Self::Removed
            | Self::Banned
            | Self::RoomClosed
            | Self::NodeLost
            | Self::Unauthenticated
            | Self::TokenExpired => Urgency::Firm,
            Self::HeartbeatTimeout
            | Self::SlowConsumer
            | Self::Unfinished
            | Self::RateLimited
            | Self::TakenOver
            | Self::CutOff => Urgency::AtOnce,
        }
    }

    /// What the room-mates are told.
    pub fn leave_reason(self) -> LeaveReason {
        match self {
            Self::GoingAway | Self::CutOff => LeaveReason::ServerShutdown,
            Self::HeartbeatTimeout => LeaveReason::Timeout,
            Self::SlowConsumer => LeaveReason::SlowConsumer,
            Self::Unfinished => LeaveReason::Timeout,
            Self::RateLimited => LeaveReason::RateLimited,
            Self::TakenOver => LeaveReason::Rejoined,
            Self::NodeLost => LeaveReason::NodeLost,
            // It had no seat.
            Self::Unauthenticated => LeaveReason::Disconnected,
            Self::TokenExpired => LeaveReason::TokenExpired,
            Self::Removed => LeaveReason::Removed,
            Self::Banned => LeaveReason::Banned,
            Self::RoomClosed => LeaveReason::RoomClosed,
        }
    }
}
