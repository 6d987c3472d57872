//! Page tokens of the admin API, given out and made up.

#![no_main]

#[path = "../../tests/support/page_token.rs"]
mod page_token;

libfuzzer_sys::fuzz_target!(|text: &str| page_token::agree(text));
