//! What opens a room again to somebody whose seat was lost.

use std::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{config::limits, room::ReturnKey};

/// A secret of its client's, of 122 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct ReturnToken {
    text: Box<str>,
    key: ReturnKey,
}

impl ReturnToken {
    /// One that nobody else has.
    pub fn random() -> Self {
        Self::of(Uuid::new_v4().simple().encode_lower(&mut Uuid::encode_buffer()))
    }

    /// What a client shows; none where no token is so long.
    pub fn shown(text: &str) -> Option<Self> {
        (text.len() <= limits::RETURN_TOKEN_BYTES).then(|| Self::of(text))
    }

    fn of(text: &str) -> Self {
        let hash = Sha256::digest(text.as_bytes());
        let (half, _) = hash.split_first_chunk().expect("it has 32 bytes");
        Self { text: text.into(), key: ReturnKey(*half) }
    }

    /// What the room knows it by.
    pub fn key(&self) -> ReturnKey {
        self.key
    }
}

/// Shows nothing of it.
impl fmt::Debug for ReturnToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReturnToken")
    }
}

impl Serialize for ReturnToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
