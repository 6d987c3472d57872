//! What somebody may do in a room beside talking.

/// In rising order: who may more is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Came without a token where others have one.
    Guest,
    /// An ordinary member.
    Member,
    /// Says who may enter and who must go.
    Host,
}

impl Role {
    /// Every role, for tables and tests.
    pub const ALL: [Self; 3] = [Self::Guest, Self::Member, Self::Host];

    /// Its name in both protocols and in tokens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Member => "member",
            Self::Host => "host",
        }
    }
}
