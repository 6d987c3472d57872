//! Rooms, their settings, and those who sit in them.

use std::{sync::Arc, time::Duration};

use serde_json::value::RawValue;

use super::{count, duration, named, span, timestamp};
use crate::{
    admin::{etag::Etags, pb, problem::Faults},
    config::limits,
    id::RoomId,
    password::Password,
    room::{Member, Role, Settings, Summary, Update, Waiter},
};

/// A mask's name for all that can be changed.
const ALL: &str = "*";
const CHANGEABLE: [&str; 5] =
    ["max_members", "metadata_json", "empty_timeout", "password", "lobby"];

pub(in crate::admin) fn room(room: &Summary, etags: Etags) -> pb::Room {
    pb::Room {
        room_id: room.id.to_string(),
        member_count: count(room.member_count),
        max_members: count(room.settings.max_members),
        locked: room.settings.locked,
        create_time: Some(timestamp(room.created_at)),
        position: room.version.0,
        members: Vec::new(),
        metadata_json: room.settings.metadata.to_string(),
        empty_timeout: duration(room.settings.empty_timeout),
        expire_time: room.expires_at.map(timestamp),
        etag: etags.of(room.settled_at),
        lobby: room.settings.lobby,
        password: String::new(),
        password_set: room.settings.password.is_some(),
        waiting: Vec::new(),
        waiting_count: count(room.waiting_count),
    }
}

pub(in crate::admin) fn member(member: &Member) -> pb::Member {
    let text = |name: &str| name.to_owned();
    pb::Member {
        client_id: member.client_id.to_string(),
        user_id: member.identity.user_id.as_ref().map(|id| text(id.as_str())),
        display_name: member.identity.display_name.as_ref().map(|name| text(name.as_str())),
        metadata_json: member.metadata.as_deref().map(text),
        join_time: Some(timestamp(member.joined_at.into())),
        role: role(member.standing.role).into(),
        vouched_metadata_json: member.vouched_metadata().map(text),
        authenticated: member.vouched.is_some(),
        granted_role: role(member.standing.granted).into(),
    }
}

pub(in crate::admin) fn waiting(waiter: &Waiter) -> pb::Waiting {
    let pb::Member {
        client_id,
        user_id,
        display_name,
        metadata_json,
        join_time,
        vouched_metadata_json,
        authenticated,
        granted_role,
        ..
    } = member(&waiter.member);
    pb::Waiting {
        client_id,
        user_id,
        display_name,
        metadata_json,
        vouched_metadata_json,
        authenticated,
        granted_role,
        wait_time: join_time,
        expire_time: Some(timestamp(waiter.until)),
    }
}

pub(in crate::admin) fn role(role: Role) -> pb::Role {
    match role {
        Role::Guest => pb::Role::Guest,
        Role::Member => pb::Role::Member,
        Role::Host => pb::Role::Host,
    }
}

/// The room that a request makes: its name, its settings, and its password, of which they say nothing yet. `usual`
/// stands where it says nothing, and no room takes more than `most` members.
pub(in crate::admin) fn new_room(
    request: &pb::CreateRoomRequest,
    usual: usize,
    most: usize,
) -> Result<(RoomId, Settings, Option<Password>), Faults> {
    let none = pb::Room::default();
    let room = request.room.as_ref().unwrap_or(&none);
    let mut faults = Faults::default();
    let id = faults.merge(new_name(&request.room_id, &room.room_id));
    let max_members = match room.max_members {
        0 => Some(usual),
        _ => faults.merge(max_members(room, most)),
    };
    let metadata = match &*room.metadata_json {
        "" => Some("{}".into()),
        _ => faults.merge(metadata(room)),
    };
    let empty_timeout = match &room.empty_timeout {
        None => Some(limits::EMPTY_ROOM),
        Some(_) => faults.merge(empty_timeout(room)),
    };
    if empty_timeout.is_some_and(|timeout| timeout.is_zero()) {
        faults.add("room.empty_timeout", "must be more than 0: nobody could join in time");
    }
    let password = faults.merge(password(room));
    let settings = |max_members, metadata, empty_timeout| Settings {
        max_members,
        locked: room.locked,
        metadata,
        empty_timeout,
        password: None,
        lobby: room.lobby,
    };
    faults.or(|| Some((id?, settings(max_members?, metadata?, empty_timeout?), password?)))
}

fn new_name(own: &str, of_room: &str) -> Result<RoomId, Faults> {
    match (own, of_room) {
        ("", name) | (name, "") => named("room_id", name),
        (own, of_room) if own == of_room => named("room_id", own),
        _ => Err(Faults::of("room.room_id", "must be the same as room_id, or left out")),
    }
}

/// The room that a request changes, how, and its new password, of which that says nothing yet.
pub(in crate::admin) fn update(
    request: &pb::UpdateRoomRequest,
    most: usize,
) -> Result<(RoomId, Update, Option<Option<Password>>), Faults> {
    let Some(room) = &request.room else { return Err(Faults::of("room", "must be given")) };
    let mut faults = Faults::default();
    let id = faults.merge(named("room.room_id", &room.room_id));
    let mut changes = |path| match &request.update_mask {
        Some(mask) => mask.paths.iter().any(|named| named == path || named == ALL),
        None => match path {
            "max_members" => room.max_members != 0,
            "metadata_json" => !room.metadata_json.is_empty(),
            "password" => !room.password.is_empty(),
            "lobby" => room.lobby,
            _ => room.empty_timeout.is_some(),
        },
    };
    let [members, texts, timeout, secret, lobby] = CHANGEABLE.map(&mut changes);
    let update = Update {
        max_members: members.then(|| faults.merge(max_members(room, most))).flatten(),
        metadata: texts.then(|| faults.merge(metadata(room))).flatten(),
        empty_timeout: timeout.then(|| faults.merge(empty_timeout(room))).flatten(),
        lobby: lobby.then_some(room.lobby),
        ..Update::default()
    };
    let password = secret.then(|| faults.merge(password(room))).flatten();
    for path in request.update_mask.iter().flat_map(|mask| &mask.paths) {
        if path != ALL && !CHANGEABLE.contains(&&**path) {
            let known = CHANGEABLE.join(", ");
            faults.add("update_mask", format!("has {path:?}: what can change is {known}, or *"));
        }
    }
    faults.or(|| Some((id?, update, password)))
}

fn max_members(room: &pb::Room, most: usize) -> Result<usize, Faults> {
    let number = room.max_members as usize;
    let fits = (1..=most).contains(&number).then_some(number);
    fits.ok_or_else(|| Faults::of("room.max_members", format!("must be between 1 and {most}")))
}

fn metadata(room: &pb::Room) -> Result<Arc<str>, Faults> {
    let field = "room.metadata_json";
    let json = match &*room.metadata_json {
        "" => "{}",
        json => json,
    };
    if json.len() > limits::METADATA_BYTES {
        let most = limits::METADATA_BYTES;
        return Err(Faults::of(field, format!("must be at most {most} bytes long")));
    }
    let json: Result<&RawValue, _> = serde_json::from_str(json);
    json.map(|json| json.get().into())
        .map_err(|error| Faults::of(field, format!("is not JSON: {error}")))
}

/// None where it is empty. What is wrong with one is said without it.
fn password(room: &pb::Room) -> Result<Option<Password>, Faults> {
    match &*room.password {
        "" => Ok(None),
        text => named("room.password", text).map(Some),
    }
}

fn empty_timeout(room: &pb::Room) -> Result<Duration, Faults> {
    let timeout = room.empty_timeout.unwrap_or_default();
    span("room.empty_timeout", timeout, limits::LONGEST_EMPTY_ROOM)
}
