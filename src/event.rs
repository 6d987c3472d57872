//! What everything that is sequenced has in common: its place in the order, and who or what brought it about.

use std::{fmt, str::FromStr, sync::Arc, time::SystemTime};

use crate::{
    config::{ADMIN_TOKEN_PREFIX, limits},
    id::{ClientId, is_longer},
};

/// A place in the log of all events. Positions only rise; zero stands before the first.
///
/// The memory journal counts 1, 2, 3…; a Redis stream id (48 bits of milliseconds, 16 of sequence) fits too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// Before everything: the version of what does not exist.
    pub const ZERO: Self = Self(0);
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

/// A change with its place in the order of things.
#[derive(Debug, Clone)]
pub struct Event<C> {
    /// Where the log has it; from now on the version of what changed.
    pub position: Position,
    /// That version before it. Anything else there means that events are missing or came twice.
    pub prev: Position,
    /// When it was decided.
    pub at: SystemTime,
    /// Who or what brought it about.
    pub cause: Cause,
    /// What happened.
    pub change: C,
}

/// Who or what brings a change about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A client, by a request or by its departure.
    Client(ClientId),
    /// An administrator.
    Administrator(Administrator),
    /// A time that ran out.
    Timer,
    /// The server itself: it stops, or one of its limits was passed.
    Server,
}

/// An administrator's name, as credentials vouch for it; an empty one where nobody is asked for them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Administrator(Arc<str>);

impl FromStr for Administrator {
    type Err = &'static str;

    /// Letters, digits and `.`, `_`, `-` and `@`; at most [`limits::LABEL_CHARS`].
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let fits = |c: char| c.is_alphanumeric() || "._-@".contains(c);
        if text.is_empty() || is_longer(text, limits::LABEL_CHARS) || !text.chars().all(fits) {
            return Err("must have a name of at most 64 letters, digits and . _ - @");
        }
        if text.contains(ADMIN_TOKEN_PREFIX) {
            return Err("must have a name that is not a token");
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Administrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
