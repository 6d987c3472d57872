//! Tokens at the browsers' door: whose are taken, what they let in, and what becomes of everybody else.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod attacks;
#[path = "../support/authority.rs"]
mod authority;
mod commands;
mod door;
mod expiry;
#[path = "../support/issuer.rs"]
mod issuer;
mod key_set;
#[path = "../support/pipe.rs"]
mod pipe;
mod roles;
#[path = "../support/running.rs"]
mod running;
mod secrecy;
#[path = "../support/mod.rs"]
mod support;
