//! Whoever sits in a room, waits for a seat, or lost one.

use std::{sync::Arc, time::SystemTime};

use super::{LeaveReason, Role, Standing};
use crate::{
    id::{ClientId, DisplayName, Incarnation, UserId},
    timestamp::Timestamp,
};

/// Whoever sits in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The connection.
    pub client_id: ClientId,
    /// The names it goes by.
    pub identity: Identity,
    /// What it said of itself on joining: JSON text, opaque here.
    pub metadata: Option<Arc<str>>,
    /// What a token says of it; none: nothing vouches for its names.
    pub vouched: Option<Arc<Vouched>>,
    /// When it took its seat; of whoever waits, since when it does. No two who sit have the same, and no two who wait:
    /// they stand in this order.
    pub joined_at: Timestamp,
    /// Its role.
    pub standing: Standing,
    /// What opens the room to it again.
    pub return_key: ReturnKey,
    /// Which node it is connected to.
    pub node: Incarnation,
}

/// What a token says of its bearer beside its names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vouched {
    /// JSON text, opaque here, which room-mates see.
    pub metadata: Option<Box<str>>,
}

/// The names a client goes by; none until it registers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Its own name for itself.
    pub user_id: Option<UserId>,
    /// What to show to people.
    pub display_name: Option<DisplayName>,
}

/// Somebody who asks for a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrant {
    /// The connection.
    pub client_id: ClientId,
    /// The names it goes by.
    pub identity: Identity,
    /// What it says of itself: JSON text, opaque here.
    pub metadata: Option<Arc<str>>,
    /// What a token says of it.
    pub vouched: Option<Arc<Vouched>>,
    /// The role that it comes with.
    pub granted: Role,
    /// What shall open the room to it again.
    pub return_key: ReturnKey,
    /// Which node it is connected to.
    pub node: Incarnation,
}

/// The first half of the SHA-256 of a return token: whoever reads it cannot return by it.
///
/// A member keeps its key when it returns: whose link breaks again before it hears so still has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnKey(pub [u8; 16]);

/// Somebody who waits until a host lets it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    /// As it will sit.
    pub member: Arc<Member>,
    /// Until when it waits at most.
    pub until: SystemTime,
}

/// Why somebody waits no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingEnd {
    /// It has a seat: its join follows.
    Admitted,
    /// A host or an administrator does not want it.
    Denied,
    /// Nobody let it in for as long as it may wait.
    TimedOut,
    /// The lobby was lifted, and there was no seat left.
    Full,
    /// The lobby was lifted, and the room is locked.
    Locked,
    /// It went, or had to, for one of the reasons for which a seat is freed.
    Gone(LeaveReason),
}

/// A seat that somebody may return to, with what it comes with and without what it said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The connection that had it.
    pub client_id: ClientId,
    /// The role that comes with it.
    pub standing: Standing,
    /// What opens the room to whoever shows it.
    pub key: ReturnKey,
    /// Whose it is, if it had a name and not just its connection's.
    pub user_id: Option<UserId>,
    /// Whether a token vouched for that.
    pub is_vouched: bool,
}

impl Entrant {
    pub(super) fn seated(self, standing: Standing, joined_at: Timestamp) -> Member {
        let Self { client_id, identity, metadata, vouched, return_key, node, .. } = self;
        Member { client_id, identity, metadata, vouched, joined_at, standing, return_key, node }
    }
}

impl Member {
    /// About how many bytes of text it holds.
    pub fn weight(&self) -> usize {
        let Identity { user_id, display_name } = &self.identity;
        user_id.as_ref().map_or(0, |id| id.as_str().len())
            + display_name.as_ref().map_or(0, |name| name.as_str().len())
            + self.metadata.as_ref().map_or(0, |json| json.len())
            + self.vouched_metadata().map_or(0, str::len)
    }

    /// What a token says of it, as JSON text.
    pub fn vouched_metadata(&self) -> Option<&str> {
        self.vouched.as_ref()?.metadata.as_deref()
    }

    /// Whether both are of one user, by the word of tokens.
    pub(super) fn is_vouched_same(&self, other: &Self) -> bool {
        let both = self.vouched.is_some() && other.vouched.is_some();
        both && self.identity.user_id == other.identity.user_id
    }

    pub(super) fn with(self: &Arc<Self>, standing: Standing) -> Arc<Self> {
        Arc::new(Self { standing, ..Self::clone(self) })
    }
}

impl Claim {
    pub(super) fn of(member: &Member) -> Self {
        let Member { client_id, ref identity, ref vouched, standing, return_key, .. } = *member;
        let (user_id, is_vouched) = (own_name(client_id, identity).cloned(), vouched.is_some());
        Self { client_id, standing, key: return_key, user_id, is_vouched }
    }

    /// Whether it may be the same user's as this member is: whoever has no name may be anybody without one.
    pub(super) fn may_be_of(&self, member: &Member) -> bool {
        let Self { user_id, is_vouched, .. } = Self::of(member);
        (self.user_id.as_ref(), self.is_vouched) == (user_id.as_ref(), is_vouched)
    }

    /// Whether an entrant is whose seat it is, and not just somebody who knows the token.
    pub(super) fn is_of(&self, entrant: &Entrant) -> bool {
        self.is_vouched == entrant.vouched.is_some()
            && self.user_id.as_ref() == own_name(entrant.client_id, &entrant.identity)
    }
}

/// A user's name, unless the connection's stands in for it: that is another one after a reconnect.
fn own_name(client_id: ClientId, identity: &Identity) -> Option<&UserId> {
    let mut buffer = uuid::Uuid::encode_buffer();
    let stand_in = client_id.encode(&mut buffer);
    identity.user_id.as_ref().filter(|user_id| user_id.as_str() != stand_in)
}

impl WaitingEnd {
    /// Its name in both protocols.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Denied => "denied",
            Self::TimedOut => "waiting-timeout",
            Self::Full => "room-full",
            Self::Locked => "room-locked",
            Self::Gone(reason) => reason.as_str(),
        }
    }
}
