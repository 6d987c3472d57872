//! What everything that is sequenced has in common: its place in the order, and who or what brought it about.

use std::{fmt, sync::Arc, time::SystemTime};

use crate::id::ClientId;

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
    /// An administrator of this name; an empty one as long as nothing vouches for names.
    Administrator(Arc<str>),
    /// A time that ran out.
    Timer,
    /// The server itself: it stops, or one of its limits was passed.
    Server,
}

impl Cause {
    /// An administrator, whoever it is.
    pub fn administrator() -> Self {
        Self::Administrator("".into())
    }
}
