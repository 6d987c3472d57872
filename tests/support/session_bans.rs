//! Who is kept out, and what the model has of it.

#![allow(clippy::disallowed_methods, reason = "it may ask for the time: it is no room")]

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::json;
use signalpost::{
    ban::{Ban, BanId, Denied, Subject},
    event::Administrator,
    hub::{Ending, KeepOut, NotRemoved},
    room::LeaveReason,
};

use super::{Play, SLOTS, look::heard, ready};

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
    of_host: bool,
}

impl ModelledBan {
    pub(super) fn of(ban: &Ban) -> Self {
        let room = ban.room_id.as_ref().map(ToString::to_string);
        Self { id: ban.id, room, subject: ban.subject.clone(), of_host: ban.host.is_some() }
    }

    pub(super) fn is_replaced_by(&self, other: &Self) -> bool {
        self.of_host && (&self.room, &self.subject) == (&other.room, &other.subject)
    }

    /// What hosts wanted ends with their room.
    pub(super) fn ends_with(&self, room: &str) -> bool {
        self.of_host && self.room.as_deref() == Some(room)
    }

    pub(super) fn meets(&self, user_id: Option<&str>, slot: u8) -> bool {
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

    /// From a room, or from the server, whatever address it comes from.
    pub(super) fn is_banned_by_name(&self, room: Option<&str>, user_id: &str) -> bool {
        let is_for = |ban: &&ModelledBan| ban.room.is_none() || ban.room.as_deref() == room;
        let is_of =
            |ban: &ModelledBan| matches!(&ban.subject, Subject::User(of) if of.as_str() == user_id);
        self.bans.iter().filter(is_for).any(is_of)
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
            host: None,
        });
        self.look();
        if ban.room_id.is_none() && self.met(&ModelledBan::of(&ban), SLOTS).len() > 1 {
            // In an order that nothing tells.
            return;
        }
        ready(self.hub.ban(&Administrator::default(), vec![Arc::clone(&ban)])).unwrap();
        self.enforce(&ban, SLOTS);
    }

    pub(super) fn lift_ban(&mut self, which: u8) {
        let Some(last) = self.bans.len().checked_sub(1) else {
            return assert_eq!(
                ready(self.hub.lift_ban(&Administrator::default(), BanId::random())),
                Err(Denied::NoSuchBan.into())
            );
        };
        let ban = self.bans.remove(usize::from(which).min(last));
        assert_eq!(ready(self.hub.lift_ban(&Administrator::default(), ban.id)), Ok(()));
        assert_eq!(
            ready(self.hub.lift_ban(&Administrator::default(), ban.id)),
            Err(Denied::NoSuchBan.into())
        );
    }

    pub(super) fn disconnect_client(&mut self, slot: u8, how: u8) {
        self.look();
        let (by_name, by_address) = (how & 1 != 0, how & 2 != 0);
        let keep_out =
            KeepOut { user_id: by_name, address: by_address, room_only: how & 4 != 0, until: None };
        let keep_out = (by_name || by_address).then_some(keep_out);
        if let Some(client) = &self.clients[usize::from(slot)]
            && !keep_out.is_some_and(|keep_out| keep_out.room_only)
        {
            let user_id = client.names.as_ref().map(|(user_id, _)| user_id.parse().unwrap());
            let user = user_id.filter(|_| by_name).map(Subject::User);
            let subjects = user.into_iter().chain(by_address.then(|| address(slot).into()));
            let bans = subjects.map(|subject| ModelledBan {
                id: BanId::random(),
                room: None,
                subject,
                of_host: false,
            });
            if bans.map(|ban| self.met(&ban, slot).len()).sum::<usize>() > 1 {
                return;
            }
        }
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
            if by_name && client.names.is_none() {
                return assert_eq!(ended, Err(NotRemoved::NoUserId));
            }
        }
        let bans = ended.unwrap();
        assert_eq!(bans.len(), usize::from(by_name) + usize::from(by_address));
        bans.iter().for_each(|ban| self.enforce(ban, slot));
        let ending = if keep_out.is_some() { Ending::Banned } else { Ending::Removed };
        self.is_ended(slot, ending);
    }

    /// It hears so, and nothing after that; its seat is free.
    fn is_ended(&mut self, slot: u8, ending: Ending) {
        let (reason, room) = (ending.leave_reason(), self.client(slot).room);
        let removed = json!({"type": "removed", "code": reason.as_str(), "roomId": room});
        self.hears(slot, removed);
        self.leaves_for_good(slot, ending);
    }

    fn leaves_for_good(&mut self, slot: u8, ending: Ending) {
        let client = self.client(slot);
        assert_eq!(heard(&client.session), std::mem::take(&mut client.due));
        self.depart(slot, ending.leave_reason());
        self.parts(slot, ending);
    }

    /// Whom a ban meets but one, in the order in which they are sent away.
    fn met(&self, ban: &ModelledBan, but: u8) -> Vec<u8> {
        let is_met = |slot: &u8| {
            let client = self.clients[usize::from(*slot)].as_ref();
            let user_id = |client: &super::Client| Some(client.names.as_ref()?.0.clone());
            client.is_some_and(|client| ban.meets(user_id(client).as_deref(), *slot))
        };
        let people = match &ban.room {
            None => (0..SLOTS).collect(),
            Some(name) => self.rooms.get(name.as_str()).map_or_else(Vec::new, |room| {
                room.members.iter().chain(&room.waiting).copied().collect()
            }),
        };
        people.into_iter().filter(|slot: &u8| *slot != but && is_met(slot)).collect()
    }

    /// A ban was made, and its caller sees to one of those whom it meets.
    fn enforce(&mut self, ban: &Ban, but: u8) {
        let ban = ModelledBan::of(ban);
        let (met, is_for_all) = (self.met(&ban, but), ban.room.is_none());
        self.bans.push(ban);
        for slot in met {
            if is_for_all {
                self.is_ended(slot, Ending::Banned);
            } else if self.client(slot).waits.is_some() {
                self.waits_no_more(slot, "banned", Some("banned"));
            } else if self.client(slot).room.is_some() {
                self.loses_its_seat(slot, LeaveReason::Banned);
            }
        }
    }
}
