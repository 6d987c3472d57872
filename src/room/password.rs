//! What a room knows of its password.

use std::{fmt, sync::Arc};

/// A password's hash in PHC string format, as Argon2id makes it. Two of one password differ by their salts: whoever
/// names one, names the moment at which it was set.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Arc<str>);

impl PasswordHash {
    /// Takes what a hasher made.
    pub fn new(phc: &str) -> Self {
        Self(phc.into())
    }

    /// For a hasher to compare with.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows nothing: what can be guessed from it is a secret.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

/// What somebody who asks for a seat shows of the room's password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    None,
    /// A password that nobody has looked at yet.
    Unchecked,
    /// The password whose hash this is.
    Right(PasswordHash),
    /// This hash of a password, for a room that does not exist yet.
    New(PasswordHash),
}
