//! The hall of faults: peers that nobody wishes for, one kind a file.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod admin;
mod malformed;
#[path = "../support/running.rs"]
mod running;
#[path = "../support/mod.rs"]
mod support;
