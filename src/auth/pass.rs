//! What a token says of who has it.

use std::{
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{Refused, token::Object};
use crate::{
    config::{AuthFlags, limits},
    id::{DisplayName, RoomId, UserId},
    room::{Role, Vouched},
};

/// In seconds since 1970: the end of the year 9999. What is later is no time but a mistake.
const LAST: f64 = 253_402_300_799.0;

/// See the module. It held when it was read; [`Pass::expires_at`] is for others to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Who it is (`sub`).
    pub user_id: UserId,
    /// What to show to people (`name`), if it says so.
    pub display_name: Option<DisplayName>,
    /// What it may do in a room (`role`); a member if nothing is said.
    pub role: Role,
    /// What is vouched for beside that (`metadata`): at most [`limits::VOUCHED_BYTES`] of JSON text.
    pub vouched: Arc<Vouched>,
    /// When it ends (`exp`).
    pub expires_at: SystemTime,
    /// Names, and beginnings of names with `*` behind them; none: every room.
    rooms: Option<Box<[Box<str>]>>,
}

/// Whose tokens, for whom, are taken.
#[derive(Debug, Default)]
pub(super) struct Expected {
    issuer: Option<String>,
    audiences: Vec<String>,
}

impl Pass {
    /// Whether its owner may enter this room.
    pub fn admits(&self, room: &RoomId) -> bool {
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(beginning) => room.as_str().starts_with(beginning),
            None => room.as_str() == pattern,
        };
        self.rooms.as_ref().is_none_or(|rooms| rooms.iter().any(|pattern| fits(pattern)))
    }

    /// What it admits to, as the token has it; none: every room.
    pub fn rooms(&self) -> Option<&[Box<str>]> {
        self.rooms.as_deref()
    }
}

impl Expected {
    pub(super) fn of(flags: &AuthFlags) -> Self {
        Self { issuer: flags.jwt_issuer.clone(), audiences: flags.jwt_audiences.clone() }
    }

    /// Of whoever has a key, for these.
    pub(super) fn for_audience(audiences: Vec<String>) -> Self {
        Self { issuer: None, audiences }
    }

    /// Reads the claims (RFC 7519, section 4) of a token whose signature was verified.
    pub(super) fn pass(&self, claims: &Object, now: SystemTime) -> Result<Pass, Refused> {
        self.check_parties(claims)?;
        let expires_at = check_times(claims, now)?;
        let user_id = claims.get::<String>("sub", "`sub` is no string")?;
        let user_id = user_id.ok_or(Refused("it has no `sub`"))?;
        let display_name = claims.get::<String>("name", "`name` is no string")?;
        let display_name = display_name.filter(|name| !name.is_empty());
        Ok(Pass {
            user_id: plain(&user_id, "`sub` cannot be a userId")?,
            display_name: display_name
                .map(|name| plain(&name, "`name` cannot be a displayName"))
                .transpose()?,
            role: role(claims)?,
            vouched: Arc::new(Vouched { metadata: metadata(claims)? }),
            expires_at,
            rooms: rooms(claims)?,
        })
    }

    fn check_parties(&self, claims: &Object) -> Result<(), Refused> {
        if self.issuer.is_some()
            && claims.get::<String>("iss", "`iss` is no string")? != self.issuer
        {
            return Err(Refused("`iss` is not the --jwt-issuer"));
        }
        const OTHERWISE: &str = "`aud` is no string and no list of strings";
        let one = || Ok(claims.get::<String>("aud", OTHERWISE)?.map(|audience| vec![audience]));
        let audiences = claims.get::<Vec<String>>("aud", OTHERWISE).or_else(|_| one())?;
        match audiences {
            None if self.audiences.is_empty() => Ok(()),
            None => Err(Refused("it has no `aud`")),
            Some(named) if named.iter().any(|name| self.audiences.contains(name)) => Ok(()),
            Some(_) => Err(Refused("`aud` names no --jwt-audience")),
        }
    }
}

/// When the token ends, unless it did, or does not hold yet.
fn check_times(claims: &Object, now: SystemTime) -> Result<SystemTime, Refused> {
    let expires_at = time(claims, "exp", "`exp` is no time")?.ok_or(Refused("it has no `exp`"))?;
    if now >= expires_at + limits::TOKEN_LEEWAY {
        return Err(Refused("it has expired"));
    }
    let latest = now + limits::TOKEN_LEEWAY;
    if time(claims, "nbf", "`nbf` is no time")?.is_some_and(|begins_at| begins_at > latest) {
        return Err(Refused("it does not hold yet"));
    }
    match time(claims, "iat", "`iat` is no time")? {
        Some(made_at) if made_at > latest => Err(Refused("it is of the future")),
        Some(made_at) if made_at > expires_at => Err(Refused("it expired before it was made")),
        _ => Ok(expires_at),
    }
}

fn time(
    claims: &Object,
    name: &str,
    otherwise: &'static str,
) -> Result<Option<SystemTime>, Refused> {
    let Some(seconds) = claims.get::<f64>(name, otherwise)? else { return Ok(None) };
    if !(0.0..=LAST).contains(&seconds) {
        return Err(Refused(otherwise));
    }
    Ok(Some(UNIX_EPOCH + Duration::from_secs_f64(seconds)))
}

/// A name without characters that do something to the text around them.
fn plain<T: FromStr>(text: &str, otherwise: &'static str) -> Result<T, Refused> {
    let name = text.parse().ok().filter(|_| !text.contains(char::is_control));
    name.ok_or(Refused(otherwise))
}

fn role(claims: &Object) -> Result<Role, Refused> {
    const OTHERWISE: &str = "`role` is none of guest, member and host";
    let Some(name) = claims.get::<String>("role", OTHERWISE)? else { return Ok(Role::Member) };
    let role = Role::ALL.into_iter().find(|role| role.as_str() == name);
    role.ok_or(Refused(OTHERWISE))
}

fn metadata(claims: &Object) -> Result<Option<Box<str>>, Refused> {
    match claims.json("metadata") {
        Some("null") => Err(Refused("`metadata` is null; a claim without a value is left out")),
        Some(json) if json.len() > limits::VOUCHED_BYTES => Err(Refused("`metadata` is too long")),
        metadata => Ok(metadata.map(Box::from)),
    }
}

fn rooms(claims: &Object) -> Result<Option<Box<[Box<str>]>>, Refused> {
    let rooms = claims.get::<Box<[Box<str>]>>("rooms", "`rooms` is no list of strings")?;
    let Some(rooms) = rooms else { return Ok(None) };
    if rooms.len() > limits::TOKEN_ROOMS {
        return Err(Refused("`rooms` names too many"));
    }
    let is_name = |text: &str| text.parse::<RoomId>().is_ok();
    let may_be = |room: &str| room == "*" || is_name(room.strip_suffix('*').unwrap_or(room));
    if !rooms.iter().all(|room| may_be(room)) {
        return Err(Refused("`rooms` has what cannot be the name of a room, or its beginning"));
    }
    Ok(Some(rooms))
}
