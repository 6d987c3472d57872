//! Who sits, waits, or lost a seat, and by which role.

use std::{sync::Arc, time::SystemTime};

use super::{
    StoredError, pb,
    scalar::{from_id, from_time, id, name_if_any, present, time},
};
use crate::{
    id::Incarnation,
    room::{Claim, Identity, LeaveReason, Member, ReturnKey, Role, Standing, Vouched, Waiter},
};

pub(super) fn from_member(member: &Member) -> pb::Member {
    let Member { client_id, identity, metadata, vouched, joined_at, standing, return_key, node } =
        member;
    pb::Member {
        client_id: from_id(*client_id),
        user_id: identity.user_id.as_ref().map(ToString::to_string),
        display_name: identity.display_name.as_ref().map(ToString::to_string),
        metadata: metadata.as_ref().map(ToString::to_string),
        vouched: vouched
            .as_ref()
            .map(|vouched| pb::Vouched { metadata: vouched.metadata.as_deref().map(Into::into) }),
        joined_at: from_time(*joined_at),
        standing: Some(from_standing(*standing)),
        return_key: return_key.0.to_vec(),
        node: node.0,
    }
}

pub(super) fn member(member: pb::Member) -> Result<Arc<Member>, StoredError> {
    let vouched =
        member.vouched.map(|vouched| Vouched { metadata: vouched.metadata.map(Into::into) });
    Ok(Arc::new(Member {
        client_id: id(&member.client_id)?,
        identity: Identity {
            user_id: name_if_any(member.user_id)?,
            display_name: name_if_any(member.display_name)?,
        },
        metadata: member.metadata.map(Into::into),
        vouched: vouched.map(Arc::new),
        joined_at: time(member.joined_at),
        standing: standing(present(member.standing)?)?,
        return_key: return_key(&member.return_key)?,
        node: Incarnation(member.node),
    }))
}

pub(super) fn from_waiter(waiter: &Waiter) -> pb::Waiter {
    pb::Waiter { member: Some(from_member(&waiter.member)), until: from_time(waiter.until) }
}

pub(super) fn waiter(waiter: pb::Waiter) -> Result<Waiter, StoredError> {
    Ok(Waiter { member: member(present(waiter.member)?)?, until: time(waiter.until) })
}

pub(super) fn from_lost((until, claim): &(SystemTime, Claim)) -> pb::LostSeat {
    let Claim { client_id, standing, key, user_id, is_vouched } = claim;
    pb::LostSeat {
        until: from_time(*until),
        client_id: from_id(*client_id),
        standing: Some(from_standing(*standing)),
        return_key: key.0.to_vec(),
        user_id: user_id.as_ref().map(ToString::to_string),
        vouched: *is_vouched,
    }
}

pub(super) fn lost(lost: pb::LostSeat) -> Result<(SystemTime, Claim), StoredError> {
    let claim = Claim {
        client_id: id(&lost.client_id)?,
        standing: standing(present(lost.standing)?)?,
        key: return_key(&lost.return_key)?,
        user_id: name_if_any(lost.user_id)?,
        is_vouched: lost.vouched,
    };
    Ok((time(lost.until), claim))
}

fn return_key(bytes: &[u8]) -> Result<ReturnKey, StoredError> {
    bytes.try_into().map(ReturnKey).map_err(|_| StoredError::Damaged("a return key"))
}

fn from_standing(Standing { granted, role, acting }: Standing) -> pb::Standing {
    pb::Standing { granted: from_role(granted).into(), role: from_role(role).into(), acting }
}

fn standing(standing: pb::Standing) -> Result<Standing, StoredError> {
    let pb::Standing { granted, role, acting } = standing;
    Ok(Standing { granted: self::role(granted)?, role: self::role(role)?, acting })
}

pub(super) fn from_role(role: Role) -> pb::Role {
    match role {
        Role::Guest => pb::Role::Guest,
        Role::Member => pb::Role::Member,
        Role::Host => pb::Role::Host,
    }
}

pub(super) fn role(number: i32) -> Result<Role, StoredError> {
    let role = pb::Role::try_from(number).map_err(|_| StoredError::NewerRelease("a role"))?;
    match role {
        pb::Role::Unspecified => Err(StoredError::Damaged("a role")),
        pb::Role::Guest => Ok(Role::Guest),
        pb::Role::Member => Ok(Role::Member),
        pb::Role::Host => Ok(Role::Host),
    }
}

/// Each reason and how it is written.
const REASONS: [(LeaveReason, pb::LeaveReason); LeaveReason::ALL.len()] = [
    (LeaveReason::Left, pb::LeaveReason::Left),
    (LeaveReason::Moved, pb::LeaveReason::Moved),
    (LeaveReason::Rejoined, pb::LeaveReason::Rejoined),
    (LeaveReason::Disconnected, pb::LeaveReason::Disconnected),
    (LeaveReason::Timeout, pb::LeaveReason::Timeout),
    (LeaveReason::SlowConsumer, pb::LeaveReason::SlowConsumer),
    (LeaveReason::RateLimited, pb::LeaveReason::RateLimited),
    (LeaveReason::ProtocolError, pb::LeaveReason::ProtocolError),
    (LeaveReason::TokenExpired, pb::LeaveReason::TokenExpired),
    (LeaveReason::ServerShutdown, pb::LeaveReason::ServerShutdown),
    (LeaveReason::InternalError, pb::LeaveReason::InternalError),
    (LeaveReason::Removed, pb::LeaveReason::Removed),
    (LeaveReason::Banned, pb::LeaveReason::Banned),
    (LeaveReason::RoomClosed, pb::LeaveReason::RoomClosed),
    (LeaveReason::NodeLost, pb::LeaveReason::NodeLost),
];

pub(super) fn from_reason(reason: LeaveReason) -> pb::LeaveReason {
    let written = REASONS.iter().find(|(known, _)| *known == reason);
    written.expect("a test finds each of them").1
}

pub(super) fn reason(number: i32) -> Result<LeaveReason, StoredError> {
    let known = REASONS.iter().find(|(_, written)| *written as i32 == number);
    known.map(|(reason, _)| *reason).ok_or(match number {
        0 => StoredError::Damaged("a reason"),
        _ => StoredError::NewerRelease("a reason"),
    })
}
