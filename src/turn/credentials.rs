//! Credentials that a TURN server can tell to be good by a secret that it shares, and that end by themselves:
//! draft-uberti-behave-turn-rest-00, section 2.2.

use std::{
    fmt::{self, Display},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::config::Secret;

/// See the module. `Debug` does not show the credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// When they end, in seconds since 1970, a colon, and whose they are.
    pub username: String,
    /// Base64 of the HMAC-SHA1 of the username.
    pub credential: String,
}

impl Credentials {
    /// Those of `name`, which are good until `expires_at`.
    pub fn of(secret: &Secret, name: &impl Display, expires_at: SystemTime) -> Self {
        let since_1970 = expires_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let username = format!("{}:{name}", since_1970.as_secs());
        let mac = Hmac::<Sha1>::new_from_slice(secret.bytes());
        let mac = mac.expect("a key of any length is taken").chain_update(&username).finalize();
        Self { username, credential: BASE64_STANDARD.encode(mac.into_bytes()) }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}
