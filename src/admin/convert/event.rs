//! Events.

use super::{
    ban, count, duration,
    room::{member, role, waiting},
    timestamp,
};
use crate::{
    admin::{
        etag::Etags,
        pb::{
            self,
            event::{Cause, What, cause},
        },
    },
    event::{self, Position},
    journal::{Entry, Record},
    room::{Change, Settings},
};

pub(in crate::admin) fn event(record: &Record, etags: Etags) -> pb::Event {
    let (prev, at, cause, what) = match &record.entry {
        Entry::Room { event, .. } => {
            (event.prev, event.at, &event.cause, of_room(event.position, &event.change, etags))
        }
        Entry::Ban(event) => (event.prev, event.at, &event.cause, of_bans(&event.change)),
    };
    pb::Event {
        position: record.position().0,
        prev_position: prev.0,
        room_id: record.room_id().map(ToString::to_string).unwrap_or_default(),
        time: Some(timestamp(at)),
        cause: Some(caused_by(cause)),
        what: Some(what),
    }
}

fn of_room(position: Position, change: &Change, etags: Etags) -> What {
    let etag = || etags.of(position);
    match change {
        Change::Created { settings: new } => {
            What::Created(pb::event::Created { settings: Some(settings(new, etag())) })
        }
        Change::Joined(who) => What::Joined(pb::event::Joined { member: Some(member(who)) }),
        Change::Renamed { member: who, previous } => What::Updated(pb::event::Updated {
            member: Some(member(who)),
            previous_user_id: previous.as_ref().map(ToString::to_string),
        }),
        // Whoever watches takes a room's events one after the other, and would miss this one. Its node is not shown.
        Change::Moved { member: who } => What::Updated(pb::event::Updated {
            member: Some(member(who)),
            previous_user_id: who.identity.user_id.as_ref().map(ToString::to_string),
        }),
        Change::RoleChanged { member: who, previous } => {
            What::RoleChanged(pb::event::RoleChanged {
                member: Some(member(who)),
                previous_role: role(*previous).into(),
            })
        }
        Change::Waiting(who) => {
            What::WaitingStarted(pb::event::WaitingStarted { waiting: Some(waiting(who)) })
        }
        Change::WaitingEnded { client_id, user_id, reason } => {
            What::WaitingEnded(pb::event::WaitingEnded {
                client_id: client_id.to_string(),
                user_id: user_id.as_ref().map(ToString::to_string),
                reason: reason.as_str().to_owned(),
            })
        }
        Change::Updated { settings: new } => {
            What::RoomUpdated(pb::event::RoomUpdated { settings: Some(settings(new, etag())) })
        }
        Change::Locked => What::Locked(pb::event::Locked { etag: etag() }),
        Change::Unlocked => What::Unlocked(pb::event::Unlocked { etag: etag() }),
        Change::Left { client_id, user_id, reason } => What::Left(pb::event::Left {
            client_id: client_id.to_string(),
            user_id: user_id.as_ref().map(ToString::to_string),
            reason: reason.as_str().to_owned(),
        }),
        Change::Closed => What::Closed(pb::event::Closed {}),
    }
}

fn of_bans(change: &crate::ban::Change) -> What {
    use crate::ban::Change;
    match change {
        Change::Created(new) => {
            What::BanCreated(pb::event::BanCreated { ban: Some(ban::ban(new)) })
        }
        Change::Deleted(old) => {
            What::BanDeleted(pb::event::BanDeleted { ban: Some(ban::ban(old)) })
        }
    }
}

fn settings(settings: &Settings, etag: String) -> pb::event::Settings {
    pb::event::Settings {
        max_members: count(settings.max_members),
        locked: settings.locked,
        metadata_json: settings.metadata.to_string(),
        empty_timeout: duration(settings.empty_timeout),
        etag,
        password_set: settings.password.is_some(),
        lobby: settings.lobby,
    }
}

fn caused_by(cause: &event::Cause) -> Cause {
    let (kind, client_id, administrator) = match cause {
        event::Cause::Client(id) => (cause::Kind::Client, id.to_string(), String::new()),
        event::Cause::Administrator(name) => {
            (cause::Kind::Administrator, String::new(), name.to_string())
        }
        event::Cause::Timer => (cause::Kind::Timer, String::new(), String::new()),
        event::Cause::Server => (cause::Kind::Server, String::new(), String::new()),
    };
    Cause { kind: kind.into(), client_id, administrator }
}

pub(in crate::admin) fn kind(record: &Record) -> pb::EventKind {
    match &record.entry {
        Entry::Room { event, .. } => match event.change {
            Change::Created { .. } => pb::EventKind::Created,
            Change::Joined(_) => pb::EventKind::Joined,
            Change::Renamed { .. } | Change::Moved { .. } => pb::EventKind::Updated,
            Change::RoleChanged { .. } => pb::EventKind::RoleChanged,
            Change::Waiting(_) => pb::EventKind::WaitingStarted,
            Change::WaitingEnded { .. } => pb::EventKind::WaitingEnded,
            Change::Updated { .. } => pb::EventKind::RoomUpdated,
            Change::Locked => pb::EventKind::Locked,
            Change::Unlocked => pb::EventKind::Unlocked,
            Change::Left { .. } => pb::EventKind::Left,
            Change::Closed => pb::EventKind::Closed,
        },
        Entry::Ban(event) => match event.change {
            crate::ban::Change::Created(_) => pb::EventKind::BanCreated,
            crate::ban::Change::Deleted(_) => pb::EventKind::BanDeleted,
        },
    }
}
