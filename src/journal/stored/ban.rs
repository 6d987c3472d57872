//! Bans as a hash with a field `b:` and its id for each, and their changes as entries of the log.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::SystemTime};

use ipnet::IpNet;
use prost::Message;

use super::{
    Field, StoredEntry, StoredError,
    entry::{cause, from_cause},
    pb::{self, ban::Subject as Whom, ban_entry::Change as What},
    scalar::{from_id, from_time, id, message, name, name_if_any, present, time},
};
use crate::{
    ban::{Ban, Bans, Change, Subject},
    event::{Cause, Position},
};

const BAN: &str = "b:";

/// What `changes` do to what is stored of the bans.
pub fn ban_delta(changes: &[Change]) -> Vec<Field> {
    let field = |change: &Change| match change {
        Change::Created(ban) => (key(ban), Some(from_ban(ban).encode_to_vec())),
        Change::Deleted(ban) => (key(ban), None),
    };
    // Each once, as the last change leaves it.
    changes.iter().map(field).collect::<BTreeMap<_, _>>().into_iter().collect()
}

fn key(ban: &Ban) -> String {
    format!("{BAN}{}", ban.id)
}

/// The bans that `fields` were stored of, whose last event was at `version`; limited as in [`Bans::new`].
///
/// # Errors
/// [`StoredError`], if one of them tells of no ban.
pub fn bans(
    (most, most_of_a_network): (usize, usize),
    version: Position,
    fields: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> Result<Bans, StoredError> {
    let stored = fields.into_iter().filter(|(field, _)| field.starts_with(BAN));
    let bans = stored.map(|(_, value)| ban(message(&value)?)).collect::<Result<_, _>>()?;
    Ok(Bans::restored(most, most_of_a_network, version, bans))
}

/// What the log has of `change`, which was decided at `at`.
pub fn ban_entry(cause: &Cause, at: SystemTime, change: &Change) -> Vec<u8> {
    let what = match change {
        Change::Created(ban) => What::Created(from_ban(ban)),
        Change::Deleted(ban) => What::Deleted(from_ban(ban)),
    };
    let (at, cause) = (from_time(at), Some(from_cause(cause)));
    pb::BanEntry { at, cause, change: Some(what) }.encode_to_vec()
}

/// What [`ban_entry`] made `bytes` of.
///
/// # Errors
/// [`StoredError`], if they tell of no change.
pub fn read_ban_entry(bytes: &[u8]) -> Result<StoredEntry<Change>, StoredError> {
    let pb::BanEntry { at, cause: who, change } = message(bytes)?;
    let change = match change.ok_or(StoredError::NewerRelease("a kind of change"))? {
        What::Created(new) => Change::Created(ban(new)?),
        What::Deleted(old) => Change::Deleted(ban(old)?),
    };
    Ok(StoredEntry { cause: cause(present(who)?)?, at: time(at), change, word: None })
}

fn from_ban(ban: &Ban) -> pb::Ban {
    let Ban { id, room_id, subject, reason, created_at, expires_at, host } = ban;
    pb::Ban {
        id: from_id(*id),
        room_id: room_id.as_ref().map(ToString::to_string),
        subject: Some(match subject {
            Subject::User(user_id) => Whom::UserId(user_id.to_string()),
            Subject::Network(network) => Whom::Network(from_network(*network)),
        }),
        reason: reason.as_ref().map(ToString::to_string),
        created_at: from_time(*created_at),
        expires_at: expires_at.map(from_time),
        host: host.map(from_network),
    }
}

fn ban(ban: pb::Ban) -> Result<Arc<Ban>, StoredError> {
    let subject = match ban.subject.ok_or(StoredError::NewerRelease("whom a ban is for"))? {
        Whom::UserId(user_id) => Subject::User(name(&user_id)?),
        Whom::Network(network) => Subject::Network(self::network(&network)?),
    };
    Ok(Arc::new(Ban {
        id: id(&ban.id)?,
        room_id: name_if_any(ban.room_id)?,
        subject,
        reason: ban.reason.map(Arc::from),
        created_at: time(ban.created_at),
        expires_at: ban.expires_at.map(time),
        host: ban.host.as_ref().map(network).transpose()?,
    }))
}

fn from_network(network: IpNet) -> pb::Network {
    let address = match network.addr() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    pb::Network { address, prefix: network.prefix_len().into() }
}

fn network(network: &pb::Network) -> Result<IpNet, StoredError> {
    const DAMAGED: StoredError = StoredError::Damaged("a network");
    let of_4 = <[u8; 4]>::try_from(&*network.address).map(IpAddr::from);
    let of_16 = || <[u8; 16]>::try_from(&*network.address).map(IpAddr::from);
    let address = of_4.or_else(|_| of_16()).map_err(|_| DAMAGED)?;
    let prefix = u8::try_from(network.prefix).map_err(|_| DAMAGED)?;
    IpNet::new(address, prefix).map_err(|_| DAMAGED)
}
