//! Why a request cannot be taken, or is refused.

use std::borrow::Cow;

use crate::{
    id::InvalidName,
    protocol::{Code, Reply, RequestId},
    room::{Denied, LeaveReason, WaitingEnd},
};

/// A request that cannot be taken.
#[derive(Debug)]
pub struct Rejected {
    /// What a program goes by.
    pub code: Code,
    /// What a person reads.
    pub message: Cow<'static, str>,
    /// Whether it was a `join`, whose refusals have a message type of their own.
    pub join: bool,
    /// Whether it was a `register` or a `ping`, which take no token.
    pub for_anybody: bool,
    /// In how many milliseconds it is worth another try, where time alone makes it better.
    pub retry_after_ms: Option<u64>,
}

impl Rejected {
    /// A refusal of anything but a join.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            join: false,
            for_anybody: false,
            retry_after_ms: None,
        }
    }

    /// More than the client may say or change, or a room announce. In `retry_after_ms` it is not.
    pub fn rate_limited(message: &'static str, retry_after_ms: u64) -> Self {
        let retry_after_ms = Some(retry_after_ms);
        Self { retry_after_ms, ..Self::new(Code::RateLimited, message) }
    }

    /// Nobody of that name sits where the sender does.
    pub fn peer_not_found() -> Self {
        Self::new(Code::PeerNotFound, "No such client in your room")
    }

    /// What somebody hears who waits no longer, unless it went itself, or hears of it otherwise.
    pub fn after_waiting(end: WaitingEnd) -> Option<Self> {
        let rejected = match end {
            WaitingEnd::Denied => Self::new(Code::Denied, "A host did not let you in"),
            WaitingEnd::TimedOut => {
                Self::new(Code::WaitingTimeout, "Nobody let you in; you may ask again")
            }
            WaitingEnd::Full => Self::new(Code::RoomFull, Denied::Full.to_string()),
            WaitingEnd::Locked => Self::new(Code::RoomLocked, Denied::Locked.to_string()),
            WaitingEnd::Gone(LeaveReason::RoomClosed) => {
                Self::new(Code::RoomClosed, "The room ended while you waited")
            }
            WaitingEnd::Gone(LeaveReason::Banned) => {
                Self::new(Code::Banned, "You are kept out of the room")
            }
            WaitingEnd::Admitted | WaitingEnd::Gone(_) => return None,
        };
        Some(Self { join: true, ..rejected })
    }

    /// What a client hears of it, `request_id` being that of its request.
    pub fn reply<'a>(&'a self, request_id: Option<&'a RequestId>) -> Reply<'a> {
        let Self { code, ref message, join, retry_after_ms, .. } = *self;
        match join {
            true => Reply::JoinError { error: message, code, retry_after_ms, request_id },
            false => Reply::Error { code, message, retry_after_ms, request_id },
        }
    }

    pub(super) fn bad(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::BadMessage, message)
    }

    pub(super) fn field(field: &str, invalid: InvalidName) -> Self {
        Self::bad(format!("`{field}` {invalid}"))
    }
}

impl From<Denied> for Rejected {
    fn from(denied: Denied) -> Self {
        if denied == Denied::NotAMember {
            return Self::peer_not_found();
        }
        Self::new(denied.into(), denied.to_string())
    }
}
