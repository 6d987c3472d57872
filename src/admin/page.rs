//! Pages of a list (AIP-158): how long one is, and tokens that say where the last one ended and for nothing else.

use std::{fmt::Display, num::NonZeroUsize, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::config::limits;

/// How much of the digest a token bears, in bytes: enough that no two filters are taken for one another by chance.
const BOUND_BYTES: usize = 8;

/// The pages of one method under one filter.
#[derive(Debug, Clone, Copy)]
pub struct Pages<'a> {
    method: &'static str,
    filter: &'a str,
}

/// A page_token is junk, or of another method or filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one that {method} gave out for this filter")]
pub struct NotGivenOut {
    method: &'static str,
}

/// A page_size below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must not be negative")]
pub struct Negative;

/// What a page_size asks for: [`limits::PAGE_SIZE`] if 0, and [`limits::MAX_PAGE_SIZE`] if more than that.
///
/// # Errors
/// [`Negative`].
pub fn size(page_size: i32) -> Result<NonZeroUsize, Negative> {
    let wanted = usize::try_from(page_size).map_err(|_| Negative)?;
    let wanted = NonZeroUsize::new(wanted).unwrap_or(limits::PAGE_SIZE);
    Ok(wanted.min(limits::MAX_PAGE_SIZE))
}

impl<'a> Pages<'a> {
    /// `filter` is as the caller wrote it.
    pub fn new(method: &'static str, filter: &'a str) -> Self {
        Self { method, filter }
    }

    /// The token of the page that follows `last`.
    pub fn token(&self, last: &impl Display) -> String {
        let mut bytes = self.bound().to_vec();
        bytes.extend(last.to_string().into_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What the page follows; none if it is the first page, which has an empty token.
    ///
    /// # Errors
    /// [`NotGivenOut`], if [`Pages::token`] made no such token for this method and filter.
    pub fn after<K: FromStr + Display>(&self, token: &str) -> Result<Option<K>, NotGivenOut> {
        if token.is_empty() {
            return Ok(None);
        }
        let last = self.last(token).ok_or(NotGivenOut { method: self.method })?;
        Ok(Some(last))
    }

    fn last<K: FromStr + Display>(&self, token: &str) -> Option<K> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let name = bytes.strip_prefix(&self.bound())?;
        let last: K = std::str::from_utf8(name).ok()?.parse().ok()?;
        // A name that can be written in several ways was given out in one.
        (last.to_string().as_bytes() == name).then_some(last)
    }

    /// What a token begins with.
    fn bound(&self) -> [u8; BOUND_BYTES] {
        let digest = Sha256::new().chain_update(self.method).chain_update([0]);
        let digest = digest.chain_update(self.filter).finalize();
        *digest.first_chunk().expect("a digest is longer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ClientId, RoomId};

    #[test]
    fn a_token_is_of_its_method_and_its_filter_only() {
        let room: RoomId = "a room, 語".parse().unwrap();
        let pages = Pages::new("ListRooms", "locked = true");
        let token = pages.token(&room);
        assert_eq!(pages.after(&token), Ok(Some(room)));
        assert_eq!(pages.after::<RoomId>(""), Ok(None));
        for others in [
            Pages::new("ListClients", "locked = true"),
            Pages::new("ListRooms", "locked = false"),
            Pages::new("ListRooms", ""),
        ] {
            let error = others.after::<RoomId>(&token).unwrap_err().to_string();
            let method = others.method;
            assert_eq!(error, format!("is not one that {method} gave out for this filter"));
        }
    }

    #[test]
    fn junk_is_refused_whatever_it_is() {
        let pages = Pages::new("ListClients", "");
        let client = ClientId::random();
        let token = pages.token(&client);
        assert_eq!(pages.after(&token), Ok(Some(client)));
        let shouted = pages.token(&client.to_string().to_uppercase());
        let padded = format!("{token}=");
        let empty = pages.token(&"");
        let huge = "A".repeat(1 << 20);
        for junk in ["x", "junk", "語", "%%%", " ", &token[1..], &shouted, &padded, &empty, &huge]
        {
            assert!(pages.after::<ClientId>(junk).is_err(), "{junk:.100}");
        }
        for end in 0..token.len() {
            assert_eq!(pages.after::<ClientId>(&token[..end]).is_ok(), end == 0);
        }
    }

    #[test]
    fn a_page_is_as_long_as_asked_for_within_limits() {
        for (asked, given) in
            [(0, 50), (1, 1), (50, 50), (1000, 1000), (1001, 1000), (i32::MAX, 1000)]
        {
            assert_eq!(size(asked).map(NonZeroUsize::get), Ok(given), "{asked}");
        }
        assert_eq!([size(-1), size(i32::MIN)], [Err(Negative); 2]);
    }
}
