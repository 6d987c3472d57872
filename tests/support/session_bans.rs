//! Who is kept out, and what the model has of it.

#![allow(clippy::disallowed_methods, reason = "it may ask for the time: it is no room")]

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use signalpost::{
    ban::{Ban, BanId, Denied, Subject},
    event::Administrator,
    hub::{Ending, KeepOut, NotRemoved},
};

use super::{Play, SLOTS, left, look::heard, ready};

const USERS: [&str; 3] = ["ann", "bob", "語"];

/// Where the client of a slot comes from: two others share it at times.
pub(super) fn address(slot: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, slot % 3).into()
}

/// A ban as the model has it.
pub(super) struct ModelledBan {
    pub(super) id: BanId,
    room: Option<String>,
    subject: Subject,
}

impl ModelledBan {
    fn of(ban: &Ban) -> Self {
        let room = ban.room_id.as_ref().map(ToString::to_string);
        Self { id: ban.id, room, subject: ban.subject.clone() }
    }

    fn meets(&self, user_id: Option<&str>, slot: u8) -> bool {
        match &self.subject {
            Subject::User(banned) => Some(banned.as_str()) == user_id,
            Subject::Network(network) => network.addr() == address(slot),
        }
    }
}

impl Play {
    /// From a room or, without one, from the server.
    pub(super) fn is_banned(&self, room: Option<&str>, user_id: Option<&str>, slot: u8) -> bool {
        let is_for = |ban: &&ModelledBan| ban.room.is_none() || ban.room.as_deref() == room;
        self.bans.iter().filter(is_for).any(|ban| ban.meets(user_id, slot))
    }

    pub(super) fn ban(&mut self, room: &str, who: u8, which: u8) {
        let subject = match which / 3 % 2 {
            0 => Subject::User(USERS[usize::from(who) % USERS.len()].parse().unwrap()),
            _ => address(who).into(),
        };
        let ban = Arc::new(Ban {
            id: BanId::random(),
            room_id: ((which / 6) & 1 == 1).then(|| room.parse().unwrap()),
            subject,
            reason: None,
            created_at: SystemTime::now(),
            expires_at: ((which / 12) & 1 == 1)
                .then(|| SystemTime::now() + Duration::from_secs(3600)),
        });
        self.look();
        ready(self.hub.ban(&Administrator::default(), vec![Arc::clone(&ban)])).unwrap();
        self.enforce(&ban, SLOTS);
    }

    pub(super) fn lift_ban(&mut self, which: u8) {
        let Some(last) = self.bans.len().checked_sub(1) else {
            return assert_eq!(
                ready(self.hub.lift_ban(&Administrator::default(), BanId::random())),
                Err(Denied::NoSuchBan)
            );
        };
        let ban = self.bans.remove(usize::from(which).min(last));
        assert_eq!(ready(self.hub.lift_ban(&Administrator::default(), ban.id)), Ok(()));
        assert_eq!(
            ready(self.hub.lift_ban(&Administrator::default(), ban.id)),
            Err(Denied::NoSuchBan)
        );
    }

    pub(super) fn disconnect_client(&mut self, slot: u8, how: u8) {
        self.look();
        let (user_id, address) = (how & 1 != 0, how & 2 != 0);
        let keep_out = KeepOut { user_id, address, room_only: how & 4 != 0, until: None };
        let keep_out = (user_id || address).then_some(keep_out);
        let id = self.id(slot).parse().unwrap();
        let ended =
            ready(self.hub.disconnect_client(&Administrator::default(), id, None, keep_out));
        let Some(client) = &self.clients[usize::from(slot)] else {
            return assert!(matches!(ended, Err(NotRemoved::NotFound(_))));
        };
        if let Some(keep_out) = keep_out {
            if keep_out.room_only && client.room.is_none() {
                return assert_eq!(ended, Err(NotRemoved::NotInRoom));
            }
            if user_id && client.names.is_none() {
                return assert_eq!(ended, Err(NotRemoved::NoUserId));
            }
        }
        let bans = ended.unwrap();
        assert_eq!(bans.len(), usize::from(user_id) + usize::from(address));
        bans.iter().for_each(|ban| self.enforce(ban, slot));
        let (code, ending) = match keep_out {
            Some(_) => ("banned", Ending::Banned),
            None => ("removed", Ending::Removed),
        };
        self.is_ended(slot, code, ending);
    }

    /// It hears so, and nothing after that; its seat is free.
    fn is_ended(&mut self, slot: u8, code: &str, ending: Ending) {
        let client = self.client(slot);
        let (id, user_id, room) = (client.id.clone(), client.user_id(), client.room);
        self.hears(slot, json!({"type": "removed", "code": code, "roomId": room}));
        self.goes(slot, ending);
        if let Some(room) = room {
            self.unseat(slot, &user_id, &id, room, code);
        }
    }

    /// A ban was made, and its caller sees to one of those whom it meets.
    fn enforce(&mut self, ban: &Ban, but: u8) {
        let ban = ModelledBan::of(ban);
        let is_met = |slot: &u8| {
            let client = self.clients[usize::from(*slot)].as_ref();
            let user_id = |client: &super::Client| Some(client.names.as_ref()?.0.clone());
            client.is_some_and(|client| ban.meets(user_id(client).as_deref(), *slot))
        };
        let room = ban.room.as_deref().and_then(|name| self.rooms.get(name));
        let candidates = match (&ban.room, room) {
            (None, _) => (0..SLOTS).collect(),
            (Some(_), room) => room.map_or_else(Vec::new, |room| room.members.clone()),
        };
        let met: Vec<_> =
            candidates.into_iter().filter(|slot| *slot != but && is_met(slot)).collect();
        let is_for_all = ban.room.is_none();
        self.bans.push(ban);
        if is_for_all {
            self.are_ended(&met);
        } else {
            met.into_iter().for_each(|slot| self.loses_its_seat(slot, "banned"));
        }
    }

    /// All of them at once, in an order that nothing tells.
    fn are_ended(&mut self, slots: &[u8]) {
        let ids: BTreeSet<_> = slots.iter().map(|slot| self.id(*slot)).collect();
        for slot in slots {
            let client = self.clients[usize::from(*slot)].as_mut().unwrap();
            // Some of the others went before it, and some after.
            let mut heard = heard(&client.session);
            let word = json!({"type": "removed", "code": "banned", "roomId": client.room});
            assert_eq!(heard.pop(), Some(word));
            for due in client.due.drain(..) {
                heard.remove(heard.iter().position(|message| *message == due).unwrap());
            }
            let is_of_one = |message: &Value| ids.contains(message["clientId"].as_str().unwrap());
            assert!(
                heard.iter().all(|message| is_banned(message) && is_of_one(message)),
                "{heard:?}"
            );
        }
        self.rooms.values_mut().for_each(|room| room.members.retain(|who| !slots.contains(who)));
        for slot in slots {
            let client = self.client(*slot);
            let (id, user_id, room) = (client.id.clone(), client.user_id(), client.room);
            self.parts(*slot, Ending::Banned);
            if let Some(room) = room {
                self.tell(room, *slot, &left(&user_id, &id, "banned"));
            }
        }
        self.rooms.retain(|_, room| room.stays || !room.members.is_empty());
    }
}

/// Whether it is news of somebody who was banned.
fn is_banned(message: &Value) -> bool {
    message["type"] == "user-left" && message["reason"] == "banned"
}

/// The same messages, where news of those who were banned together come in the order of their ids.
pub(super) fn in_order(mut messages: Vec<Value>) -> Vec<Value> {
    let runs = messages.chunk_by_mut(|one, next| is_banned(one) && is_banned(next));
    runs.for_each(|run| run.sort_by_key(|message| message["clientId"].to_string()));
    messages
}
