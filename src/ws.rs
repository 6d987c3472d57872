//! A browser's WebSocket: the handshake, then one task a connection that carries texts between the socket
//! and the client's session and outbox.

mod buffer;
mod connection;
mod handshake;
mod parting;
mod reader;
mod round_trip;
mod wire;

pub use connection::run;
pub use handshake::{Refused, accept, is_upgrade, user_agent};
pub use parting::Parting;
pub use reader::{Incoming, Reader};
