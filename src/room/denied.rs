//! Why a room refuses a command.

/// A refusal. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Every seat is taken.
    #[error("Room is full")]
    Full,
    /// It is locked.
    #[error("Room is locked")]
    Locked,
    /// It is empty, and waits for those who lost their seats in it.
    #[error("The room waits for its members to come back")]
    Held,
    /// A ban stands against the client.
    #[error("Banned by an administrator")]
    Banned,
    /// It has a password, and none was shown.
    #[error("The room has a password")]
    PasswordRequired,
    /// The password has to be looked at: compared with the room's hash, or hashed where there is no room.
    #[error("The room's password changed just now; try again")]
    PasswordUnchecked,
    /// A password was shown, and it has none: it shall not look protected.
    #[error("The room has no password")]
    PasswordNotSet,
    /// As many wait for a seat as may.
    #[error("Too many wait to be let in")]
    LobbyFull,
    /// Only a host may ask for that, and of another host by token only one of these.
    #[error("Only a host may do that")]
    Forbidden,
    /// There must be a host.
    #[error("Make somebody else a host first")]
    LastHost,
    /// The command is about a member, and the client is none.
    #[error("Not a member of the room")]
    NotAMember,
    /// The command is about somebody who waits, and the client does not.
    #[error("Nobody of that name waits for a seat")]
    NotWaiting,
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
