//! Bans against a list that is looked through from its beginning, under random commands.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;
use signalpost::{
    ban::{Ban, BanId, Bans, Change, Command, Denied, Event, Subject},
    event::{Cause, Position},
    id::{RoomId, UserId},
};

const MOST: usize = 6;
const ROOMS: [&str; 2] = ["a", "b"];
const USERS: [&str; 3] = ["ann", "bob", "語"];
const NETWORKS: [&str; 8] = [
    "192.0.2.1/32",
    "192.0.2.0/24",
    "192.0.0.0/16",
    "0.0.0.0/0",
    "2001:db8::/64",
    "2001:db8::/32",
    "2001:db8::1/128",
    "::/0",
];
const ADDRESSES: [&str; 7] = [
    "192.0.2.1",
    "192.0.2.2",
    "198.51.100.1",
    "::ffff:192.0.2.1",
    "2001:db8::1",
    "2001:db8::2",
    "2001:db8:0:1::1",
];

#[derive(Debug, Clone)]
enum Step {
    Create(Vec<Wish>),
    /// The one of this place among all that ever were.
    Delete(usize),
    /// So many seconds pass; whether the timer looks.
    Wait(u64, bool),
}

#[derive(Debug, Clone)]
struct Wish {
    room: Option<usize>,
    user: Option<usize>,
    network: usize,
    /// In seconds from now.
    ttl: Option<u64>,
}

fn wish() -> impl Strategy<Value = Wish> {
    let some = prop::option::of::<std::ops::Range<usize>>;
    (some(0..2), some(0..3), 0..8_usize, prop::option::of(1..10_u64))
        .prop_map(|(room, user, network, ttl)| Wish { room, user, network, ttl })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(wish(), 1..3).prop_map(Step::Create),
        2 => (0..20_usize).prop_map(Step::Delete),
        2 => (0..6_u64, any::<bool>()).prop_map(|(seconds, looks)| Step::Wait(seconds, looks)),
    ]
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

impl Wish {
    fn ban(&self, number: usize, now: u64) -> Arc<Ban> {
        let subject = match self.user {
            Some(user) => Subject::User(USERS[user].parse().unwrap()),
            None => Subject::Network(NETWORKS[self.network].parse().unwrap()),
        };
        // Names in another order than their making.
        let id = (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_9e37_79b9_7f4a_7c15);
        Arc::new(Ban {
            id: BanId::from(id),
            room_id: self.room.map(|room| ROOMS[room].parse().unwrap()),
            subject,
            reason: None,
            created_at: at(now),
            expires_at: self.ttl.map(|ttl| at(now + ttl)),
        })
    }
}

/// In the order of their making, those whose time ran out among them until the timer looks.
#[derive(Default)]
struct Model(Vec<Arc<Ban>>);

impl Model {
    fn standing(&self, now: u64) -> impl Iterator<Item = &Arc<Ban>> {
        self.0.iter().filter(move |ban| ban.expires_at.is_none_or(|end| end > at(now)))
    }

    fn against(
        &self,
        room: Option<&RoomId>,
        user: Option<&UserId>,
        address: IpAddr,
        now: u64,
    ) -> BTreeSet<BanId> {
        let here = |ban: &&Arc<Ban>| ban.room_id.is_none() || ban.room_id.as_ref() == room;
        let met = |ban: &&Arc<Ban>| match &ban.subject {
            Subject::User(banned) => Some(banned) == user,
            Subject::Network(network) => network.contains(&address.to_canonical()),
        };
        self.standing(now).filter(here).filter(met).map(|ban| ban.id).collect()
    }
}

fn apply(bans: &mut Bans, changes: Vec<Change>, head: &mut u64, now: u64) -> Vec<Event> {
    let mut events = Vec::new();
    for change in changes {
        // Others write to the log as well.
        *head += 2;
        let (position, prev) = (Position(*head), bans.version());
        let event = Event { position, prev, at: at(now), cause: Cause::Timer, change };
        bans.apply(&event);
        assert_eq!(bans.version(), position);
        events.push(event);
    }
    events
}

fn agree(bans: &Bans, model: &Model, now: u64) {
    assert_eq!((bans.len(), bans.is_empty()), (model.0.len(), model.0.is_empty()));
    assert_eq!(bans.is_due(at(now)), model.standing(now).count() < model.0.len());
    let mut names: Vec<_> = model.standing(now).map(|ban| ban.id).collect();
    names.sort();
    for after in [None].into_iter().chain(model.0.iter().map(|ban| Some(ban.id))) {
        let listed: Vec<_> = bans.after(after, at(now)).map(|ban| ban.id).collect();
        let expected: Vec<_> = names.iter().copied().filter(|id| Some(*id) > after).collect();
        assert_eq!(listed, expected);
    }
    for ban in &model.0 {
        assert_eq!(bans.get(ban.id, at(now)).map(|ban| ban.id), {
            model.standing(now).map(|ban| ban.id).find(|id| *id == ban.id)
        });
    }
    let rooms = [None, Some("a"), Some("b"), Some("c")];
    let users = [None, Some("ann"), Some("bob"), Some("語"), Some("eve")];
    for room in rooms.map(|name| name.map(|name| name.parse().unwrap())) {
        for user in users.map(|name| name.map(|name| name.parse().unwrap())) {
            for address in ADDRESSES.map(|text| text.parse().unwrap()) {
                let found = bans.against(room.as_ref(), user.as_ref(), address, at(now));
                let expected = model.against(room.as_ref(), user.as_ref(), address, now);
                assert_eq!(found.is_some(), !expected.is_empty(), "{room:?} {user:?} {address}");
                assert!(found.is_none_or(|ban| expected.contains(&ban.id)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn bans_agree_with_the_model(steps in prop::collection::vec(step(), 1..40)) {
        let (mut bans, mut model, mut made) = (Bans::new(MOST), Model::default(), Vec::new());
        let (mut head, mut now, mut history) = (0, 0, Vec::new());
        for step in steps {
            let (decided, expected) = match step {
                Step::Create(wishes) => {
                    let number = made.len();
                    let new = wishes.iter().zip(number..).map(|(wish, n)| wish.ban(n, now));
                    let new: Vec<_> = new.collect();
                    made.extend(new.iter().map(|ban| ban.id));
                    let fit = model.0.len() + new.len() <= MOST;
                    if fit {
                        model.0.extend(new.iter().cloned());
                    }
                    let expected = if fit { Ok(new.len()) } else { Err(Denied::TooMany) };
                    (bans.decide(Command::Create(new), at(now)), expected)
                }
                Step::Delete(which) => {
                    let id = made.get(which).copied().unwrap_or_else(|| BanId::from(1));
                    let stands = model.standing(now).any(|ban| ban.id == id);
                    model.0.retain(|ban| !stands || ban.id != id);
                    let expected = if stands { Ok(1) } else { Err(Denied::NoSuchBan) };
                    (bans.decide(Command::Delete(id), at(now)), expected)
                }
                Step::Wait(seconds, looks) => {
                    now += seconds;
                    if !looks {
                        agree(&bans, &model, now);
                        continue;
                    }
                    let before = model.0.len();
                    model.0 = model.standing(now).cloned().collect();
                    (bans.decide(Command::Expire, at(now)), Ok(before - model.0.len()))
                }
            };
            prop_assert_eq!(decided.as_ref().map(Vec::len), expected.as_ref().copied());
            history.extend(apply(&mut bans, decided.unwrap_or_default(), &mut head, now));
            agree(&bans, &model, now);
        }
        let mut replayed = Bans::new(MOST);
        history.iter().for_each(|event| replayed.apply(event));
        agree(&replayed, &model, now);
    }
}

#[test]
fn no_more_than_a_thousand_end_at_once_and_all_in_the_end() {
    let (mut bans, mut head) = (Bans::new(10_000), 0);
    let wish = Wish { room: None, user: None, network: 1, ttl: Some(1) };
    let all = (0..2500).map(|n| wish.ban(n, 0)).collect();
    let made = bans.decide(Command::Create(all), at(0)).unwrap();
    apply(&mut bans, made, &mut head, 0);
    for left in [1500, 500, 0] {
        assert!(bans.is_due(at(1)));
        let ended = bans.decide(Command::Expire, at(1)).unwrap();
        apply(&mut bans, ended, &mut head, 1);
        assert_eq!(bans.len(), left);
    }
    assert!(!bans.is_due(at(1)));
}

#[test]
fn hosts_leave_half_of_the_bans_to_administrators() {
    let (mut bans, mut head) = (Bans::new(MOST), 0);
    let wish = Wish { room: None, user: None, network: 1, ttl: None };
    let of_host = |n| Command::CreateByHost(wish.ban(n, 0));
    for n in 0..MOST / 2 {
        let made = bans.decide(of_host(n), at(0)).unwrap();
        apply(&mut bans, made, &mut head, 0);
    }
    assert_eq!(bans.decide(of_host(MOST), at(0)).map(|_| ()), Err(Denied::TooMany));
    let others = (MOST / 2..MOST).map(|n| wish.ban(n, 0)).collect();
    let made = bans.decide(Command::Create(others), at(0)).unwrap();
    apply(&mut bans, made, &mut head, 0);
    assert_eq!(bans.len(), MOST);
}
