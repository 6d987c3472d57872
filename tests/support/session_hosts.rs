//! What hosts ask for, and what the model has of it.

use serde_json::{Value, json};
use signalpost::room::LeaveReason;

use super::{MAX_MEMBERS, Play, Role, SLOTS, bans::ModelledBan};

impl Play {
    pub(super) fn order_room(&mut self, slot: u8, which: u8) {
        let bit = |nth: u8| which & (1 << nth) != 0;
        let most = bit(2).then(|| usize::from(which >> 6) + 1);
        let (locked, lobby) = (bit(0).then(|| bit(1)), bit(3).then(|| bit(4)));
        let mut order = json!({
            "type": "update-room", "locked": locked, "maxMembers": most, "lobby": lobby,
        });
        if self.clients[usize::from(slot)].is_none() {
            return;
        }
        order.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        if bit(5) {
            order["password"] = Value::Null;
        }
        self.say_as_it_is(slot, &order);
        let Some(name) = self.hosts_where(slot) else { return };
        let room = &self.rooms[name];
        if most.is_some_and(|most| most > MAX_MEMBERS.max(room.max_members)) {
            return self.hears(slot, json!({"type": "error", "code": "bad-message"}));
        }
        let password = if bit(5) { Some(false) } else { None };
        self.becomes(name, most, locked, password, lobby, false);
        self.hears(slot, json!({"type": "done"}));
    }

    /// A room's settings are these from now on; who waits may come in by that.
    pub(super) fn becomes(
        &mut self,
        name: &'static str,
        most: Option<usize>,
        locked: Option<bool>,
        password: Option<bool>,
        lobby: Option<bool>,
        tells: bool,
    ) {
        let room = self.rooms.get_mut(name).unwrap();
        let before = room.shown();
        let lifted = room.lobby && lobby == Some(false);
        room.max_members = most.unwrap_or(room.max_members);
        room.password = password.unwrap_or(room.password);
        room.lobby = lobby.unwrap_or(room.lobby);
        if tells || room.shown() != before {
            let updated = json!({"type": "room-updated", "room": room.shown()});
            self.tell(name, SLOTS, &updated);
        }
        self.locks(name, locked);
        if lifted {
            for slot in self.rooms[name].waiting.clone() {
                let room = &self.rooms[name];
                match (room.locked, room.has_seats()) {
                    (true, _) => self.waits_no_more(slot, "room-locked", Some("room-locked")),
                    (_, true) => self.let_in(slot),
                    (_, false) => self.waits_no_more(slot, "room-full", Some("room-full")),
                }
            }
        }
    }

    pub(super) fn locks(&mut self, name: &'static str, locked: Option<bool>) {
        let room = self.rooms.get_mut(name).unwrap();
        if let Some(locked) = locked
            && std::mem::replace(&mut room.locked, locked) != locked
        {
            let updated = json!({"type": "room-updated", "room": room.shown()});
            self.tell(name, SLOTS, &updated);
        }
    }

    pub(super) fn order_role(&mut self, slot: u8, target: u8, host: bool) {
        let role = if host { "host" } else { "member" };
        let id = self.id(target);
        if !self.say(slot, json!({"type": "set-role", "targetId": id, "role": role})) {
            return;
        }
        let Some(name) = self.hosts_where(slot) else { return };
        let members = self.rooms[name].members.clone();
        if !members.contains(&target) {
            return self.hears(slot, json!({"type": "error", "code": "peer-not-found"}));
        }
        let others = members.into_iter().filter(|member| *member != target);
        let is_last = !others.into_iter().any(|other| self.client(other).role.is_host());
        if !host && is_last && self.client(target).role.is_host() {
            return self.hears(slot, json!({"type": "error", "code": "last-host"}));
        }
        // By its own word it is no more than it was.
        if !host || target != slot {
            self.become_role(target, if host { Role::Host } else { Role::Member });
        }
        self.hears(slot, json!({"type": "done"}));
    }

    pub(super) fn order_removal(&mut self, slot: u8, target: u8, bans: bool) {
        let (id, seconds) = (self.id(target), bans.then_some(60));
        let order = json!({"type": "remove", "targetId": id, "seconds": seconds});
        if !self.say(slot, order) {
            return;
        }
        let Some(name) = self.hosts_where(slot) else { return };
        if !self.rooms[name].members.contains(&target) {
            return self.hears(slot, json!({"type": "error", "code": "peer-not-found"}));
        }
        self.depart(target, LeaveReason::Removed);
        self.hears(target, json!({"type": "removed", "code": "removed", "roomId": name}));
        // A host may remove itself, and the room with it.
        if bans && let Some(room) = self.rooms.get(name) {
            let waiting = room.waiting.clone();
            let known = |id| self.bans.iter().any(|ban| ban.id == id);
            let new = self.hub.bans(None, usize::MAX, |ban| !known(ban.id));
            let [new] = &new[..] else { panic!("one ban, and no more") };
            let new = ModelledBan::of(new);
            self.bans.retain(|ban| !ban.is_replaced_by(&new));
            self.bans.push(new);
            let ban = self.bans.len() - 1;
            for waits in waiting {
                if self.bans[ban].meets(None, waits) {
                    self.waits_no_more(waits, "banned", Some("banned"));
                }
            }
        }
        self.hears(slot, json!({"type": "done"}));
    }

    pub(super) fn ask_to_mute(&mut self, slot: u8, target: u8) {
        let id = self.id(target);
        if !self.say(slot, json!({"type": "ask-to-mute", "targetId": id})) {
            return;
        }
        let Some(name) = self.hosts_where(slot) else { return };
        if !self.rooms[name].members.contains(&target) {
            return self.hears(slot, json!({"type": "error", "code": "peer-not-found"}));
        }
        let from_id = self.id(slot);
        self.hears(target, json!({"type": "mute-requested", "fromId": from_id}));
        self.hears(slot, json!({"type": "done"}));
    }

    pub(super) fn admit(&mut self, slot: u8, target: Option<u8>) {
        let id = target.map(|target| self.id(target));
        if !self.say(slot, json!({"type": "admit", "targetId": id})) {
            return;
        }
        let Some(name) = self.hosts_where(slot) else { return };
        let waiting = self.rooms[name].waiting.clone();
        let is_wanted = |waits: &u8| target.is_none_or(|target| target == *waits);
        let wanted: Vec<_> = waiting.into_iter().filter(is_wanted).collect();
        let code = match (wanted.is_empty(), target) {
            (true, Some(_)) => Some("peer-not-found"),
            (false, _) if !self.rooms[name].has_seats() => Some("room-full"),
            _ => None,
        };
        if let Some(code) = code {
            return self.hears(slot, json!({"type": "error", "code": code}));
        }
        for waits in wanted {
            if self.rooms[name].has_seats() {
                self.let_in(waits);
            }
        }
        self.hears(slot, json!({"type": "done"}));
    }

    pub(super) fn deny(&mut self, slot: u8, target: u8) {
        let id = self.id(target);
        if !self.say(slot, json!({"type": "deny", "targetId": id})) {
            return;
        }
        let Some(name) = self.hosts_where(slot) else { return };
        if !self.rooms[name].waiting.contains(&target) {
            return self.hears(slot, json!({"type": "error", "code": "peer-not-found"}));
        }
        self.waits_no_more(target, "denied", Some("denied"));
        self.hears(slot, json!({"type": "done"}));
    }

    /// The room that somebody commands, unless it is refused.
    fn hosts_where(&mut self, slot: u8) -> Option<&'static str> {
        let client = self.client(slot);
        let code = match (client.room, client.role.is_host()) {
            (None, _) => "not-in-room",
            (Some(_), false) => "forbidden",
            (Some(name), true) => return Some(name),
        };
        self.hears(slot, json!({"type": "error", "code": code}));
        None
    }
}
