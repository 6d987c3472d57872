//! Page tokens of `ListRooms`: where the last page ended, and nothing that a caller should read.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::id::RoomId;

/// What a token starts with before it is encoded, so that anything else is known for junk.
const PREFIX: &str = "after:";

/// A token is junk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one that ListRooms gave out")]
pub struct NotGivenOut;

/// The token of the page that follows `last`.
pub fn token(last: &RoomId) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{PREFIX}{last}"))
}

/// The room that a page follows; none if it is the first page, which has an empty token.
///
/// # Errors
/// [`NotGivenOut`], if [`token`] gave out no such text.
pub fn after(token: &str) -> Result<Option<RoomId>, NotGivenOut> {
    if token.is_empty() {
        return Ok(None);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let last = text.and_then(|text| text.strip_prefix(PREFIX)?.parse().ok());
    last.map(Some).ok_or(NotGivenOut)
}
