//! What is stored of rooms and bans is what they are, and what the log has of a change is the change.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "room_model/steps.rs"]
mod steps;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use proptest::{collection::vec, prelude::*, sample::Index};
use signalpost::{
    ban::{self, Ban, BanId, Bans, Subject},
    event::{Cause, Event, Position},
    id::{ClientId, Incarnation, RoomId},
    journal::stored::{
        StoredError, Word, ban_delta, ban_entry, bans, delta, entry, read_ban_entry, read_entry,
        room,
    },
    room::{
        Change, Identity, LeaveReason, Member, PasswordHash, ReturnKey, Role, Room, Rules,
        Settings, Standing, Vouched, Waiter, WaitingEnd,
    },
};
use steps::{Step, command, steps};

/// Neither whole seconds nor microseconds.
fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(seconds, 123_456_789)
}

fn vacant(first_is_host: bool) -> Room {
    let rules = Rules { new_room: Settings::open(3).into(), first_is_host };
    Room::vacant("room".parse().unwrap(), Arc::new(rules))
}

/// A room, what is stored of it, and what the log has of what happened to it.
struct Shared {
    room: Room,
    rules: Arc<Rules>,
    now: u64,
    head: u64,
    fields: BTreeMap<String, Vec<u8>>,
    settled_at: Position,
    nodes: BTreeSet<Incarnation>,
    /// What another node knows that has only the log.
    replica: Room,
}

impl Shared {
    fn new(first_is_host: bool) -> Self {
        let rules = Arc::new(Rules { new_room: Settings::open(3).into(), first_is_host });
        Self {
            room: vacant(first_is_host),
            rules,
            now: 1_700_000_000,
            head: 0,
            fields: BTreeMap::new(),
            settled_at: Position::ZERO,
            nodes: BTreeSet::new(),
            replica: vacant(first_is_host),
        }
    }

    /// All of `steps` that are not refused, as one batch.
    fn batch(&mut self, steps: &[Step]) {
        let before = self.room.clone();
        let mut events = Vec::new();
        for step in steps {
            if let Step::Wait(seconds) = step {
                self.now += seconds;
            }
            let now = at(self.now);
            let Ok(changes) = self.room.decide(command(step, &self.room), now) else { continue };
            for change in changes {
                self.head += 1 << 16;
                let (position, prev) = (Position(self.head), self.room.version());
                let event = Event { position, prev, at: now, cause: Cause::Server, change };
                self.room.apply(&event);
                events.push(event);
            }
        }
        self.store(&before, &events);
        events.iter().for_each(|event| self.tell(event));
    }

    fn store(&mut self, before: &Room, events: &[Event<Change>]) {
        let changes: Vec<_> = events.iter().map(|event| event.change.clone()).collect();
        let delta = delta(before, &self.room, &changes);
        assert_eq!(delta.exists, self.room.exists());
        for (node, holds) in delta.seats {
            let is_news = if holds { self.nodes.insert(node) } else { self.nodes.remove(&node) };
            assert!(is_news, "{node}: {holds}");
        }
        if !delta.exists {
            assert!(delta.fields.is_empty() && delta.settled_entry.is_none());
            self.fields.clear();
            return;
        }
        if let Some(settled) = delta.settled_entry {
            self.settled_at = events[settled].position;
        }
        for (field, value) in delta.fields {
            assert_ne!(self.fields.get(&field), value.as_ref(), "{field} is as it was");
            match value {
                Some(value) => self.fields.insert(field, value),
                None => self.fields.remove(&field),
            };
        }
    }

    fn tell(&mut self, event: &Event<Change>) {
        let read = read_entry(&entry(&event.cause, event.at, &event.change, None)).unwrap();
        assert_eq!(format!("{:?}", read.change), format!("{:?}", event.change));
        let (position, prev) = (event.position, event.prev);
        let (at, cause, change) = (read.at, read.cause, read.change);
        self.replica.apply(&Event { position, prev, at, cause, change });
    }

    fn loaded(&self) -> Room {
        let (id, rules) = (self.room.id().clone(), Arc::clone(&self.rules));
        room(id, rules, self.room.version(), self.settled_at, self.fields.clone()).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_room_is_what_is_stored_of_it(steps in steps(80), at_once in 1..5_usize, first_is_host: bool) {
        let mut shared = Shared::new(first_is_host);
        for steps in steps.chunks(at_once) {
            shared.batch(steps);
            prop_assert_eq!(&shared.loaded(), &shared.room, "after {:?}", steps);
            prop_assert_eq!(&shared.replica, &shared.room, "after {:?}", steps);
            let waiting = shared.room.waiting().map(|waiter| &waiter.member);
            let nodes = shared.room.members().chain(waiting).map(|member| member.node);
            prop_assert_eq!(nodes.collect::<BTreeSet<_>>(), shared.nodes.clone());
        }
    }

    #[test]
    fn bans_are_what_is_stored_of_them(acts in vec((any::<Index>(), wish()), 1..40)) {
        let (mut book, mut fields) = (Bans::new(1000, 1000), BTreeMap::new());
        let mut made: Vec<Arc<Ban>> = Vec::new();
        for (number, (which, ban)) in acts.into_iter().enumerate() {
            let old = (number % 3 == 2).then(|| made.swap_remove(which.index(made.len())));
            let change = old.map_or_else(|| ban::Change::Created(ban.clone()), ban::Change::Deleted);
            if matches!(change, ban::Change::Created(_)) {
                made.push(ban);
            }
            let read = read_ban_entry(&ban_entry(&Cause::Timer, at(7), &change)).unwrap();
            prop_assert_eq!(format!("{:?}", &read.change), format!("{:?}", &change));
            prop_assert_eq!((read.at, read.cause), (at(7), Cause::Timer));
            for (field, value) in ban_delta(&[read.change]) {
                match value {
                    Some(value) => fields.insert(field, value),
                    None => fields.remove(&field),
                };
            }
            let (prev, position) = (book.version(), Position(number as u64 + 1));
            book.apply(&Event { position, prev, at: at(7), cause: Cause::Timer, change });
            let loaded = bans((1000, 1000), position, fields.clone()).unwrap();
            let all = |book: &Bans| book.after(None, at(0)).cloned().collect::<Vec<_>>();
            prop_assert_eq!((all(&loaded), loaded.version()), (all(&book), book.version()));
        }
    }
}

fn wish() -> impl Strategy<Value = Arc<Ban>> {
    let room = prop::option::of("[ab]");
    let network = || {
        let of_4 = (any::<[u8; 4]>(), 0..=32_u8).prop_map(|(net, prefix)| (net.into(), prefix));
        let of_6 = (any::<[u8; 16]>(), 0..=128_u8).prop_map(|(net, prefix)| (net.into(), prefix));
        prop_oneof![of_4, of_6]
            .prop_map(|(net, prefix)| ipnet::IpNet::new(net, prefix).unwrap().trunc())
    };
    let subject = prop_oneof![
        "[語a-z]{1,9}".prop_map(|name| Subject::User(name.parse().unwrap())),
        network().prop_map(Subject::Network),
    ];
    let reason = prop::option::of(".{0,9}");
    let end = prop::option::of(10..1_000_000_u64);
    (any::<u128>(), room, subject, reason, end, prop::option::of(network())).prop_map(
        |(id, room, subject, reason, end, host)| {
            Arc::new(Ban {
                id: BanId::from(id),
                room_id: room.map(|name| name.parse().unwrap()),
                subject,
                reason: reason.map(Arc::from),
                created_at: at(3),
                expires_at: end.map(at),
                host,
            })
        },
    )
}

fn member() -> Member {
    Member {
        client_id: ClientId::from(u128::MAX / 3),
        identity: Identity {
            user_id: Some("ann@example.org".parse().unwrap()),
            display_name: Some("Ann Example".parse().unwrap()),
        },
        metadata: Some(r#"{"color": "red"}"#.into()),
        vouched: Some(Arc::new(Vouched { metadata: Some("[1]".into()) })),
        joined_at: at(1_700_000_000).into(),
        standing: Standing { granted: Role::Member, role: Role::Host, acting: true },
        return_key: ReturnKey([7; 16]),
        node: Incarnation(u64::MAX / 3),
    }
}

fn settings() -> Settings {
    Settings {
        max_members: 1000,
        locked: true,
        metadata: r#"{"title": "Stand-up"}"#.into(),
        empty_timeout: Duration::new(90, 1),
        password: Some(PasswordHash::new("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA")),
        lobby: true,
    }
}

fn changes() -> Vec<Change> {
    let (client_id, user_id) = (ClientId::from(9), Some("bob".parse().unwrap()));
    let nobody = Identity::default();
    let plain = Member { identity: nobody, metadata: None, vouched: None, ..member() };
    let granted = Standing::granted(Role::Guest);
    let of_a_guest = Member { vouched: Some(Arc::default()), standing: granted, ..plain.clone() };
    let members = [member(), plain, of_a_guest].map(Arc::new);
    let until = at(1_700_000_600);
    let mut changes = vec![
        Change::Created { settings: settings().into() },
        Change::Updated { settings: Settings::open(1).into() },
        Change::Locked,
        Change::Unlocked,
        Change::Closed,
    ];
    for member in members {
        changes.extend([
            Change::Joined(Arc::clone(&member)),
            Change::Moved { member: Arc::clone(&member) },
            Change::Renamed { member: Arc::clone(&member), previous: user_id.clone() },
            Change::Renamed { member: Arc::clone(&member), previous: None },
            Change::Waiting(Waiter { member: Arc::clone(&member), until }),
        ]);
        changes.extend(Role::ALL.map(|previous| {
            let member = Arc::clone(&member);
            Change::RoleChanged { member, previous }
        }));
    }
    let ends = [WaitingEnd::Admitted, WaitingEnd::Denied, WaitingEnd::TimedOut];
    let ends = ends.into_iter().chain([WaitingEnd::Full, WaitingEnd::Locked]);
    let ends = ends.chain(LeaveReason::ALL.map(WaitingEnd::Gone));
    changes.extend(ends.map(|reason| Change::WaitingEnded {
        client_id,
        user_id: user_id.clone(),
        reason,
    }));
    let left = |reason| Change::Left { client_id, user_id: None, reason };
    changes.extend(LeaveReason::ALL.map(left));
    changes
}

#[test]
fn every_change_cause_and_word_is_read_as_it_was_written() {
    let causes = [
        Cause::Client(ClientId::random()),
        Cause::Administrator("root@example.org".parse().unwrap()),
        Cause::Administrator(Default::default()),
        Cause::Timer,
        Cause::Server,
    ];
    let word = |text: Option<&str>, ends| Some(Word { text: text.map(Arc::from), ends });
    let words = [None, word(None, false), word(Some(""), true), word(Some("Be kind"), false)];
    for (number, change) in changes().into_iter().enumerate() {
        let cause = &causes[number % causes.len()];
        let word = &words[number % words.len()];
        let bytes = entry(cause, at(5), &change, word.as_ref());
        let read = read_entry(&bytes).unwrap();
        assert_eq!((&read.cause, read.at, &read.word), (cause, at(5), word));
        assert_eq!(format!("{:?}", read.change), format!("{change:?}"));
        // What `Debug` does not show is in the bytes.
        assert_eq!(entry(&read.cause, read.at, &read.change, read.word.as_ref()), bytes);
    }
    let Change::Created { settings: read } =
        read_entry(&entry(&causes[0], at(5), &changes()[0], None)).unwrap().change
    else {
        panic!("another change")
    };
    assert_eq!(*read, settings());
}

#[test]
fn an_entry_takes_between_100_and_200_bytes() {
    let cause = Cause::Client(member().client_id);
    let joined = entry(&cause, at(5), &Change::Joined(Arc::new(member())), None);
    assert!(joined.len() < 200, "{} bytes", joined.len());
    let Member { client_id, identity, .. } = member();
    let (user_id, reason) = (identity.user_id, LeaveReason::Disconnected);
    let left = entry(&cause, at(5), &Change::Left { client_id, user_id, reason }, None);
    assert!(left.len() < 100, "{} bytes", left.len());
}

#[test]
fn what_a_newer_release_adds_is_passed_over_and_what_it_changes_is_named() {
    let left =
        Change::Left { client_id: ClientId::from(9), user_id: None, reason: LeaveReason::Left };
    let known = entry(&Cause::Timer, at(5), &left, None);
    // Number 100, a length-delimited field (protobuf's wire type 2).
    let unknown = [0xa2, 0x06, 0x01, b'x'];
    assert!(read_entry(&[&known[..], &unknown].concat()).is_ok());

    let mut reason = known.clone();
    *reason.last_mut().unwrap() = 99;
    let without_change = &known[..known.len() - 22];
    let without_cause = &known[..9];
    for (bytes, error) in [
        (&reason[..], StoredError::NewerRelease("a reason")),
        (&[without_change, &unknown].concat(), StoredError::NewerRelease("a kind of change")),
        (without_cause, StoredError::NewerRelease("a kind of change")),
        (&known[1..], StoredError::Damaged("a message")),
    ] {
        assert_eq!(read_entry(bytes).unwrap_err(), error, "{bytes:?}");
    }
}

#[test]
fn a_room_that_a_newer_release_stored_in_another_way_is_left_alone() {
    let mut shared = Shared::new(true);
    let rules = steps::Rules { seats: 3, locked: false, timeout: 60, password: None, lobby: false };
    shared.batch(&[Step::Create(rules)]);
    let load = |fields: BTreeMap<String, Vec<u8>>| {
        let id: RoomId = "room".parse().unwrap();
        room(id, Arc::clone(&shared.rules), Position(1), Position(1), fields)
    };
    let mut fields = shared.fields.clone();
    fields.insert("x:1".to_owned(), b"a newer release's".to_vec());
    fields.extend(["v", "s"].map(|position| (position.to_owned(), b"1".to_vec())));
    assert!(load(fields.clone()).is_ok());
    // The record begins with its format (field 1, a varint).
    let record = fields.get_mut("r").unwrap();
    assert_eq!(record[..2], [0x08, 1]);
    record[1] = 2;
    let format = "the way in which rooms are stored";
    assert_eq!(load(fields.clone()).unwrap_err(), StoredError::NewerRelease(format));
    fields.remove("r");
    assert_eq!(load(fields).unwrap_err(), StoredError::Damaged("a part is missing"));
}
