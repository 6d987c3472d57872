//! Clients and an administrator on one hub, in any order, beside a model.

#![no_main]

#[path = "../../tests/support/session.rs"]
mod session;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| session::play(bytes));
