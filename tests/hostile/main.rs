//! The hall of faults: peers that nobody wishes for, one kind a file. Each is asserted by what those beside it see, and
//! by what the server's process takes meanwhile.

#![allow(
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, panics where it fails, and shows its figures to whoever asks"
)]

mod admin;
mod attack;
mod beside;
mod files;
mod floods;
mod garbage;
mod handshakes;
mod hosts;
mod malformed;
#[path = "../support/pipe.rs"]
mod pipe;
mod plain;
mod readers;
#[path = "../support/running.rs"]
mod running;
#[path = "../support/mod.rs"]
mod support;
mod together;
mod unfinished;
