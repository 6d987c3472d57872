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
    /// A ban stands against the client.
    #[error("Banned by an administrator")]
    Banned,
    /// The command is about a member, and the client is none.
    #[error("Not a member of the room")]
    NotAMember,
    /// The command is about a room, and there is none.
    #[error("No such room")]
    NoSuchRoom,
    /// The command makes a room, and there is one.
    #[error("The room exists already")]
    Exists,
    /// The command is meant for other settings than the room has.
    #[error("The room's settings are others by now")]
    Changed,
}
