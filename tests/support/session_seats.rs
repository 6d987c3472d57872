//! Who sits where, who waits and who may return, as the model has it.

use serde_json::{Value, json};
use signalpost::{hub::Ending, room::LeaveReason};

use super::{MAX_MEMBERS, MAX_ROOMS, Play, Role};

#[derive(Default)]
pub(super) struct Modelled {
    /// Slots, in join order.
    pub(super) members: Vec<u8>,
    /// Slots, in the order in which they came.
    pub(super) waiting: Vec<u8>,
    pub(super) locked: bool,
    pub(super) max_members: usize,
    pub(super) password: bool,
    pub(super) lobby: bool,
    /// Also while it is empty.
    pub(super) stays: bool,
    /// Empty, and waits for those who lost their seats.
    pub(super) held: bool,
    pub(super) lost: Vec<Seat>,
}

/// A seat that somebody may return to.
#[derive(Clone, PartialEq)]
pub(super) struct Seat {
    token: Value,
    owner: Option<String>,
    role: Role,
}

impl Modelled {
    pub(super) fn open() -> Self {
        Self { max_members: MAX_MEMBERS, ..Self::default() }
    }

    pub(super) fn shown(&self) -> Value {
        json!({
            "locked": self.locked, "maxMembers": self.max_members, "metadata": {},
            "hasPassword": self.password, "lobby": self.lobby,
        })
    }

    pub(super) fn has_seats(&self) -> bool {
        self.members.len() < self.max_members
    }

    fn is_guarded(&self) -> bool {
        self.locked || self.password || self.lobby || !self.waiting.is_empty()
    }
}

impl Play {
    pub(super) fn join(&mut self, slot: u8, name: &'static str, metadata: Value) {
        let join = json!({"type": "join", "roomId": name, "metadata": metadata});
        self.enter(slot, name, join, metadata, None);
    }

    /// With the token of a seat that was lost, or that somebody sits in.
    pub(super) fn come_back(&mut self, slot: u8, name: &'static str, which: usize) {
        self.look();
        let Some(room) = self.rooms.get(name) else { return };
        let members = room.members.iter().map(|member| self.seat_of(*member));
        let seats: Vec<_> = room.lost.iter().cloned().chain(members).collect();
        if seats.is_empty() {
            return;
        }
        let seat = seats[which % seats.len()].clone();
        let join = json!({"type": "join", "roomId": name, "returnToken": seat.token});
        self.enter(slot, name, join, Value::Null, Some(seat));
    }

    fn enter(
        &mut self,
        slot: u8,
        name: &'static str,
        join: Value,
        metadata: Value,
        claim: Option<Seat>,
    ) {
        if !self.say(slot, join) {
            return;
        }
        let client = self.client(slot);
        let (sits, waits, owner) = (client.room, client.waits, client.own_name());
        let user_id = client.names.as_ref().map(|(user_id, _)| user_id.clone());
        let is_banned = self.is_banned(Some(name), user_id.as_deref(), slot);
        if sits == Some(name) && !is_banned {
            return self.sit_down_again(slot, name, metadata);
        }
        let claim = claim.filter(|claim| claim.owner == owner);
        let standing = claim.as_ref().and_then(|claim| {
            let members = &self.rooms[name].members;
            members.iter().copied().find(|member| self.seat_of(*member).token == claim.token)
        });
        let refusal = match self.rooms.get(name) {
            _ if is_banned => Some("banned"),
            None => (self.rooms.len() >= MAX_ROOMS).then_some("unavailable"),
            Some(_) if standing.is_some() => None,
            Some(room) if !room.has_seats() => Some("room-full"),
            Some(_) if claim.is_some() => None,
            Some(room) if room.held => Some("room-held"),
            Some(room) if room.locked => Some("room-locked"),
            Some(room) if room.password => Some("password-required"),
            Some(_) => None,
        };
        if let Some(code) = refusal {
            return self.hears(slot, json!({"type": "join-error", "code": code}));
        }
        if let Some(left) = sits.or_else(|| waits.filter(|waits| *waits != name)) {
            self.depart(slot, LeaveReason::Moved);
            self.hears(slot, json!({"type": "left", "roomId": left}));
        }
        self.rooms.entry(name).or_insert_with(Modelled::open);
        self.client(slot).metadata = metadata;
        if let Some(Seat { token, role, .. }) = claim {
            let old = standing.map(|old| self.taken_over(old, name));
            self.rooms.get_mut(name).unwrap().lost.retain(|seat| seat.token != token);
            if waits == Some(name) {
                self.waits_no_more(slot, "admitted", None);
            }
            let other =
                |slot: &u8| self.clients[usize::from(*slot)].as_ref().unwrap().role == Role::Host;
            let needless = role == Role::ActingHost && self.rooms[name].members.iter().any(other);
            self.sit_down(slot, name, if needless { Role::Member } else { role });
            if let Some(old) = old {
                self.parts(old, Ending::TakenOver);
            }
        } else if self.rooms[name].lobby {
            if waits == Some(name) {
                self.waits_no_more(slot, "rejoined", None);
            }
            self.rooms.get_mut(name).unwrap().waiting.push(slot);
            self.client(slot).waits = Some(name);
            self.hears(slot, json!({"type": "waiting", "roomId": name}));
            let knock = self.knock(slot);
            self.tell_hosts(name, &knock);
        } else {
            self.sit_down(slot, name, Role::Member);
        }
    }

    fn sit_down_again(&mut self, slot: u8, name: &'static str, metadata: Value) {
        self.hears(slot, json!({"type": "left", "roomId": name}));
        self.stand_up(slot, name, "rejoined");
        let role = self.client(slot).role;
        self.client(slot).metadata = metadata;
        self.sit_down(slot, name, role);
    }

    /// Its connection has another one's word for it, and hears nothing more.
    fn taken_over(&mut self, slot: u8, name: &'static str) -> u8 {
        self.stand_up(slot, name, "rejoined");
        slot
    }

    pub(super) fn sit_down(&mut self, slot: u8, name: &'static str, role: Role) {
        let others = self.rooms[name].members.clone();
        let has_host = others.iter().any(|other| self.client(*other).role.is_host());
        let role = if has_host || role.is_host() { role } else { Role::ActingHost };
        let room = self.rooms.get_mut(name).unwrap();
        room.members.push(slot);
        room.held = false;
        let info = room.shown();
        let client = self.client(slot);
        (client.room, client.waits, client.role) = (Some(name), None, role);
        let mut joined = client.shown();
        joined["type"] = json!("user-joined");
        self.tell(name, slot, &joined);
        let peers: Vec<_> = others.iter().map(|other| self.client(*other).shown()).collect();
        let members: Vec<_> = peers.iter().map(|peer| peer["clientId"].clone()).collect();
        self.hears(
            slot,
            json!({
                "type": "joined", "roomId": name, "members": members, "peers": peers, "room": info,
                "role": role.shown(),
            }),
        );
        if role.is_host() {
            self.hear_knocks(slot, name);
        }
        if role == Role::ActingHost {
            let acting = |play: &mut Self, other: &u8| play.client(*other).role == Role::ActingHost;
            let relieved: Vec<_> = others.into_iter().filter(|other| acting(self, other)).collect();
            relieved.into_iter().for_each(|other| self.become_role(other, Role::Member));
        }
    }

    /// Gives its seat up, or its waiting. The rest of it is for the caller.
    pub(super) fn depart(&mut self, slot: u8, reason: LeaveReason) {
        let client = self.client(slot);
        if client.waits.is_some() {
            return self.waits_no_more(slot, reason.as_str(), None);
        }
        let Some(name) = client.room else { return };
        let seat = self.seat_of(slot);
        let room = self.rooms.get_mut(name).unwrap();
        let outlives = reason.is_loss() && room.is_guarded();
        let is_last = room.members.len() == 1;
        if reason.is_loss() {
            room.lost.push(seat);
            room.held = is_last && outlives;
        } else if matches!(reason, LeaveReason::Removed | LeaveReason::Banned) {
            room.lost.retain(|lost| lost.owner != seat.owner);
        }
        let closes = is_last && !room.stays && !outlives;
        self.stand_up(slot, name, reason.as_str());
        self.client(slot).room = None;
        self.client(slot).role = Role::Member;
        if closes {
            for waits in self.rooms[name].waiting.clone() {
                self.waits_no_more(waits, "room-closed", Some("room-closed"));
            }
            self.rooms.remove(name);
            self.bans.retain(|ban| !ban.ends_with(name));
        }
        self.name_host(name);
    }

    fn stand_up(&mut self, slot: u8, name: &'static str, reason: &str) {
        self.rooms.get_mut(name).unwrap().members.retain(|member| *member != slot);
        let client = self.client(slot);
        let left = json!({
            "type": "user-left", "userId": client.user_id(), "clientId": client.id,
            "reason": reason,
        });
        self.tell(name, slot, &left);
    }

    /// Where there is no host, the longest seated is one.
    fn name_host(&mut self, name: &'static str) {
        let members = self.rooms.get(name).map_or_else(Vec::new, |room| room.members.clone());
        let is_host = |slot: &u8| self.clients[usize::from(*slot)].as_ref().unwrap().role.is_host();
        if let Some(first) = members.first()
            && !members.iter().any(is_host)
        {
            self.become_role(*first, Role::ActingHost);
        }
    }

    pub(super) fn become_role(&mut self, slot: u8, role: Role) {
        let client = self.client(slot);
        let was_host = std::mem::replace(&mut client.role, role).is_host();
        let name = client.room.unwrap();
        let changed = json!({"type": "role-changed", "clientId": client.id, "role": role.shown()});
        if was_host != role.is_host() {
            self.tell(name, super::SLOTS, &changed);
        }
        if role.is_host() && !was_host {
            self.hear_knocks(slot, name);
        }
    }

    /// `code` is what it is told, if it is.
    pub(super) fn waits_no_more(&mut self, slot: u8, reason: &str, code: Option<&str>) {
        let client = self.client(slot);
        let name = client.waits.take().unwrap();
        let ended = json!({"type": "knock-ended", "clientId": client.id, "reason": reason});
        if let Some(code) = code {
            self.hears(slot, json!({"type": "join-error", "code": code}));
        }
        self.rooms.get_mut(name).unwrap().waiting.retain(|waits| *waits != slot);
        self.tell_hosts(name, &ended);
    }

    pub(super) fn let_in(&mut self, slot: u8) {
        let name = self.client(slot).waits.unwrap();
        self.waits_no_more(slot, "admitted", None);
        self.sit_down(slot, name, Role::Member);
    }

    fn seat_of(&self, slot: u8) -> Seat {
        let client = self.clients[usize::from(slot)].as_ref().unwrap();
        Seat { token: client.token.clone(), owner: client.own_name(), role: client.role }
    }

    pub(super) fn knock(&mut self, slot: u8) -> Value {
        let mut knock = self.client(slot).shown();
        knock["type"] = json!("knock");
        knock.as_object_mut().unwrap().remove("role");
        knock
    }

    fn hear_knocks(&mut self, host: u8, name: &str) {
        for slot in self.rooms[name].waiting.clone() {
            let knock = self.knock(slot);
            self.hears(host, knock);
        }
    }

    pub(super) fn tell_hosts(&mut self, name: &str, message: &Value) {
        for slot in self.rooms[name].members.clone() {
            if self.client(slot).role.is_host() {
                self.hears(slot, message.clone());
            }
        }
    }

    /// To everyone in a room but one.
    pub(super) fn tell(&mut self, name: &str, but: u8, message: &Value) {
        let room = self.rooms.get(name);
        let members = room.map_or_else(Vec::new, |room| room.members.clone());
        for slot in members.into_iter().filter(|slot| *slot != but) {
            self.hears(slot, message.clone());
        }
    }
}
