//! Page tokens: only what was given out is taken back, and as what it was.

#![allow(dead_code, unreachable_pub, reason = "each test and fuzz target uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::{fmt::Display, str::FromStr};

use signalpost::{
    admin::page::Pages,
    id::{ClientId, RoomId},
};

/// `text` as a token, as what a page ended with, and as a filter.
pub fn agree(text: &str) {
    agree_on::<RoomId>(text);
    agree_on::<ClientId>(text);
}

fn agree_on<K: FromStr + Display>(text: &str) {
    let pages = Pages::new("ListRooms", "locked = true");
    match pages.after::<K>(text) {
        Ok(None) => assert!(text.is_empty()),
        Ok(Some(last)) => assert_eq!(pages.token(&last), text),
        Err(_) => {}
    }
    let token = pages.token(&text);
    let name = text.parse::<K>().ok().filter(|name| name.to_string() == text);
    let last = pages.after::<K>(&token).ok().flatten();
    assert_eq!(last.map(|last| last.to_string()), name.map(|name| name.to_string()));
    let filter = format!("{text} AND locked = true");
    for others in [Pages::new("ListClients", "locked = true"), Pages::new("ListRooms", &filter)] {
        assert!(others.after::<K>(&token).is_err());
    }
}
