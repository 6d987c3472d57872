//! The rooms as a caller knows them who has only what `WatchEvents` tells.

use std::collections::BTreeMap;

use signalpost::admin::pb::{
    self,
    event::{What, cause},
    watch_events_request::Start,
    watch_events_response::What as Told,
};

/// See the module. It is written as a whole, with the cursor that it stands for.
#[derive(Debug, Clone, Default)]
pub(super) struct Mirror {
    rooms: BTreeMap<String, pb::Room>,
    cursor: String,
    /// The position of each event, and its room.
    pub(super) seen: Vec<(u64, String)>,
    /// What a snapshot showed that has not ended.
    gathered: Vec<pb::Room>,
}

impl Mirror {
    /// Where to begin, or to go on.
    pub(super) fn start(&mut self) -> Option<Start> {
        self.gathered.clear();
        Some(match &*self.cursor {
            "" => Start::Snapshot(true),
            cursor => Start::Cursor(cursor.to_owned()),
        })
    }

    pub(super) fn take(&mut self, told: pb::WatchEventsResponse) {
        match told.what.unwrap() {
            Told::Snapshot(page) => {
                assert!((told.cursor.is_empty() && self.cursor.is_empty()), "a snapshot is whole");
                self.gathered.extend(page.rooms);
                return;
            }
            Told::SnapshotEnd(end) => {
                let gathered = self.gathered.drain(..).map(|room| (room.room_id.clone(), room));
                self.rooms = gathered.collect();
                assert_eq!(self.rooms.len(), end.room_count as usize);
            }
            Told::Event(event) => self.apply(event),
            Told::Bookmark(_) => {}
        }
        self.cursor = told.cursor;
    }

    fn apply(&mut self, event: pb::Event) {
        let last = self.seen.last().map_or(0, |(position, _)| *position);
        assert!(event.position > last, "{event:?} after {last}");
        assert_ne!(event.cause.unwrap().kind(), cause::Kind::Unspecified);
        self.seen.push((event.position, event.room_id.clone()));
        let known = self.rooms.get(&event.room_id).map_or(0, |room| room.position);
        assert_eq!(event.prev_position, known, "of {}", event.room_id);
        if let Some(What::Created(created)) = &event.what {
            let room = pb::Room {
                room_id: event.room_id.clone(),
                create_time: event.time,
                ..settled(pb::Room::default(), created.settings.clone().unwrap())
            };
            self.rooms.insert(event.room_id.clone(), room);
        }
        let room = self.rooms.get_mut(&event.room_id).unwrap();
        room.position = event.position;
        match event.what.unwrap() {
            What::Joined(joined) => room.members.extend(joined.member),
            What::Updated(updated) => replace(room, updated.member.unwrap()),
            What::RoleChanged(changed) => replace(room, changed.member.unwrap()),
            What::WaitingStarted(started) => {
                let waiting = started.waiting.unwrap();
                let is_it = |old: &pb::Waiting| old.client_id == waiting.client_id;
                match room.waiting.iter().position(is_it) {
                    Some(place) => room.waiting[place] = waiting,
                    None => room.waiting.push(waiting),
                }
            }
            What::WaitingEnded(ended) => {
                let before = room.waiting.len();
                room.waiting.retain(|waiting| waiting.client_id != ended.client_id);
                assert_eq!(room.waiting.len() + 1, before, "{ended:?}");
            }
            What::Left(left) => room.members.retain(|member| member.client_id != left.client_id),
            What::Locked(lock) => (room.locked, room.etag) = (true, lock.etag),
            What::Unlocked(lock) => (room.locked, room.etag) = (false, lock.etag),
            What::RoomUpdated(new) => *room = settled(room.clone(), new.settings.unwrap()),
            What::Closed(_) => drop(self.rooms.remove(&event.room_id)),
            What::Created(_) => {}
            What::BanCreated(_) | What::BanDeleted(_) => panic!("nobody is banned here"),
        }
        if let Some(room) = self.rooms.get_mut(&event.room_id) {
            room.member_count = u32::try_from(room.members.len()).unwrap();
            room.waiting_count = u32::try_from(room.waiting.len()).unwrap();
        }
    }

    /// The rooms, without what events do not tell.
    pub(super) fn rooms(&self) -> Vec<pb::Room> {
        self.rooms.values().map(lasting).collect()
    }
}

fn replace(room: &mut pb::Room, member: pb::Member) {
    let seat = room.members.iter().position(|old| old.client_id == member.client_id);
    room.members[seat.unwrap()] = member;
}

fn settled(room: pb::Room, settings: pb::event::Settings) -> pb::Room {
    pb::Room {
        max_members: settings.max_members,
        locked: settings.locked,
        metadata_json: settings.metadata_json,
        empty_timeout: settings.empty_timeout,
        etag: settings.etag,
        password_set: settings.password_set,
        lobby: settings.lobby,
        ..room
    }
}

/// A room without the time that events do not tell.
pub(super) fn lasting(room: &pb::Room) -> pb::Room {
    pb::Room { expire_time: None, ..room.clone() }
}
