//! The browser protocol, version 1, as `client/PROTOCOL.md` describes it: texts in, texts out, no state.

mod code;
mod frame;
mod json;
mod reply;
mod request;
mod return_token;
mod signal;

pub use code::{CloseCode, Code};
pub use frame::{Announcement, Frame};
pub use json::Json;
pub use reply::{Joined, Peer, Reply, RoomInfo, VERSION};
pub use request::{
    JoinRequest, Order, Rejected, Request, RequestId, RoomUpdate, SignalKind, Token, parse,
};
pub use return_token::ReturnToken;
pub use signal::{Sender, UserIdJson};
