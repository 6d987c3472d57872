//! Who is kept out, as pure functions: [`Bans::decide`] says what a command changes, [`Bans::apply`] changes it.
//! All bans are one thing in the order of events, as a room is; they stand whether their room exists or not.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

mod state;

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc, time::SystemTime};

use ipnet::{IpNet, Ipv6Net};
use uuid::Uuid;

pub use state::Bans;

use crate::{
    event,
    id::{RoomId, UserId},
};

/// Somebody who is kept out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Its own name.
    pub id: BanId,
    /// From which room; none: from the whole server.
    pub room_id: Option<RoomId>,
    /// Who.
    pub subject: Subject,
    /// What people are told, if not the server's own words.
    pub reason: Option<Arc<str>>,
    /// Since when.
    pub created_at: SystemTime,
    /// Until when; none: until it is deleted.
    pub expires_at: Option<SystemTime>,
    /// From where the host came that made it; none: an administrator did.
    pub host: Option<IpNet>,
}

/// Who is meant by a ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Whoever calls itself so.
    User(UserId),
    /// Whoever comes from there.
    Network(IpNet),
}

/// A ban's name: a random UUID (RFC 9562, version 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BanId(Uuid);

/// A wish, which [`Bans::decide`] turns into changes or refuses.
#[derive(Debug, Clone)]
pub enum Command {
    /// Let these stand, all of them or none.
    Create(Vec<Arc<Ban>>),
    /// The same of one that a host wants, instead of an equal one by a host: while more than half of the places are
    /// left for administrators, and hosts of its network have not made as many as they may.
    CreateByHost(Arc<Ban>),
    /// End one before its time.
    Delete(BanId),
    /// End those whose time ran out. Never refused.
    Expire,
    /// End those that hosts of this room made, which ended. Never refused.
    EndOfRoom(RoomId),
}

/// What happened to the bans.
#[derive(Debug, Clone)]
pub enum Change {
    /// One stands from now on.
    Created(Arc<Ban>),
    /// One ended.
    Deleted(Arc<Ban>),
}

/// A change of the bans in its order.
pub type Event = event::Event<Change>;

/// A refusal. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There are as many as there may be.
    #[error("Too many bans")]
    TooMany,
    /// There is none of that name.
    #[error("No such ban")]
    NoSuchBan,
}

impl Ban {
    /// Whether it is for somebody of this name, or from this address.
    pub fn meets(&self, user_id: Option<&UserId>, address: IpAddr) -> bool {
        match &self.subject {
            Subject::User(banned) => user_id == Some(banned),
            Subject::Network(network) => network.contains(&address.to_canonical()),
        }
    }

    /// Whether it is not for somebody whose name a token vouches for: a host's ban of an address is for those without.
    pub fn spares(&self, is_vouched: bool) -> bool {
        is_vouched && self.host.is_some() && matches!(self.subject, Subject::Network(_))
    }

    /// About how many bytes of text it holds.
    pub fn weight(&self) -> usize {
        self.room_id.as_ref().map_or(0, |id| id.as_str().len())
            + self.reason.as_ref().map_or(0, |text| text.len())
            + match &self.subject {
                Subject::User(user_id) => user_id.as_str().len(),
                Subject::Network(_) => 0,
            }
    }
}

impl Change {
    /// Which ban it is about.
    pub fn ban(&self) -> &Arc<Ban> {
        match self {
            Self::Created(ban) | Self::Deleted(ban) => ban,
        }
    }
}

impl From<IpAddr> for Subject {
    /// See [`network_of`].
    fn from(address: IpAddr) -> Self {
        Self::Network(network_of(address))
    }
}

/// The address, or the /64 of an IPv6 address: whoever has one has 2^64 of them (RFC 6177).
pub fn network_of(address: IpAddr) -> IpNet {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address).into(),
        IpAddr::V6(address) => Ipv6Net::new(address, 64).expect("64 is at most 128").trunc().into(),
    }
}

impl BanId {
    /// A name that no other ban has.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl From<u128> for BanId {
    fn from(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }
}

impl From<BanId> for u128 {
    fn from(id: BanId) -> Self {
        id.0.as_u128()
    }
}

impl fmt::Display for BanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BanId {
    type Err = uuid::Error;

    /// Only the hyphenated form, in which it is written.
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        uuid::fmt::Hyphenated::from_str(text).map(|id| Self(id.into_uuid()))
    }
}
