//! What a caller of `WatchEvents` asks for.

use std::{collections::BTreeSet, fmt::Display, str::FromStr, sync::Arc};

use tonic::Status;

use super::cursor::{Astray, Cursors};
use crate::{
    admin::{
        convert::event,
        pb::{self, EventKind, watch_events_request},
        problem::{Faults, Problem, Reason},
        quota::{Quota, Share},
    },
    ban::{self, Subject},
    config::limits,
    event::Position,
    id::{RoomId, UserId},
    journal::{Entry, Record},
    room::{self, Member, Waiter},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Wish {
    /// None: all of them, but for the filter.
    pub(super) rooms: Option<BTreeSet<RoomId>>,
    pub(super) filter: Filter,
    pub(super) start: Start,
}

/// Where to begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    Now,
    After(Position),
    Snapshot,
}

/// Which of the rooms' events a caller wants.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) prefix: Option<RoomId>,
    kinds: BTreeSet<EventKind>,
    users: BTreeSet<UserId>,
    _names: Share,
}

impl Wish {
    /// What `request` says, in a log that goes up to `head`; the names in it are taken from `names`.
    pub(super) fn read(
        request: &pb::WatchEventsRequest,
        cursors: Cursors,
        head: Position,
        names: &Arc<Quota>,
    ) -> Result<Self, Status> {
        let (rooms, prefix, kinds, users, start) = Faults::gather(|faults| {
            let rooms = faults.merge(rooms(&request.room_ids));
            let prefix = faults.merge(prefix(request));
            let kinds = faults.merge(kinds(&request.kinds));
            let users = faults.merge(users(&request.user_ids));
            let start = faults.merge(start(request.start.as_ref(), cursors, head));
            Some((rooms?, prefix?, kinds?, users?, start?))
        })?;
        let start =
            start.map_err(|astray| Problem::new(Reason::EpochChanged, astray.to_string()))?;
        let named = request.room_ids.iter().chain(&request.user_ids);
        let bytes = named.map(|name| name.len() + limits::WATCHED_NAME_OVERHEAD).sum();
        let too_many = || {
            let text = "too many rooms and users are watched by their names";
            Problem::new(Reason::TooManyWatchers, text)
        };
        let names = names.take(bytes).ok_or_else(too_many)?;
        let rooms = (!rooms.is_empty()).then_some(rooms);
        Ok(Self { rooms, filter: Filter { prefix, kinds, users, _names: names }, start })
    }
}

impl Filter {
    pub(super) fn wants(&self, record: &Record) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&event::kind(record)))
            && self.covers(record.room_id())
            && (self.users.is_empty() || self.is_about_them(record))
    }

    /// Whether it wants to know of this room.
    pub(super) fn covers(&self, room_id: Option<&RoomId>) -> bool {
        let begins =
            |prefix: &RoomId| room_id.is_some_and(|id| id.as_str().starts_with(prefix.as_str()));
        self.prefix.as_ref().is_none_or(begins)
    }

    /// Whether a snapshot shows only those who are named.
    pub(super) fn names_users(&self) -> bool {
        !self.users.is_empty()
    }

    pub(super) fn shows(&self, member: &Member) -> bool {
        self.users.is_empty() || self.names(member.identity.user_id.as_ref())
    }

    fn is_about_them(&self, record: &Record) -> bool {
        match &record.entry {
            Entry::Room { event, .. } => match &event.change {
                room::Change::Joined(member)
                | room::Change::RoleChanged { member, .. }
                | room::Change::Moved { member }
                | room::Change::Waiting(Waiter { member, .. }) => self.shows(member),
                room::Change::Renamed { member, previous } => {
                    self.shows(member) || self.names(previous.as_ref())
                }
                room::Change::Left { user_id, .. } | room::Change::WaitingEnded { user_id, .. } => {
                    self.names(user_id.as_ref())
                }
                room::Change::Created { .. }
                | room::Change::Updated { .. }
                | room::Change::Locked
                | room::Change::Unlocked
                | room::Change::Closed => false,
            },
            Entry::Ban(ban::Event { change, .. }) => match &change.ban().subject {
                Subject::User(user_id) => self.names(Some(user_id)),
                Subject::Network(_) => false,
            },
        }
    }

    fn names(&self, user_id: Option<&UserId>) -> bool {
        user_id.is_some_and(|user_id| self.users.contains(user_id))
    }
}

fn rooms(names: &[String]) -> Result<BTreeSet<RoomId>, Faults> {
    let (field, most) = ("room_ids", limits::WATCHED_ROOMS);
    if names.len() > most {
        let text = format!("must be at most {most}; name none to watch all rooms");
        return Err(Faults::of(field, text));
    }
    if names.iter().map(String::len).sum::<usize>() > limits::WATCHED_NAMES_BYTES {
        let most = limits::WATCHED_NAMES_BYTES;
        return Err(Faults::of(field, format!("must be at most {most} bytes together")));
    }
    each(field, names)
}

fn users(names: &[String]) -> Result<BTreeSet<UserId>, Faults> {
    let (field, most) = ("user_ids", limits::WATCHED_USERS);
    if names.len() > most {
        return Err(Faults::of(field, format!("must be at most {most}; name none for all users")));
    }
    each(field, names)
}

fn each<T>(field: &str, names: &[String]) -> Result<BTreeSet<T>, Faults>
where
    T: FromStr<Err: Display> + Ord,
{
    names.iter().map(|name| name.parse().map_err(|invalid| Faults::of(field, invalid))).collect()
}

fn prefix(request: &pb::WatchEventsRequest) -> Result<Option<RoomId>, Faults> {
    let (field, prefix) = ("room_id_prefix", &request.room_id_prefix);
    if prefix.is_empty() {
        return Ok(None);
    }
    let mut faults = Faults::default();
    if !request.room_ids.is_empty() {
        faults.add(field, "must not be given together with room_ids");
    }
    let prefix = faults.check(field, prefix.parse());
    faults.or(|| prefix.map(Some))
}

fn kinds(numbers: &[i32]) -> Result<BTreeSet<EventKind>, Faults> {
    let kind = |&number| match EventKind::try_from(number) {
        Ok(kind) if kind != EventKind::Unspecified => Ok(kind),
        _ => Err(Faults::of("kinds", format!("has {number}, which is no event kind"))),
    };
    numbers.iter().map(kind).collect()
}

/// Where to begin, if the cursor is of this life of the server.
fn start(
    start: Option<&watch_events_request::Start>,
    cursors: Cursors,
    head: Position,
) -> Result<Result<Start, Astray>, Faults> {
    match start {
        None => Ok(Ok(Start::Now)),
        Some(watch_events_request::Start::Snapshot(true)) => Ok(Ok(Start::Snapshot)),
        Some(watch_events_request::Start::Snapshot(false)) => {
            Err(Faults::of("snapshot", "must be true, or not be given"))
        }
        Some(watch_events_request::Start::Cursor(cursor)) => match cursors.read(cursor, head) {
            Ok(position) => Ok(Ok(Start::After(position))),
            Err(Astray::OtherLife) => Ok(Err(Astray::OtherLife)),
            Err(Astray::NotGivenOut) => Err(Faults::of("cursor", Astray::NotGivenOut)),
        },
    }
}
