//! The values that labels take: each list is closed, so that there are no more series than these.

use crate::{
    ban,
    protocol::{CloseCode, Code, Order, Rejected, Request, SignalKind},
    room::Change,
};

/// What became of a message; the first where it was taken.
pub(super) const OUTCOMES: [&str; 2] = ["taken", "refused"];

/// An enum of a label's values, with their names in the same order.
macro_rules! label {
    ($(#[$about:meta])* $visible:vis enum $label:ident {
        $($(#[$meaning:meta])* $value:ident = $name:literal,)*
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visible enum $label {
            $($(#[$meaning])* $value,)*
        }

        impl $label {
            /// The values' names, in their order.
            pub(super) const NAMES: [&'static str; [$($name),*].len()] = [$($name),*];
        }
    };
}

label! {
    /// What a browser said.
    pub enum Message {
        /// A `register`.
        Register = "register",
        /// A `join`.
        Join = "join",
        /// A `leave`.
        Leave = "leave",
        /// An `offer`.
        Offer = "offer",
        /// An `answer`.
        Answer = "answer",
        /// A `candidate`.
        Candidate = "candidate",
        /// A `message`.
        Message = "message",
        /// A `ping`.
        Ping = "ping",
        /// An `update-room`.
        UpdateRoom = "update-room",
        /// A `set-role`.
        SetRole = "set-role",
        /// A `remove`.
        Remove = "remove",
        /// An `ask-to-mute`.
        AskToMute = "ask-to-mute",
        /// An `admit`.
        Admit = "admit",
        /// A `deny`.
        Deny = "deny",
        /// No request, be it by its type or by its fields.
        Invalid = "invalid",
    }
}

label! {
    /// Why a connection ends.
    pub enum Closing {
        /// The client said goodbye.
        Client = "client",
        /// The client is gone without a word.
        Lost = "lost",
        /// A fault in the WebSocket protocol.
        Protocol = "protocol",
        /// A binary message.
        Unsupported = "unsupported",
        /// A text that is not UTF-8.
        InvalidText = "invalid-text",
        /// A message over the limit.
        TooLarge = "too-large",
        /// The server goes away.
        GoingAway = "going-away",
        /// No answer to a ping.
        HeartbeatTimeout = "heartbeat-timeout",
        /// The client did not take what was due to it.
        SlowConsumer = "slow-consumer",
        /// Another connection took its seat over.
        TakenOver = "taken-over",
        /// The server was away from its fleet for too long.
        NodeLost = "node-lost",
        /// The client did not finish what it began to say.
        Unfinished = "unfinished",
        /// The client said more than it may.
        RateLimited = "rate-limited",
        /// The server stops now.
        CutOff = "cut-off",
        /// An administrator ended it, or a ban stands against the client.
        Removed = "removed",
        /// An administrator ended its room.
        RoomClosed = "room-closed",
        /// The client has shown no token in time, or its token expired.
        Unauthorized = "unauthorized",
    }
}

label! {
    /// What became of a password that a client gave.
    pub enum PasswordCheck {
        /// It was the room's.
        Right = "right",
        /// It was not.
        Wrong = "wrong",
        /// Nobody looked: the client or its address gave too many wrong ones, or too many waited.
        Refused = "refused",
    }
}

label! {
    /// What happened in a room, or to the bans.
    pub enum Kind {
        /// A room came to be.
        Created = "created",
        /// A seat was taken.
        Joined = "joined",
        /// A member goes by other names.
        Updated = "updated",
        /// A member may do more or less.
        RoleChanged = "role-changed",
        /// A member is connected to another node.
        Moved = "moved",
        /// Somebody waits for a seat.
        WaitingStarted = "waiting-started",
        /// Somebody waits no longer.
        WaitingEnded = "waiting-ended",
        /// A seat was freed.
        Left = "left",
        /// A room admits nobody new.
        Locked = "locked",
        /// A room admits again.
        Unlocked = "unlocked",
        /// A room is gone.
        Closed = "closed",
        /// A room has other settings.
        RoomUpdated = "room-updated",
        /// Somebody is kept out.
        BanCreated = "ban-created",
        /// Somebody is kept out no longer.
        BanDeleted = "ban-deleted",
    }
}

impl Message {
    /// What `request` is.
    #[inline]
    pub fn of(request: &Result<Request<'_>, Rejected>) -> Self {
        match request {
            Ok(Request::Register { .. }) => Self::Register,
            Ok(Request::Join(_)) => Self::Join,
            Ok(Request::Leave { .. }) => Self::Leave,
            Ok(Request::Signal { kind: SignalKind::Offer, .. }) => Self::Offer,
            Ok(Request::Signal { kind: SignalKind::Answer, .. }) => Self::Answer,
            Ok(Request::Signal { kind: SignalKind::Candidate, .. }) => Self::Candidate,
            Ok(Request::Signal { kind: SignalKind::Message, .. }) => Self::Message,
            Ok(Request::Ping) => Self::Ping,
            Ok(Request::UpdateRoom(_)) => Self::UpdateRoom,
            Ok(Request::Order(order)) => match order {
                Order::SetRole { .. } => Self::SetRole,
                Order::Remove { .. } => Self::Remove,
                Order::AskToMute { .. } => Self::AskToMute,
                Order::Admit { .. } => Self::Admit,
                Order::Deny { .. } => Self::Deny,
            },
            Err(_) => Self::Invalid,
        }
    }
}

impl From<CloseCode> for Closing {
    fn from(code: CloseCode) -> Self {
        match code {
            CloseCode::GoingAway => Self::GoingAway,
            CloseCode::Protocol => Self::Protocol,
            CloseCode::Unsupported => Self::Unsupported,
            CloseCode::InvalidText => Self::InvalidText,
            CloseCode::TooLarge => Self::TooLarge,
            CloseCode::HeartbeatTimeout => Self::HeartbeatTimeout,
            CloseCode::SlowConsumer => Self::SlowConsumer,
            CloseCode::TakenOver => Self::TakenOver,
            CloseCode::NodeLost => Self::NodeLost,
            CloseCode::Unfinished => Self::Unfinished,
            CloseCode::RateLimited => Self::RateLimited,
            CloseCode::Removed => Self::Removed,
            CloseCode::RoomClosed => Self::RoomClosed,
            CloseCode::Unauthorized => Self::Unauthorized,
        }
    }
}

impl From<&Change> for Kind {
    fn from(change: &Change) -> Self {
        match change {
            Change::Created { .. } => Self::Created,
            Change::Joined(_) => Self::Joined,
            Change::Renamed { .. } => Self::Updated,
            Change::RoleChanged { .. } => Self::RoleChanged,
            Change::Moved { .. } => Self::Moved,
            Change::Waiting(_) => Self::WaitingStarted,
            Change::WaitingEnded { .. } => Self::WaitingEnded,
            Change::Updated { .. } => Self::RoomUpdated,
            Change::Left { .. } => Self::Left,
            Change::Locked => Self::Locked,
            Change::Unlocked => Self::Unlocked,
            Change::Closed => Self::Closed,
        }
    }
}

impl From<&ban::Change> for Kind {
    fn from(change: &ban::Change) -> Self {
        match change {
            ban::Change::Created(_) => Self::BanCreated,
            ban::Change::Deleted(_) => Self::BanDeleted,
        }
    }
}

/// As browsers are told it.
pub(super) fn code_name(code: Code) -> String {
    let json = serde_json::to_string(&code).expect("a word");
    json.trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_counted_in_the_order_of_their_list() {
        for (nth, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as usize, nth, "{code:?}");
        }
    }
}
