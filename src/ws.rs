//! A browser's WebSocket: the handshake, then one task a connection that carries texts between the socket
//! and the client's session and outbox.

mod codec;
mod connection;
mod handshake;
mod wire;

pub use connection::run;
pub use handshake::{Refused, accept, is_upgrade};
