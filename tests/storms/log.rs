//! The log of a storm, told again.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    sync::Arc,
};

use signalpost::{
    ban::{Ban, BanId, Bans, Change as BanChange, Event as BanEvent},
    event::{Cause, Position},
    hub::Hub,
    id::RoomId,
    journal::{Entry, Follower, Record},
    room::{Change, Event, LeaveReason, Room, Rules, Settings, WaitingEnd},
};

use super::ready;

/// All that the log tells of rooms and bans, up to some entry of it.
pub(crate) struct Told {
    pub(crate) rooms: BTreeMap<RoomId, Room>,
    pub(crate) bans: Bans,
    pub(crate) position: Position,
    /// Why seats were freed, and whether a room's time ran out.
    pub(crate) endings: BTreeSet<&'static str>,
    rules: Arc<Rules>,
    /// Somebody just gave up a seat for another one in the same room: such a join admits nobody new.
    rejoins: bool,
    /// Somebody sits in the last event's room, and nobody is host in it: only between events that belong together.
    hostless: bool,
    /// Somebody who waited was just let in.
    admitted: bool,
}

impl Told {
    pub(crate) fn nothing(hub: &Hub) -> Self {
        let new_room = Settings::open(hub.limits().members).into();
        let rules = Arc::new(Rules { new_room, first_is_host: true });
        Self {
            rooms: BTreeMap::new(),
            bans: Bans::new(10_000, 100),
            position: Position::ZERO,
            endings: BTreeSet::new(),
            rules,
            rejoins: false,
            hostless: false,
            admitted: false,
        }
    }

    /// The next entry, which must follow the one before, and break no rule.
    pub(crate) fn tell(&mut self, record: &Record) {
        assert_eq!(record.log_prev, self.position, "a gap in the log");
        self.position = record.position();
        match &record.entry {
            Entry::Room { id, event } => self.tell_of_room(id, event),
            Entry::Ban(event) => self.tell_of_ban(event),
        }
    }

    fn tell_of_room(&mut self, id: &RoomId, event: &Event) {
        let vacant = || Room::vacant(id.clone(), Arc::clone(&self.rules));
        let room = self.rooms.entry(id.clone()).or_insert_with(vacant);
        assert_eq!(room.version(), event.prev, "a gap in {id}");
        match &event.change {
            Change::Created { .. } => assert!(!room.exists()),
            Change::Joined(member) => {
                let Settings { max_members, locked, lobby, .. } = **room.settings();
                assert!(room.exists() && room.seat_of(member.client_id).is_none());
                assert!(room.waiter(member.client_id).is_none());
                assert!(self.rejoins || room.members().len() < max_members, "{id} is full");
                assert!(self.rejoins || self.admitted || !locked, "{id} is locked");
                assert!(self.rejoins || self.admitted || !lobby, "{id} has a lobby");
            }
            Change::WaitingEnded { client_id, reason, .. } => {
                assert!(room.waiter(*client_id).is_some());
                self.endings.insert(reason.as_str());
            }
            Change::Left { client_id, reason, .. } => {
                assert!(room.seat_of(*client_id).is_some());
                self.endings.insert(reason.as_str());
            }
            Change::Closed => {
                assert_eq!((room.members().len(), room.waiting().len()), (0, 0));
                self.endings.extend((event.cause == Cause::Timer).then_some("timer"));
            }
            _ => assert!(room.exists()),
        }
        self.rejoins = matches!(event.change, Change::Left { reason: LeaveReason::Rejoined, .. });
        let reason = WaitingEnd::Admitted;
        self.admitted =
            matches!(event.change, Change::WaitingEnded { reason: end, .. } if end == reason);
        room.apply(event);
        let has_host = room.members().any(|member| member.standing.is_host());
        self.hostless = room.members().len() > 0 && !has_host;
    }

    fn tell_of_ban(&mut self, event: &BanEvent) {
        assert_eq!(self.bans.version(), event.prev, "a gap in the bans");
        self.bans.apply(event);
    }

    /// It ends as the hub is now.
    pub(crate) fn agrees_with(&self, hub: &Hub) {
        assert!(!self.hostless);
        let most = NonZeroUsize::new(1000).unwrap();
        // A room whose time is over is hidden before the log has its end.
        let listed = hub.rooms(None, most, "", |room| room.expires_at.is_none());
        let (rooms, _) = ready(listed).unwrap();
        let told = self.rooms.values().filter_map(Room::summary);
        let told = told.filter(|room| room.expires_at.is_none());
        let shown = |room: &signalpost::room::Summary| format!("{room:?}");
        assert_eq!(
            rooms.iter().map(shown).collect::<Vec<_>>(),
            told.map(|r| shown(&r)).collect::<Vec<_>>()
        );
        for room in rooms {
            let (room, told) = (ready(hub.room(&room.id)).unwrap(), &self.rooms[&room.id]);
            assert!(room.members().eq(told.members()) && room.waiting().eq(told.waiting()));
        }
        let seated: usize = self.rooms.values().map(|room| room.members().len()).sum();
        assert_eq!(hub.counts().members, seated);
        assert_eq!(hub.counts().rooms, self.rooms.values().filter(|room| room.exists()).count());
        assert_eq!(hub.counts().bans, self.bans.len());
    }
}

/// All that is in the log and was not read yet.
pub(crate) fn read(follower: &mut Follower) -> Vec<Arc<Record>> {
    follower.catch_up();
    let mut all = Vec::new();
    loop {
        let batch = follower.read(1000).unwrap();
        if batch.is_empty() {
            return all;
        }
        all.extend(batch);
    }
}

/// The ban that an entry lets stand.
pub(crate) fn made(record: &Record) -> Option<&Arc<Ban>> {
    match &record.entry {
        Entry::Ban(BanEvent { change: BanChange::Created(ban), .. }) => Some(ban),
        _ => None,
    }
}

/// The ban that an entry ends.
pub(crate) fn ended(record: &Record) -> Option<BanId> {
    match &record.entry {
        Entry::Ban(BanEvent { change: BanChange::Deleted(ban), .. }) => Some(ban.id),
        _ => None,
    }
}
