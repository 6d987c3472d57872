//! A room as a hash of small fields, so that a change writes what it touches and no more.
//!
//! `r` is the room itself, `m:` and `w:` with a client's id are members and who waits, `l` the lost seats. `v` and `s`,
//! the positions of its last event and of its settings, are written by whoever appends.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use prost::Message;

use super::{
    Field, StoredError, pb,
    people::{from_lost, from_member, from_waiter, lost, member, waiter},
    scalar::{from_duration, from_time, message, present, time},
};
use crate::{
    event::Position,
    id::{ClientId, Incarnation, RoomId},
    room::{Change, Parts, PasswordHash, Room, Rules, Settings, Waiter},
};

/// How rooms are stored. A release that stores them so that this one cannot read it counts up.
const FORMAT: u32 = 1;

const RECORD: &str = "r";
const LOST: &str = "l";
const MEMBER: &str = "m:";
const WAITER: &str = "w:";

/// What changes of a room do to what is stored of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta {
    /// The fields that are others from now on. None where the room does not exist: nothing of it is kept then.
    pub fields: Vec<Field>,
    /// Whether the room exists after them.
    pub exists: bool,
    /// Which of them, counted from 0, was the last to make the settings what they are; none: they are as they were.
    pub settled_entry: Option<usize>,
    /// Nodes to which somebody in the room is connected now and was not before (true), or the other way round.
    pub seats: Vec<(Incarnation, bool)>,
}

/// What `changes` do to what is stored of a room that was `before` and is `after`, at whatever positions.
pub fn delta(before: &Room, after: &Room, changes: &[Change]) -> Delta {
    let touched = touched(changes);
    let exists = after.exists();
    let fields = if exists { fields(before, after, &touched) } else { Vec::new() };
    let settles = |change: &Change| {
        matches!(
            change,
            Change::Created { .. } | Change::Updated { .. } | Change::Locked | Change::Unlocked
        )
    };
    let settled_entry = if exists { changes.iter().rposition(settles) } else { None };
    Delta { fields, exists, settled_entry, seats: seats(before, after, &touched) }
}

/// Whom they are about.
fn touched(changes: &[Change]) -> BTreeSet<ClientId> {
    let mut touched = BTreeSet::new();
    for change in changes {
        match change {
            Change::Joined(member)
            | Change::Renamed { member, .. }
            | Change::RoleChanged { member, .. }
            | Change::Moved { member }
            | Change::Waiting(Waiter { member, .. }) => {
                touched.insert(member.client_id);
            }
            Change::WaitingEnded { client_id, .. } | Change::Left { client_id, .. } => {
                touched.insert(*client_id);
            }
            // Everybody went before it ended.
            Change::Closed
            | Change::Created { .. }
            | Change::Updated { .. }
            | Change::Locked
            | Change::Unlocked => {}
        }
    }
    touched
}

fn fields(before: &Room, after: &Room, touched: &BTreeSet<ClientId>) -> Vec<Field> {
    let mut fields = Vec::new();
    if !before.exists() || !is_same_record(before, after) {
        fields.push((RECORD.to_owned(), Some(record(after).encode_to_vec())));
    }
    if !before.lost().eq(after.lost()) {
        let seats: Vec<_> = after.lost().map(from_lost).collect();
        let lost = (!seats.is_empty()).then(|| pb::LostSeats { seats }.encode_to_vec());
        fields.push((LOST.to_owned(), lost));
    }
    for id in touched {
        let (old, new) = (before.member(*id), after.member(*id));
        if old != new {
            let member = new.map(|member| from_member(member).encode_to_vec());
            fields.push((format!("{MEMBER}{id}"), member));
        }
        let (old, new) = (before.waiter(*id), after.waiter(*id));
        if old != new {
            let waiter = new.map(|waiter| from_waiter(waiter).encode_to_vec());
            fields.push((format!("{WAITER}{id}"), waiter));
        }
    }
    fields
}

fn is_same_record(before: &Room, after: &Room) -> bool {
    let record = |room: &Room| (room.created_at(), room.empty_since(), room.held_until());
    record(before) == record(after) && before.settings() == after.settings()
}

fn seats(before: &Room, after: &Room, touched: &BTreeSet<ClientId>) -> Vec<(Incarnation, bool)> {
    let is_touched = |(id, node)| touched.contains(&id).then_some(node);
    let nodes = |room| people(room).filter_map(is_touched);
    let concerned: BTreeSet<Incarnation> = nodes(before).chain(nodes(after)).collect();
    let has = |room, node| people(room).any(|(_, other)| other == node);
    let seats = concerned.into_iter().filter_map(|node| {
        let (had, has) = (has(before, node), has(after, node));
        (had != has).then_some((node, has))
    });
    seats.collect()
}

/// Who sits or waits, and to which node each is connected.
fn people(room: &Room) -> impl Iterator<Item = (ClientId, Incarnation)> {
    let waiting = room.waiting().map(|waiter| &waiter.member);
    room.members().chain(waiting).map(|member| (member.client_id, member.node))
}

/// The room that `fields` were stored of, whose last event was at `version`: a vacant one where that is zero.
///
/// # Errors
/// [`StoredError`], if they tell of no room.
pub fn room(
    id: RoomId,
    rules: Arc<Rules>,
    version: Position,
    settled_at: Position,
    fields: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> Result<Room, StoredError> {
    if version == Position::ZERO {
        return Ok(Room::vacant(id, rules));
    }
    let (mut record, mut lost) = (None, Vec::new());
    let (mut members, mut waiting) = (Vec::new(), Vec::new());
    for (field, value) in fields {
        if field == RECORD {
            record = Some(message::<pb::RoomRecord>(&value)?);
        } else if field == LOST {
            let seats = message::<pb::LostSeats>(&value)?.seats.into_iter();
            lost = seats.map(self::lost).collect::<Result<_, _>>()?;
        } else if field.starts_with(MEMBER) {
            members.push(member(message(&value)?)?);
        } else if field.starts_with(WAITER) {
            waiting.push(waiter(message(&value)?)?);
        }
    }
    let record = present(record)?;
    if record.format > FORMAT {
        return Err(StoredError::NewerRelease("the way in which rooms are stored"));
    }
    let parts = Parts {
        version,
        settled_at,
        created_at: time(record.created_at),
        settings: settings(present(record.settings)?)?.into(),
        empty_since: record.empty_since.map(time),
        held_until: record.held_until.map(time),
        members,
        waiting,
        lost,
    };
    Ok(Room::restored(id, rules, parts))
}

fn record(room: &Room) -> pb::RoomRecord {
    pb::RoomRecord {
        format: FORMAT,
        created_at: from_time(room.created_at()),
        settings: Some(from_settings(room.settings())),
        empty_since: room.empty_since().map(from_time),
        held_until: room.held_until().map(from_time),
    }
}

pub(super) fn from_settings(settings: &Settings) -> pb::Settings {
    let Settings { max_members, locked, metadata, empty_timeout, password, lobby } = settings;
    pb::Settings {
        max_members: *max_members as u64,
        locked: *locked,
        metadata: metadata.to_string(),
        empty_timeout: from_duration(*empty_timeout),
        password_hash: password.as_ref().map(|hash| hash.as_str().to_owned()),
        lobby: *lobby,
    }
}

pub(super) fn settings(settings: pb::Settings) -> Result<Settings, StoredError> {
    let max_members = settings.max_members.try_into();
    Ok(Settings {
        max_members: max_members.map_err(|_| StoredError::Damaged("a room's size"))?,
        locked: settings.locked,
        metadata: settings.metadata.into(),
        empty_timeout: Duration::from_nanos(settings.empty_timeout),
        password: settings.password_hash.as_deref().map(PasswordHash::new),
        lobby: settings.lobby,
    })
}
