//! A change of a room as an entry of the log.

use std::{sync::Arc, time::SystemTime};

use prost::Message;

use super::{
    StoredEntry, StoredError, Word,
    pb::{self, cause::Who, room_entry::Change as What},
    people::{from_member, from_reason, from_role, from_waiter, member, reason, role, waiter},
    room::{from_settings, settings},
    scalar::{from_id, from_time, id, message, name, name_if_any, present, time},
};
use crate::{
    event::{Administrator, Cause},
    room::{Change, WaitingEnd},
};

/// What the log has of `change`, which was decided at `at`; `word` is for those whom it unseats.
pub fn entry(cause: &Cause, at: SystemTime, change: &Change, word: Option<&Word>) -> Vec<u8> {
    let word = word.map(|Word { text, ends }| pb::Word {
        text: text.as_ref().map(ToString::to_string),
        ends: *ends,
    });
    let (at, cause) = (from_time(at), Some(from_cause(cause)));
    pb::RoomEntry { at, cause, change: Some(from_change(change)), word }.encode_to_vec()
}

/// What [`entry`] made `bytes` of.
///
/// # Errors
/// [`StoredError`], if they tell of no change.
pub fn read_entry(bytes: &[u8]) -> Result<StoredEntry<Change>, StoredError> {
    let pb::RoomEntry { at, cause, change, word } = message(bytes)?;
    let word = word.map(|pb::Word { text, ends }| {
        let text = text.map(Arc::from);
        Word { text, ends }
    });
    let what = change.ok_or(StoredError::NewerRelease("a kind of change"))?;
    Ok(StoredEntry {
        cause: self::cause(present(cause)?)?,
        at: time(at),
        change: self::change(what)?,
        word,
    })
}

fn from_change(change: &Change) -> What {
    match change {
        Change::Created { settings } => What::Created(from_settings(settings)),
        Change::Joined(member) => What::Joined(from_member(member)),
        Change::Renamed { member, previous } => What::Renamed(pb::Renamed {
            member: Some(from_member(member)),
            previous_user_id: previous.as_ref().map(ToString::to_string),
        }),
        Change::RoleChanged { member, previous } => What::RoleChanged(pb::RoleChanged {
            member: Some(from_member(member)),
            previous: from_role(*previous).into(),
        }),
        Change::Moved { member } => What::Moved(from_member(member)),
        Change::Waiting(waiter) => What::Waiting(from_waiter(waiter)),
        Change::WaitingEnded { client_id, user_id, reason } => {
            let (end, reason) = from_end(*reason);
            What::WaitingEnded(pb::WaitingEnded {
                client_id: from_id(*client_id),
                user_id: user_id.as_ref().map(ToString::to_string),
                end: end.into(),
                reason: reason.into(),
            })
        }
        Change::Locked => What::Locked(true),
        Change::Unlocked => What::Locked(false),
        Change::Left { client_id, user_id, reason } => What::Left(pb::Left {
            client_id: from_id(*client_id),
            user_id: user_id.as_ref().map(ToString::to_string),
            reason: from_reason(*reason).into(),
        }),
        Change::Updated { settings } => What::Updated(from_settings(settings)),
        Change::Closed => What::Closed(pb::Closed {}),
    }
}

fn change(what: What) -> Result<Change, StoredError> {
    Ok(match what {
        What::Created(new) => Change::Created { settings: settings(new)?.into() },
        What::Joined(who) => Change::Joined(member(who)?),
        What::Renamed(pb::Renamed { member: who, previous_user_id: previous }) => {
            Change::Renamed { member: member(present(who)?)?, previous: name_if_any(previous)? }
        }
        What::RoleChanged(pb::RoleChanged { member: who, previous }) => {
            Change::RoleChanged { member: member(present(who)?)?, previous: role(previous)? }
        }
        What::Moved(who) => Change::Moved { member: member(who)? },
        What::Waiting(who) => Change::Waiting(waiter(who)?),
        What::WaitingEnded(pb::WaitingEnded { client_id, user_id, end, reason }) => {
            let (client_id, user_id) = (id(&client_id)?, name_if_any(user_id)?);
            Change::WaitingEnded { client_id, user_id, reason: self::end(end, reason)? }
        }
        What::Locked(true) => Change::Locked,
        What::Locked(false) => Change::Unlocked,
        What::Left(pb::Left { client_id, user_id, reason }) => {
            let (client_id, user_id) = (id(&client_id)?, name_if_any(user_id)?);
            Change::Left { client_id, user_id, reason: self::reason(reason)? }
        }
        What::Updated(new) => Change::Updated { settings: settings(new)?.into() },
        What::Closed(pb::Closed {}) => Change::Closed,
    })
}

fn from_end(end: WaitingEnd) -> (pb::WaitingEnd, pb::LeaveReason) {
    let none = pb::LeaveReason::Unspecified;
    match end {
        WaitingEnd::Admitted => (pb::WaitingEnd::Admitted, none),
        WaitingEnd::Denied => (pb::WaitingEnd::Denied, none),
        WaitingEnd::TimedOut => (pb::WaitingEnd::TimedOut, none),
        WaitingEnd::Full => (pb::WaitingEnd::Full, none),
        WaitingEnd::Locked => (pb::WaitingEnd::Locked, none),
        WaitingEnd::Gone(reason) => (pb::WaitingEnd::Gone, from_reason(reason)),
    }
}

fn end(number: i32, reason: i32) -> Result<WaitingEnd, StoredError> {
    let end = pb::WaitingEnd::try_from(number);
    match end.map_err(|_| StoredError::NewerRelease("an end of waiting"))? {
        pb::WaitingEnd::Unspecified => Err(StoredError::Damaged("an end of waiting")),
        pb::WaitingEnd::Admitted => Ok(WaitingEnd::Admitted),
        pb::WaitingEnd::Denied => Ok(WaitingEnd::Denied),
        pb::WaitingEnd::TimedOut => Ok(WaitingEnd::TimedOut),
        pb::WaitingEnd::Full => Ok(WaitingEnd::Full),
        pb::WaitingEnd::Locked => Ok(WaitingEnd::Locked),
        pb::WaitingEnd::Gone => Ok(WaitingEnd::Gone(self::reason(reason)?)),
    }
}

pub(super) fn from_cause(cause: &Cause) -> pb::Cause {
    let who = match cause {
        Cause::Client(id) => Who::ClientId(from_id(*id)),
        Cause::Administrator(name) => Who::Administrator(name.to_string()),
        Cause::Timer => Who::Nobody(pb::Nobody::Timer.into()),
        Cause::Server => Who::Nobody(pb::Nobody::Server.into()),
    };
    pb::Cause { who: Some(who) }
}

pub(super) fn cause(cause: pb::Cause) -> Result<Cause, StoredError> {
    const NEWER: StoredError = StoredError::NewerRelease("a cause");
    match cause.who.ok_or(NEWER)? {
        Who::ClientId(bytes) => Ok(Cause::Client(id(&bytes)?)),
        Who::Administrator(text) if text.is_empty() => {
            Ok(Cause::Administrator(Administrator::default()))
        }
        Who::Administrator(text) => Ok(Cause::Administrator(name(&text)?)),
        Who::Nobody(number) => match pb::Nobody::try_from(number).map_err(|_| NEWER)? {
            pb::Nobody::Unspecified => Err(StoredError::Damaged("a cause")),
            pb::Nobody::Timer => Ok(Cause::Timer),
            pb::Nobody::Server => Ok(Cause::Server),
        },
    }
}
