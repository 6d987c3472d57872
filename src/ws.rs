//! A browser's WebSocket: the handshake, then one task a connection that carries texts between the socket
//! and the client's session and outbox.

mod connection;
mod handshake;

pub use connection::run;
pub use handshake::{Refused, accept, is_upgrade};
