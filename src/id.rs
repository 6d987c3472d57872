//! The names of clients, rooms and users: checked once at the edge, then cheap to clone.

mod incarnation;

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

use serde::{Serialize, Serializer};
use uuid::Uuid;

pub use incarnation::{Incarnation, NotAnIncarnation};

use crate::config::limits;

/// The server's name for one connection: a random UUID (RFC 9562, version 4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientId(Uuid);

/// For maps by [`ClientId`]: the server draws the ids, so nobody can choose ones that collide.
pub type IdHasher = foldhash::fast::FixedState;

impl ClientId {
    /// A name that no other connection has.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The name as text, without an allocation.
    pub fn encode<'a>(&self, buffer: &'a mut [u8; 45]) -> &'a str {
        self.0.hyphenated().encode_lower(buffer)
    }
}

impl Hash for ClientId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.0.as_u128());
    }
}

impl FromStr for ClientId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        // The crate also reads braces and URNs; a client id has the one form that we wrote.
        if text.len() != 36 {
            return Err(InvalidName::NotAClientId);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidName::NotAClientId)
    }
}

impl From<u128> for ClientId {
    fn from(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }
}

impl From<ClientId> for u128 {
    fn from(id: ClientId) -> Self {
        id.0.as_u128()
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.encode(&mut Uuid::encode_buffer()))
    }
}

/// Why a text cannot be the name it was meant as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing between the quotes.
    #[error("must not be empty")]
    Empty,
    /// Longer than its limit, in characters.
    #[error("must be at most {max_chars} characters long")]
    TooLong {
        /// The limit.
        max_chars: usize,
    },
    /// Not a UUID in the hyphenated form.
    #[error("must be a client's id, a UUID such as 0b0e4f3a-6a55-4e1c-9f3e-3c2f5a1d9a10")]
    NotAClientId,
}

/// Whether a text has more than so many characters.
pub(crate) fn is_longer(text: &str, max_chars: usize) -> bool {
    // No character takes fewer bytes than one, so most texts need no count.
    text.len() > max_chars && text.chars().count() > max_chars
}

fn checked(text: &str, max_chars: usize) -> Result<Arc<str>, InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if is_longer(text, max_chars) {
        return Err(InvalidName::TooLong { max_chars });
    }
    Ok(text.into())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max_chars:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                checked(text, $max_chars).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

name!(
    /// A room's name, chosen by whoever joins first: 1 to [`limits::NAME_CHARS`] characters.
    RoomId, limits::NAME_CHARS
);
name!(
    /// A user's own name for itself, vouched for by nobody: 1 to [`limits::NAME_CHARS`] characters.
    UserId, limits::NAME_CHARS
);
name!(
    /// What to show to people: 1 to [`limits::LABEL_CHARS`] characters.
    DisplayName, limits::LABEL_CHARS
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_characters_not_bytes() {
        let longest = "語".repeat(limits::NAME_CHARS);
        assert_eq!(longest.parse::<RoomId>().unwrap().as_str(), longest);
        assert_eq!(
            format!("{longest}x").parse::<RoomId>(),
            Err(InvalidName::TooLong { max_chars: limits::NAME_CHARS })
        );
        assert_eq!("".parse::<UserId>(), Err(InvalidName::Empty));
    }

    #[test]
    fn client_ids_have_one_form() {
        let id = ClientId::random();
        assert_eq!(id.to_string().parse::<ClientId>(), Ok(id));
        for other in ["", "nobody", "{0b0e4f3a-6a55-4e1c-9f3e-3c2f5a1d9a10}", &"0".repeat(32)] {
            assert_eq!(other.parse::<ClientId>(), Err(InvalidName::NotAClientId), "{other}");
        }
    }
}
