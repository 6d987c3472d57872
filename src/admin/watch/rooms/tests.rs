//! Rooms that are gathered while they change, beside the same rooms as they were at each place in the log.

use std::{collections::BTreeSet, time::SystemTime};

use proptest::{collection, prelude::*, sample::Index as Nth};

use super::*;
use crate::{
    config::LogLimits,
    event::{Cause, Position},
    id::{ClientId, Incarnation},
    journal::{Decision, Entry, Follower, Journal},
    room::{
        By, Command, Entrant, Identity, LeaveReason, PasswordHash, Proof, ReturnKey, Role, Update,
    },
};

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// In rooms with a host, unlike what the copies know.
fn vacant(id: RoomId, max_members: usize) -> Room {
    let new_room = Settings::open(max_members).into();
    Room::vacant(id, Arc::new(Rules { new_room, first_is_host: true }))
}

fn identity(nth: u8) -> Identity {
    Identity { user_id: Some(format!("user {nth}").parse().unwrap()), display_name: None }
}

fn join(who: u32, identity: Identity, metadata: Option<Arc<str>>) -> Command {
    let entrant = Entrant {
        client_id: ClientId::from(u128::from(who)),
        identity,
        metadata,
        vouched: None,
        granted: Role::Member,
        return_key: ReturnKey([0; 16]),
        node: Incarnation::NONE,
    };
    Command::Join { entrant, banned: false, proof: Proof::None, returning: None }
}

/// The rooms themselves, their log, and what they were after each event.
struct Truth {
    journal: Journal,
    rooms: BTreeMap<RoomId, Room>,
    history: Vec<String>,
}

impl Truth {
    fn new() -> Self {
        let empty = |name: &str| {
            let id: RoomId = name.parse().unwrap();
            (id.clone(), vacant(id, 3))
        };
        let journal = Journal::memory(LogLimits { events: 1000, bytes: 1 << 20 });
        let rooms: BTreeMap<_, _> = NAMES.into_iter().map(empty).collect();
        let history = vec![shown(rooms.values())];
        Self { journal, rooms, history }
    }

    fn act(&mut self, (room, what, who): (Nth, u8, u8)) {
        let now = SystemTime::UNIX_EPOCH;
        let client_id = ClientId::from(u128::from(who));
        let id: RoomId = room.get(&NAMES).parse().unwrap();
        let room = &self.rooms[&id];
        let settle = |update| {
            let by = By::Administrator;
            Command::Update { by, update, settled_at: None, banned: Vec::new() }
        };
        let (old, by) = (room.settings(), By::Administrator);
        let command = match what {
            0..4 => join(who.into(), identity(who), None),
            4..6 => Command::Leave { client_id, reason: LeaveReason::Left },
            6 => Command::Leave { client_id, reason: LeaveReason::Disconnected },
            7 => {
                let (identity, vouched, granted) = (identity(who + 1), None, Role::Member);
                Command::Rename { client_id, identity, vouched, granted, banned: false }
            }
            8 => settle(Update { locked: Some(!old.locked), ..Update::default() }),
            9 | 10 => settle(Update { lobby: Some(!old.lobby), ..Update::default() }),
            11 => {
                let password = old.password.is_none().then(|| PasswordHash::new("hash"));
                settle(Update { password: Some(password), ..Update::default() })
            }
            12 => Command::Admit { by, target: None, banned: Vec::new() },
            13 => Command::Deny { by, target: client_id },
            14 | 15 => Command::SetRole { by, target: client_id, host: what == 14 },
            _ => Command::Close { settled_at: None },
        };
        let Ok(changes) = room.decide(command, now) else { return };
        let decision = Decision { decided_on: room.version(), changes, cause: Cause::Server, now };
        let (rooms, history) = (&mut self.rooms, &mut self.history);
        self.journal.append_of_room(&id, decision, |event| {
            rooms.get_mut(&id).unwrap().apply(event);
            history.push(shown(rooms.values()));
        });
    }

    fn copy(&self, name: &str) -> Option<Room> {
        let room = &self.rooms[&name.parse().unwrap()];
        room.exists().then(|| room.clone())
    }

    fn at(&self, position: Position) -> &str {
        &self.history[usize::try_from(position.0).unwrap()]
    }
}

/// All of those that exist. What comes to be does so with the settings of its event, whatever was said before.
fn shown<'a>(rooms: impl Iterator<Item = &'a Room>) -> String {
    let shown = |room: &Room| {
        let members: Vec<_> = room.members().cloned().collect();
        let waiting: Vec<_> = room.waiting().cloned().collect();
        Some((room.summary()?, members, waiting))
    };
    format!("{:?}", rooms.filter_map(shown).collect::<Vec<_>>())
}

fn read(rooms: &mut Rooms, follower: &mut Follower, max: usize) {
    follower.catch_up();
    for record in follower.read(max).unwrap() {
        let Entry::Room { id, event } = &record.entry else { unreachable!("there are no bans") };
        rooms.apply(id, event);
    }
}

type Acts = Vec<(Nth, u8, u8)>;

fn acts(most: usize) -> impl Strategy<Value = Acts> {
    collection::vec((any::<Nth>(), 0..17_u8, 0..5_u8), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever happens before, between and after the copies, and while the log is read: the rooms are those of the
    /// place that the log was read up to, and going on from there misses and doubles nothing, which `Room::apply`
    /// asserts by each event's `prev`.
    #[test]
    fn what_is_gathered_is_the_rooms_as_they_were_at_one_moment(
        before in acts(30),
        between in collection::vec(acts(8), NAMES.len() + 1),
        reading in collection::vec((acts(4), 1..6_usize), 0..20),
        after in acts(30),
        named: bool,
    ) {
        let mut truth = Truth::new();
        let act = |truth: &mut Truth, acts: Acts| acts.into_iter().for_each(|one| truth.act(one));
        act(&mut truth, before);
        let all: BTreeSet<_> = NAMES.into_iter().map(|name| name.parse().unwrap()).collect();
        let mut follower = truth.journal.follow(named.then_some(all));
        let mut rooms = Rooms::default();
        let mut between = between.into_iter();
        for name in NAMES {
            act(&mut truth, between.next().unwrap());
            if let Some(room) = truth.copy(name) {
                rooms.add(room);
            }
        }
        act(&mut truth, between.next().unwrap());

        let head = truth.journal.head();
        let mut reading = reading.into_iter();
        while follower.position() < head {
            let (meanwhile, max) = reading.next().unwrap_or((vec![], 5));
            act(&mut truth, meanwhile);
            read(&mut rooms, &mut follower, max);
        }
        prop_assert_eq!(shown(rooms.rooms.values()), truth.at(follower.position()));
        prop_assert!(rooms.rooms.values().all(Room::exists));

        act(&mut truth, after);
        read(&mut rooms, &mut follower, usize::MAX);
        prop_assert_eq!(follower.position(), truth.journal.head());
        prop_assert_eq!(shown(rooms.rooms.values()), shown(truth.rooms.values()));
    }
}

/// So many sit in it, and so many wait.
fn room_of(name: &str, members: u32, waiting: u32, metadata: usize) -> Room {
    let (id, now): (RoomId, _) = (name.parse().unwrap(), SystemTime::UNIX_EPOCH);
    let mut room = vacant(id.clone(), 100_000);
    let journal = Journal::memory(LogLimits { events: 1, bytes: 1 << 20 });
    let mut commit = |command: Command| {
        let changes = room.decide(command, now).unwrap();
        let decision = Decision { decided_on: room.version(), changes, cause: Cause::Server, now };
        journal.append_of_room(&id, decision, |event| room.apply(event));
    };
    let somebody =
        |nth: u32| join(nth, identity(u8::from(nth % 100 == 7)), Some("1".repeat(metadata).into()));
    (0..members).for_each(|nth| commit(somebody(nth)));
    if waiting > 0 {
        let update = Update { lobby: Some(true), ..Update::default() };
        let by = By::Administrator;
        commit(Command::Update { by, update, settled_at: None, banned: Vec::new() });
        (members..members + waiting).for_each(|nth| commit(somebody(nth)));
    }
    room
}

#[test]
fn pages_are_small_and_hold_everything_in_order() {
    let mut rooms = Rooms::default();
    for nth in 0..2000 {
        rooms.add(room_of(&format!("a {nth:04}"), nth % 3 + 1, 0, 100));
    }
    rooms.add(room_of("b large", 5000, 50, 2000));
    rooms.add(room_of("c", 1, 0, 0));
    (0..20).for_each(|nth| rooms.add(room_of(&format!("d {nth:02}"), 1, 50, 2000)));
    assert_eq!(rooms.len(), 2022);
    let (mut pages, mut seen) = (0, Vec::<pb::Room>::new());
    while let Some(page) = rooms.take_page(Etags::new(1), |_| true) {
        pages += 1;
        let bytes = page.encoded_len();
        assert!(bytes <= limits::SNAPSHOT_PAGE_BYTES, "{bytes} bytes");
        let spare = if page.rooms.iter().any(|room| !room.waiting.is_empty()) { 128 } else { 16 };
        assert!(rooms.rooms.is_empty() || bytes > limits::SNAPSHOT_PAGE_BYTES - (spare << 10));
        for part in page.rooms {
            match seen.last_mut() {
                Some(last) if last.room_id == part.room_id => {
                    last.members.extend(part.members);
                    assert_eq!(part.waiting, [], "they are in the first part");
                }
                Some(last) => {
                    assert!(last.room_id < part.room_id);
                    seen.push(part);
                }
                None => seen.push(part),
            }
        }
    }
    assert!((10..20).contains(&pages), "{pages}");
    assert_eq!(seen.len(), 2022);
    for room in &seen {
        assert_eq!(room.members.len(), room.member_count as usize);
        assert_eq!(room.waiting.len(), room.waiting_count as usize);
        let ids = room.members.iter().map(|member| &member.client_id);
        assert!(ids.is_sorted(), "in join order");
    }
}

#[test]
fn only_those_who_are_named_are_shown_but_all_are_counted() {
    let mut rooms = Rooms::default();
    rooms.add(room_of("a", 5, 0, 0));
    rooms.add(room_of("b", 300, 0, 0));
    let shows = |member: &Member| member.identity == identity(1);
    rooms.retain(shows);
    assert_eq!(rooms.len(), 1);
    let page = rooms.take_page(Etags::new(1), shows).unwrap();
    let [room] = &page.rooms[..] else { panic!() };
    assert_eq!((&*room.room_id, room.member_count, room.members.len()), ("b", 300, 3));
    assert!(rooms.take_page(Etags::new(1), shows).is_none());

    // Nobody of them sits, and some wait.
    rooms.add(room_of("a", 5, 20, 0));
    rooms.retain(shows);
    let page = rooms.take_page(Etags::new(1), shows).unwrap();
    let [room] = &page.rooms[..] else { panic!() };
    assert_eq!((room.member_count, room.members.len()), (5, 0));
    assert_eq!((room.waiting_count, room.waiting.len()), (20, 1));

    // Those who fill ten pages are passed over, and no part is empty.
    rooms.add(room_of("a", 1, 0, 0));
    rooms.add(room_of("b", 10_000, 0, 1000));
    rooms.retain(shows);
    let mut seen = 0;
    while let Some(page) = rooms.take_page(Etags::new(1), shows) {
        let parts = page.rooms.iter().map(|part| part.members.len());
        seen += parts.inspect(|members| assert!(*members > 0)).sum::<usize>();
    }
    assert_eq!(seen, 100);
}
