//! Page tokens: only what was given out is taken back, and as what it was.

#![allow(dead_code, unreachable_pub, reason = "each test and fuzz target uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use signalpost::{
    admin::page::{self, NotGivenOut},
    id::RoomId,
};

/// `text` as a token, and as a room's name.
pub fn agree(text: &str) {
    match page::after(text) {
        Ok(None) => assert!(text.is_empty()),
        Ok(Some(room)) => assert_eq!(page::token(&room), text),
        Err(NotGivenOut) => {}
    }
    if let Ok(room) = text.parse::<RoomId>() {
        assert_eq!(page::after(&page::token(&room)).unwrap(), Some(room));
    }
}
