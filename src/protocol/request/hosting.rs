//! What hosts ask for, of the room that they sit in.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use super::{Envelope, Rejected, Seldom, password, string};
use crate::{config::limits, id::ClientId, password::Password, protocol::Json, room::Role};

/// A well-formed request of a host's, about somebody else.
#[derive(Debug, Clone, Copy)]
pub enum Order {
    /// Make a host of a member, or a member of a host.
    SetRole {
        /// Of whom.
        target: ClientId,
        /// Whether it shall be host.
        host: bool,
    },
    /// Take a member's seat.
    Remove {
        /// Whose.
        target: ClientId,
        /// For how many seconds it shall not come back; none: it may at once.
        seconds: Option<u32>,
    },
    /// Tell a member to mute itself, which it may do or not.
    AskToMute {
        /// Whom.
        target: ClientId,
    },
    /// Seat somebody who waits.
    Admit {
        /// Whom; none: everybody, as far as there is room.
        target: Option<ClientId>,
    },
    /// Let somebody wait no longer.
    Deny {
        /// Whom.
        target: ClientId,
    },
}

/// What of a room shall be otherwise; none: as it is.
#[derive(Debug, Default)]
pub struct RoomUpdate {
    /// Whether it refuses whoever is new.
    pub locked: Option<bool>,
    /// The most members it takes, at least 1.
    pub max_members: Option<usize>,
    /// What whoever is new must know, or that there is no such thing.
    pub password: Option<Option<Password>>,
    /// Whether whoever is new waits until a host lets it in.
    pub lobby: Option<bool>,
}

impl<'a> Envelope<'a> {
    /// None where a request of this `kind` is none of a host's.
    pub(super) fn order(&self, kind: &str) -> Result<Option<Order>, Rejected> {
        Ok(Some(match kind {
            "set-role" => Order::SetRole { target: self.target()?, host: self.host()? },
            "remove" => Order::Remove { target: self.target()?, seconds: self.seconds()? },
            "ask-to-mute" => Order::AskToMute { target: self.target()? },
            "admit" => Order::Admit { target: self.target_id.map(super::target).transpose()? },
            "deny" => Order::Deny { target: self.target()? },
            _ => return Ok(None),
        }))
    }

    pub(super) fn update(&self) -> Result<RoomUpdate, Rejected> {
        let most = usize::try_from(limits::MAX_MEMBERS).expect("ten thousand");
        let max_members = self.seldom(|fields| fields.max_members);
        let new_password = self.seldom(|fields| fields.password).map(|raw| match raw.get() {
            "null" => Ok(None),
            _ => password(raw).map(Some),
        });
        Ok(RoomUpdate {
            locked: boolean("locked", self.seldom(|fields| fields.locked))?,
            max_members: number("maxMembers", 1..=most, max_members)?,
            password: new_password.transpose()?,
            lobby: boolean("lobby", self.seldom(|fields| fields.lobby))?,
        })
    }

    fn host(&self) -> Result<bool, Rejected> {
        let raw = self.seldom(|fields| fields.role);
        let raw = raw.ok_or_else(|| Rejected::bad("`role` is missing"))?;
        let role = string("role", raw)?;
        let [host, member] = [Role::Host, Role::Member].map(Role::as_str);
        match &*role {
            role if role == host => Ok(true),
            role if role == member => Ok(false),
            _ => Err(Rejected::bad(format!("`role` must be {host} or {member}"))),
        }
    }

    fn seconds(&self) -> Result<Option<u32>, Rejected> {
        let longest = limits::LONGEST_BAN_BY_HOST.as_secs();
        let longest = u32::try_from(longest).expect("a day");
        number("seconds", 1..=longest, self.seldom(|fields| fields.seconds))
    }

    fn seldom(&self, field: impl FnOnce(&Seldom<'a>) -> Option<Json<'a>>) -> Option<Json<'a>> {
        self.seldom.as_deref().and_then(field)
    }
}

fn boolean(field: &str, raw: Option<Json<'_>>) -> Result<Option<bool>, Rejected> {
    let value = raw.map(|raw| raw.get().parse());
    value.transpose().map_err(|_| Rejected::bad(format!("`{field}` must be true or false")))
}

fn number<T: FromStr + PartialOrd + Display>(
    field: &str,
    range: RangeInclusive<T>,
    raw: Option<Json<'_>>,
) -> Result<Option<T>, Rejected> {
    let Some(raw) = raw else { return Ok(None) };
    let value = raw.get().parse().ok().filter(|value| range.contains(value));
    let (least, most) = range.into_inner();
    value.map(Some).ok_or_else(|| {
        Rejected::bad(format!("`{field}` must be a whole number from {least} to {most}"))
    })
}
