//! What a client sends, read by our reader and by the library's.

#![no_main]

#[path = "../../tests/support/frames.rs"]
mod frames;

use frames::{agree, from_fuzzer};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some((max_message_bytes, cut, bytes)) = from_fuzzer(data) {
        agree(max_message_bytes, cut, bytes);
    }
});
