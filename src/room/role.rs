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

/// A member's role, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// By its token, or as everybody has it without one.
    pub granted: Role,
    /// What it is now.
    pub role: Role,
    /// Whether it is host only since somebody has to be.
    pub acting: bool,
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

impl Standing {
    /// Of somebody who comes with this role.
    pub fn granted(granted: Role) -> Self {
        Self { granted, role: granted, acting: false }
    }

    /// Whether it says who may enter.
    pub fn is_host(self) -> bool {
        self.role == Role::Host
    }

    /// Whether it is host by its own token, which no other host can change.
    pub fn is_host_by_token(self) -> bool {
        self.is_host() && self.granted == Role::Host
    }

    /// Whether it may become host for want of another one: whoever has no token where others do may not.
    pub(super) fn may_act(self) -> bool {
        self.granted >= Role::Member
    }

    /// Host by somebody's word: no other host's return ends that.
    pub(super) fn made_host(self) -> Self {
        Self { role: Role::Host, acting: false, ..self }
    }

    /// Host for want of another one.
    pub(super) fn acting_host(self) -> Self {
        Self { role: Role::Host, acting: true, ..self }
    }

    /// Host no longer.
    pub(super) fn relieved(self) -> Self {
        Self { role: self.granted.min(Role::Member), acting: false, ..self }
    }

    /// With another token: what somebody was made by others stays, what it was by the old one does not.
    pub(super) fn regranted(self, granted: Role) -> Self {
        if granted == self.granted {
            return self;
        }
        let stays_host = self.is_host() && !self.is_host_by_token() && granted != Role::Host;
        if stays_host { Self { granted, ..self } } else { Self::granted(granted) }
    }
}
