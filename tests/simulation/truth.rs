//! What the log says, folded as it grows: each entry must follow from what was there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::SystemTime,
};

use signalpost::{
    ban::{Ban, BanId, Bans, Subject},
    event::{Cause, Event, Position},
    id::{ClientId, RoomId},
    journal::stored::{self, read_ban_entry, read_entry},
    room::{Change, LeaveReason, Member, Room, Rules, WaitingEnd},
};

use super::{
    line::Server,
    redis::{Entry, Id, string},
};

pub(crate) struct Truth {
    pub(crate) rules: Arc<Rules>,
    pub(crate) rooms: BTreeMap<RoomId, Room>,
    bans: Bans,
    /// How often the log lost something.
    failovers: usize,
    /// How far the log was read, by count and by position.
    read: usize,
    head: Position,
    /// What whoever asked for was told that it holds, from then on.
    pub(crate) locked: BTreeSet<RoomId>,
    pub(crate) banned: BTreeSet<BanId>,
    /// Who gave up its seat to take another one in the same batch.
    rejoins: Option<Vec<u8>>,
    /// Who waited, and comes in by the next entry.
    admitted: Option<ClientId>,
    /// All of it, for people.
    told: Vec<String>,
}

impl Truth {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules: Arc::new(rules),
            rooms: BTreeMap::new(),
            bans: Bans::new(10_000, 10_000),
            failovers: 0,
            read: 0,
            head: Position::ZERO,
            locked: BTreeSet::new(),
            banned: BTreeSet::new(),
            rejoins: None,
            admitted: None,
            told: Vec::new(),
        }
    }

    /// Reads what is new in the log; all of it, where that lost something: then no promise of before holds.
    pub(crate) fn read(&mut self, server: &Server) {
        if self.failovers != server.failovers() {
            let rules = Rules::clone(&self.rules);
            *self = Self { failovers: server.failovers(), ..Self::new(rules) };
        }
        for entry in server.history(self.read) {
            self.read += 1;
            self.tell(&entry);
        }
    }

    fn tell(&mut self, entry: &Entry) {
        let place = |name| position(Id::read(&string(entry.get(name))));
        let (position, prev) = (position(entry.id), place("p"));
        assert_eq!(place("l"), self.head, "the log has a gap before {position:?}");
        self.head = position;
        let name = string(entry.get("n"));
        if name.is_empty() {
            let stored::StoredEntry { cause, at, change, .. } =
                read_ban_entry(entry.get("d")).unwrap();
            assert_eq!(prev, self.bans.version(), "bans: something is missing before {position:?}");
            return self.bans.apply(&Event { position, prev, at, cause, change });
        }
        let id: RoomId = name.parse().unwrap();
        let rules = Arc::clone(&self.rules);
        let vacant = || Room::vacant(id.clone(), rules);
        let mut room = self.rooms.remove(&id).unwrap_or_else(vacant);
        assert_eq!(prev, room.version(), "{name}: something is missing before {position:?}");
        let stored::StoredEntry { cause, at, change, .. } = read_entry(entry.get("d")).unwrap();
        follows(&room, &change);
        self.told.push(format!("{position:?} {id:?} {cause:?} {change:?}"));
        let told = || self.told.iter().rev().take(12).collect::<Vec<_>>();
        let batch = entry.get("b");
        if let Change::Joined(member) = &change {
            let is_full = room.members().len() >= room.settings().max_members;
            // Nor is a seat that is put back.
            let is_new = self.rejoins.as_deref() != Some(batch) && cause != Cause::Server;
            assert!(!is_full || !is_new, "{name}: one too many: {:#?}", told());
            let was_admitted = self.admitted.take() == Some(member.client_id);
            let is_locked = self.locked.contains(room.id()) && is_new && !was_admitted;
            assert!(!is_locked, "{name}: though it is locked: {:#?}", told());
            let ban = self.ban_against(&id, member).filter(|_| is_new);
            assert!(ban.is_none(), "{name}: though {ban:?}: {:#?}", told());
        }
        if let Change::WaitingEnded { client_id, reason: WaitingEnd::Admitted, .. } = change {
            self.admitted = Some(client_id);
        }
        let rejoins = matches!(change, Change::Left { reason: LeaveReason::Rejoined, .. });
        self.rejoins = rejoins.then(|| batch.to_vec());
        if matches!(change, Change::Closed | Change::Unlocked) {
            self.locked.remove(room.id());
        }
        room.apply(&Event { position, prev, at, cause, change });
        self.rooms.insert(id, room);
    }
}

impl Truth {
    /// No node that lives seats whom a ban meets that was answered. Whoever went by itself may be owed its departure.
    pub(crate) fn seats_nobody_who_is_banned(
        &self,
        server: &Server,
        sits: impl Fn(&RoomId, ClientId) -> bool,
    ) {
        for room in self.rooms.values() {
            for member in room.members().filter(|member| sits(room.id(), member.client_id)) {
                let lease = format!("{{signalpost}}:node:{}", member.node);
                let lives = server.act(|redis| redis.exists(&lease));
                let ban = self.ban_against(room.id(), member).filter(|_| lives);
                assert!(ban.is_none(), "{member:?} sits in {:?} though {ban:?}", room.id());
            }
        }
    }

    fn ban_against(&self, room_id: &RoomId, member: &Member) -> Option<&Arc<Ban>> {
        let user_id = member.identity.user_id.as_ref();
        self.bans.after(None, SystemTime::UNIX_EPOCH).find(|ban| {
            self.banned.contains(&ban.id)
                && ban.room_id.as_ref().is_none_or(|id| id == room_id)
                && matches!(&ban.subject, Subject::User(user) if Some(user) == user_id)
        })
    }
}

/// Whether a change can happen to a room.
fn follows(room: &Room, change: &Change) {
    let sits = |id| room.member(id).is_some();
    let can = match change {
        Change::Created { .. } => !room.exists(),
        Change::Joined(member) => room.exists() && !sits(member.client_id),
        Change::Renamed { member, .. }
        | Change::RoleChanged { member, .. }
        | Change::Moved { member } => sits(member.client_id),
        Change::Waiting(waiter) => room.exists() && !sits(waiter.member.client_id),
        Change::WaitingEnded { client_id, .. } => room.waiter(*client_id).is_some(),
        Change::Left { client_id, .. } => sits(*client_id),
        Change::Closed => room.exists() && room.members().len() == 0,
        Change::Updated { .. } => room.exists(),
        Change::Locked => room.exists() && !room.settings().locked,
        Change::Unlocked => room.exists() && room.settings().locked,
    };
    assert!(can, "{:?}: {change:?} cannot be", room.id());
}

pub(crate) fn position(Id(milliseconds, count): Id) -> Position {
    Position(milliseconds << 16 | count)
}
