//! Why a room refuses a command.

/// A refusal. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Every seat is taken.
    #[error("Room is full")]
    Full,
    /// An administrator locked it.
    #[error("Room is locked")]
    Locked,
    /// The command is about a member, and the client is none.
    #[error("Not a member of the room")]
    NotAMember,
    /// The command is about a room, and there is none: nobody sits in it.
    #[error("No such room")]
    NoSuchRoom,
}
