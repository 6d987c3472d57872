//! A fleet in one thread, over a model of Redis that a seed has behave badly: whatever happens, the nodes agree, and
//! everybody hears a story that holds together.
//!
//! Time is tokio's and passes at once. All that happens, and when, is by the seed, which so tells the same story each
//! time. It has a process of its own: what a runtime of tokio chooses depends on how many there were before.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    reason = "a test lists its cases, and panics where it fails"
)]

mod chance;
mod line;
mod orders;
mod person;
mod redis;
mod scripts;
mod seeds;
mod storm;
mod truth;
mod world;
