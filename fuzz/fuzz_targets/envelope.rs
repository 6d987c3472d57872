//! What a client says, read by our scanner and by serde_json.

#![no_main]

#[path = "../../tests/support/envelope.rs"]
mod envelope;

libfuzzer_sys::fuzz_target!(|text: &str| envelope::agree(text));
