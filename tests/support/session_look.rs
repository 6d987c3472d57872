//! Whether all that can be seen of a hub is as the model has it.

use std::{num::NonZeroUsize, sync::Arc};

use serde_json::{Value, json};
use signalpost::{
    hub::{Due, Session},
    id::RoomId,
    journal::Entry,
    room::{Member, Role, Room, Rules, Settings, Standing},
};

use super::{MAX_MEMBERS, Play, ready};

impl Play {
    /// Everything that can be seen is as the model has it.
    pub(super) fn look(&mut self) {
        for client in self.clients.iter_mut().flatten() {
            let due = std::mem::take(&mut client.due);
            let (heard, token) = heard_and_returned(&client.session);
            assert_eq!(heard, due);
            client.token = token.unwrap_or_else(|| client.token.take());
        }
        let most = NonZeroUsize::new(10).unwrap();
        let (rooms, more) = ready(self.hub.rooms(None, most, "", |_| true)).unwrap();
        let shown = |settings: &Settings| {
            let Settings { locked, max_members, password, lobby, .. } = settings;
            (*locked, *max_members, password.is_some(), *lobby)
        };
        let listed = rooms.iter().map(|room| {
            let counts = (room.member_count, room.waiting_count);
            (room.id.as_str(), counts, shown(&room.settings))
        });
        let expected = self.rooms.iter().map(|(name, room)| {
            let settings = (room.locked, room.max_members, room.password, room.lobby);
            (*name, (room.members.len(), room.waiting.len()), settings)
        });
        let (listed, expected): (Vec<_>, Vec<_>) = (listed.collect(), expected.collect());
        assert_eq!((listed, more), (expected, None));
        let bans = self.hub.bans(None, usize::MAX, |_| true);
        let bans: Vec<_> = bans.iter().map(|ban| ban.id).collect();
        let mut expected: Vec<_> = self.bans.iter().map(|ban| ban.id).collect();
        expected.sort();
        assert_eq!(bans, expected);
        self.look_at_clients();
        self.replay();
        for (name, modelled) in &self.rooms {
            let id = name.parse().unwrap();
            let room = ready(self.hub.room(&id)).unwrap();
            let sits = |member: &Arc<Member>| {
                let Standing { role, acting, .. } = member.standing;
                (member.client_id.to_string(), role == Role::Host, acting)
            };
            let expected = modelled.members.iter().map(|slot| {
                let role = self.clients[usize::from(*slot)].as_ref().unwrap().role;
                (self.id(*slot), role.is_host(), role == super::Role::ActingHost)
            });
            assert_eq!(room.members().map(sits).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            let ids: Vec<_> = room.waiting().map(|w| w.member.client_id.to_string()).collect();
            let expected: Vec<_> = modelled.waiting.iter().map(|slot| self.id(*slot)).collect();
            assert_eq!(ids, expected);
            let replayed = &self.replayed[&id];
            assert!(replayed.waiting().eq(room.waiting()));
            assert_eq!(
                (replayed.version(), replayed.settings()),
                (room.version(), room.settings())
            );
            assert!(replayed.members().zip(room.members()).all(|(a, b)| Arc::ptr_eq(a, b)));
            assert_eq!(replayed.members().len(), room.members().len());
        }
        let existing = self.replayed.values().filter(|room| room.exists()).count();
        assert_eq!(existing, self.rooms.len());
    }

    /// Everybody is listed as the model has it, in pages of two.
    fn look_at_clients(&self) {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = self.hub.clients(after, NonZeroUsize::new(2).unwrap(), |_| true);
            listed.extend(page);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert!(listed.is_sorted_by_key(|report| report.id));
        assert_eq!(listed.len(), self.clients.iter().flatten().count());
        for client in self.clients.iter().flatten() {
            let report = listed.iter().find(|report| report.id == client.session.client().id);
            let report = report.unwrap();
            assert_eq!(report.room_id.as_ref().map(RoomId::as_str), client.room);
            assert_eq!(report.waiting_room_id.as_ref().map(RoomId::as_str), client.waits);
            assert_eq!(json!(report.identity.user_id), client.user_id());
            assert_eq!(json!(report.identity.display_name), client.shown()["displayName"]);
            assert_eq!(report.queue_messages, 0);
        }
    }

    /// The log says the same again.
    fn replay(&mut self) {
        self.events.catch_up();
        let rules = Rules { new_room: Settings::open(MAX_MEMBERS).into(), first_is_host: true };
        let rules = Arc::new(rules);
        loop {
            let batch = self.events.read(16).unwrap();
            if batch.is_empty() {
                return;
            }
            for record in batch {
                let Entry::Room { id, event } = &record.entry else { continue };
                let vacant = || Room::vacant(id.clone(), Arc::clone(&rules));
                let room = self.replayed.entry(id.clone()).or_insert_with(vacant);
                assert_eq!(room.version(), event.prev);
                room.apply(event);
            }
        }
    }
}

/// What is due to a client, without words for people and what `welcome` says of the server.
pub(super) fn heard(session: &Session) -> Vec<Value> {
    heard_and_returned(session).0
}

/// The same, and by what it may return from now on, if it was told so.
fn heard_and_returned(session: &Session) -> (Vec<Value>, Option<Value>) {
    let mut token = None;
    let (outbox, mut batch) = (&session.client().outbox, Vec::new());
    assert!(!matches!(outbox.take_due(&mut batch, usize::MAX), Due::End(_)));
    outbox.acknowledge();
    let mut message = |text: &str| {
        let mut message: Value = serde_json::from_str(text).unwrap();
        let fields = message.as_object_mut().unwrap();
        match fields["type"].as_str().unwrap() {
            "welcome" => fields.retain(|name, _| ["type", "clientId"].contains(&&**name)),
            "error" => drop(fields.remove("message")),
            "join-error" => {
                fields.retain(|name, _| ["type", "code", "requestId"].contains(&&**name))
            }
            "joined" => token = fields.remove("returnToken"),
            "removed" => drop(fields.remove("reason")),
            _ => {}
        }
        message
    };
    let heard = batch.into_iter().map(|entry| message(entry.frame().as_str())).collect();
    (heard, token)
}
