//! How a connection ends, whoever wants it.

use std::io;

use crate::{hub::Ending, metrics::Closing, protocol::CloseCode, room::LeaveReason};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parting {
    /// The client said goodbye, with this code.
    ClosedByClient(Option<u16>),
    /// The client is gone without a word, or its socket broke.
    Lost,
    /// The client broke a rule of the WebSocket protocol.
    Fault(CloseCode),
    /// The server wants it.
    Ended(Ending),
}

impl Parting {
    /// What the room-mates are told.
    pub(super) fn leave_reason(self) -> LeaveReason {
        match self {
            Self::ClosedByClient(_) | Self::Lost => LeaveReason::Disconnected,
            Self::Fault(_) => LeaveReason::ProtocolError,
            Self::Ended(ending) => ending.leave_reason(),
        }
    }

    /// What it is counted as.
    pub(super) fn closing(self) -> Closing {
        match self {
            Self::ClosedByClient(_) => Closing::Client,
            Self::Lost => Closing::Lost,
            Self::Fault(code) => code.into(),
            Self::Ended(Ending::CutOff) => Closing::CutOff,
            Self::Ended(ending) => close_code(ending).into(),
        }
    }

    /// What the close frame says (RFC 6455, section 5.5.1), if there is to be one.
    pub(super) fn close_payload(self) -> Option<Vec<u8>> {
        let code = match self {
            Self::ClosedByClient(code) => {
                return Some(code.map_or_else(Vec::new, |code| code.to_be_bytes().to_vec()));
            }
            Self::Lost => return None,
            Self::Fault(code) => code,
            Self::Ended(ending) => close_code(ending),
        };
        let expired = self == Self::Ended(Ending::TokenExpired);
        let reason = if expired { CloseCode::TOKEN_EXPIRED } else { code.reason() };
        Some([&(code as u16).to_be_bytes(), reason.as_bytes()].concat())
    }
}

fn close_code(ending: Ending) -> CloseCode {
    match ending {
        Ending::GoingAway | Ending::CutOff => CloseCode::GoingAway,
        Ending::HeartbeatTimeout => CloseCode::HeartbeatTimeout,
        Ending::SlowConsumer => CloseCode::SlowConsumer,
        Ending::Unfinished => CloseCode::Unfinished,
        Ending::RateLimited => CloseCode::RateLimited,
        Ending::TakenOver => CloseCode::TakenOver,
        Ending::NodeLost => CloseCode::NodeLost,
        Ending::Removed | Ending::Banned => CloseCode::Removed,
        Ending::RoomClosed => CloseCode::RoomClosed,
        Ending::Unauthenticated | Ending::TokenExpired => CloseCode::Unauthorized,
    }
}

impl From<CloseCode> for Parting {
    fn from(code: CloseCode) -> Self {
        Self::Fault(code)
    }
}

impl From<io::Error> for Parting {
    fn from(_: io::Error) -> Self {
        Self::Lost
    }
}
