//! What an administrator does to rooms and their members, and what the model has of it.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{json, value::RawValue};
use signalpost::{
    event::Administrator,
    hub::{Audience, Due, Ending, NotChanged, NotMade, NotRemoved},
    room::{LeaveReason, PasswordHash, Settings, Update},
};

use super::{MAX_ROOMS, Modelled, Play, ROOMS, SLOTS, look::heard, ready};

/// Nothing takes so long here.
const LONG: Duration = Duration::from_secs(3600);

impl Play {
    pub(super) fn lock(&mut self, name: &'static str, locked: bool) {
        let answer = ready(self.hub.lock_room(
            &Administrator::default(),
            &name.parse().unwrap(),
            locked,
            None,
        ));
        if !self.rooms.contains_key(name) {
            return assert!(answer.is_err());
        }
        assert_eq!(answer.unwrap().settings.locked, locked);
        self.locks(name, Some(locked));
    }

    pub(super) fn broadcast(&mut self, slot: u8, name: &'static str, whom: u8) {
        let content = RawValue::from_string("[1]".to_owned()).unwrap();
        let (audience, reached): (_, Vec<u8>) = match whom / 3 % 3 {
            0 => (Audience::Everyone, (0..SLOTS).collect()),
            1 => {
                let room = self.rooms.get(name);
                let members = room.map_or_else(Vec::new, |room| room.members.clone());
                (Audience::Rooms([name.parse().unwrap()].into()), members)
            }
            _ => (Audience::Client(self.id(slot).parse().unwrap()), vec![slot]),
        };
        let is_there = match audience {
            Audience::Everyone => true,
            Audience::Rooms(_) => self.rooms.contains_key(name),
            Audience::Client(_) => self.clients[usize::from(slot)].is_some(),
        };
        let there = |slot: &u8| self.clients[usize::from(*slot)].is_some();
        let reached: Vec<_> = reached.into_iter().filter(there).collect();
        let expected = is_there.then_some(reached.len());
        assert_eq!(
            ready(self.hub.broadcast(&audience, &BTreeSet::new(), &content))
                .ok()
                .map(|reached| reached.clients),
            expected
        );
        for slot in reached {
            self.hears(slot, json!({"type": "broadcast", "content": [1]}));
        }
    }

    /// To two rooms, without a client that may sit in one of them.
    pub(super) fn broadcast_to_rooms(&mut self, but: u8, which: u8) {
        let first = usize::from(which) % ROOMS.len();
        let names = [ROOMS[first], ROOMS[(first + 1) % ROOMS.len()]];
        let content = RawValue::from_string("[2]".to_owned()).unwrap();
        let audience = Audience::Rooms(names.map(|name| name.parse().unwrap()).into());
        let excluded = BTreeSet::from([self.id(but).parse().unwrap()]);
        let said = ready(self.hub.broadcast(&audience, &excluded, &content));
        let (there, missing): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| self.rooms.contains_key(name));
        let Ok(reached) = said else { return assert!(there.is_empty()) };
        let found: BTreeSet<_> = reached.missing.iter().map(|id| id.as_str()).collect();
        assert_eq!(found, missing.into_iter().collect());
        let members = there.iter().flat_map(|name| self.rooms[name].members.clone());
        let members: Vec<_> = members.filter(|slot| *slot != but).collect();
        assert_eq!(reached.clients, members.len());
        for slot in members {
            self.hears(slot, json!({"type": "broadcast", "content": [2]}));
        }
    }

    pub(super) fn create_room(&mut self, name: &'static str, how: u8) {
        let (max_members, locked) = (usize::from(how % 4) + 1, how & 12 == 0);
        let settings = Settings { locked, empty_timeout: LONG, ..Settings::open(max_members) };
        let made = ready(self.hub.create_room(
            &Administrator::default(),
            &name.parse().unwrap(),
            settings,
        ));
        let made = made.map(|room| (room.settings.max_members, room.member_count));
        if self.rooms.contains_key(name) {
            assert_eq!(made, Err(NotMade::Exists));
        } else if self.rooms.len() >= MAX_ROOMS {
            assert_eq!(made, Err(NotMade::TooMany));
        } else {
            assert_eq!(made, Ok((max_members, 0)));
            let room = Modelled { locked, max_members, stays: true, ..Modelled::open() };
            self.rooms.insert(name, room);
        }
    }

    pub(super) fn update_room(&mut self, name: &'static str, how: u8, guard: u8) {
        let max_members = usize::from(how % 4) + 1;
        let stays = how & 12 == 0;
        let lobby = (guard & 1 != 0).then_some(how & 16 != 0);
        let password = (guard & 2 != 0).then_some(how & 32 != 0);
        let hash = |is_one: bool| is_one.then(|| PasswordHash::new("nobody's"));
        let update = Update {
            max_members: Some(max_members),
            empty_timeout: stays.then_some(LONG),
            lobby,
            password: password.map(hash),
            ..Update::default()
        };
        let updated = ready(self.hub.update_room(
            &Administrator::default(),
            &name.parse().unwrap(),
            update,
            None,
        ));
        let Some(room) = self.rooms.get_mut(name) else {
            return assert_eq!(updated.map(|_| ()), Err(NotChanged::NotFound));
        };
        assert_eq!(updated.unwrap().settings.max_members, max_members);
        // What nobody is shown is told as well.
        let tells = stays && !std::mem::replace(&mut room.stays, true);
        self.becomes(name, Some(max_members), None, password, lobby, tells);
    }

    pub(super) fn delete_room(&mut self, name: &'static str) {
        let deleted = ready(self.hub.delete_room(
            &Administrator::default(),
            &name.parse().unwrap(),
            None,
            None,
        ));
        let Some(room) = self.rooms.remove(name) else {
            return assert_eq!(deleted, Err(NotChanged::NotFound));
        };
        self.bans.retain(|ban| !ban.ends_with(name));
        assert_eq!(deleted, Ok(()));
        for slot in room.members {
            self.hears(slot, json!({"type": "removed", "code": "room-closed", "roomId": name}));
            self.goes(slot, Ending::RoomClosed);
        }
        for slot in room.waiting {
            self.client(slot).waits = None;
            self.hears(slot, json!({"type": "join-error", "code": "room-closed"}));
        }
    }

    pub(super) fn remove_client(&mut self, slot: u8, from: Option<&'static str>) {
        let id = self.id(slot).parse().unwrap();
        let room_id = from.map(|name| name.parse().unwrap());
        let removed =
            ready(self.hub.remove_client(&Administrator::default(), id, room_id.as_ref(), None));
        let Some(client) = &self.clients[usize::from(slot)] else {
            return assert!(matches!(removed, Err(NotRemoved::NotFound(_))));
        };
        let room = client.room.filter(|room| from.is_none_or(|name| name == *room));
        assert_eq!(removed, room.map(|_| ()).ok_or(NotRemoved::NotInRoom));
        if room.is_some() {
            self.loses_its_seat(slot, LeaveReason::Removed);
        }
    }

    /// It stays connected.
    pub(super) fn loses_its_seat(&mut self, slot: u8, reason: LeaveReason) {
        let room = self.client(slot).room;
        self.depart(slot, reason);
        self.hears(slot, json!({"type": "removed", "code": reason.as_str(), "roomId": room}));
    }

    /// Its connection ends when it has heard what is due, and its seat is free already.
    pub(super) fn goes(&mut self, slot: u8, ending: Ending) {
        let client = self.client(slot);
        assert_eq!(heard(&client.session), std::mem::take(&mut client.due));
        self.parts(slot, ending);
    }

    pub(super) fn parts(&mut self, slot: u8, ending: Ending) {
        let client = self.clients[usize::from(slot)].take().unwrap();
        let outbox = &client.session.client().outbox;
        assert_eq!(outbox.take_due(&mut Vec::new(), usize::MAX), Due::End(ending));
        client.session.end(ending.leave_reason());
    }
}
