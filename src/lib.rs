//! Signalpost, a WebRTC signaling server.

pub mod admin;
pub mod config;
pub mod http;
pub mod hub;
pub mod id;
pub mod journal;
pub mod protocol;
pub mod room;
pub mod ws;
