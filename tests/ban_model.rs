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
const MOST_OF_A_NETWORK: usize = 2;
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
    /// By a host in this room, from one of the networks.
    CreateByHost(Wish, usize, usize),
    /// This room ends.
    EndOfRoom(usize),
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
        4 => (wish(), 0..2_usize, 0..2_usize)
            .prop_map(|(wish, room, host)| Step::CreateByHost(wish, room, host)),
        1 => (0..2_usize).prop_map(Step::EndOfRoom),
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
            host: None,
        })
    }

    fn ban_by_host(&self, number: usize, room: usize, host: usize, now: u64) -> Arc<Ban> {
        let wish = Self { room: Some(room), ..self.clone() };
        let host = Some(NETWORKS[host].parse().unwrap());
        Arc::new(Ban { host, ..Ban::clone(&wish.ban(number, now)) })
    }
}

/// In the order of their making, those whose time ran out among them until the timer looks.
#[derive(Default)]
struct Model(Vec<Arc<Ban>>);

impl Model {
    fn standing(&self, now: u64) -> impl Iterator<Item = &Arc<Ban>> {
        self.0.iter().filter(move |ban| ban.expires_at.is_none_or(|end| end > at(now)))
    }

    /// How many changes that is.
    fn create_by_host(&mut self, new: &Arc<Ban>) -> Result<usize, Denied> {
        let is_equal = |ban: &Arc<Ban>| {
            ban.host.is_some() && ban.room_id == new.room_id && ban.subject == new.subject
        };
        let others = self.0.iter().filter(|ban| !is_equal(ban));
        let of_network = others.clone().filter(|ban| ban.host == new.host).count();
        if others.count() >= MOST / 2 || of_network >= MOST_OF_A_NETWORK {
            return Err(Denied::TooMany);
        }
        let before = self.0.len();
        self.0.retain(|ban| !is_equal(ban));
        let changes = before - self.0.len() + 1;
        self.0.push(Arc::clone(new));
        Ok(changes)
    }

    fn end_of_room(&mut self, room: &RoomId) -> usize {
        let before = self.0.len();
        self.0.retain(|ban| ban.host.is_none() || ban.room_id.as_ref() != Some(room));
        before - self.0.len()
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
                let found = bans.against(room.as_ref(), (user.as_ref(), false), address, at(now));
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
        let (mut bans, mut model, mut made) = (Bans::new(MOST, MOST_OF_A_NETWORK), Model::default(), Vec::new());
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
                Step::CreateByHost(wish, room, host) => {
                    let new = wish.ban_by_host(made.len(), room, host, now);
                    made.push(new.id);
                    let expected = model.create_by_host(&new);
                    (bans.decide(Command::CreateByHost(new), at(now)), expected)
                }
                Step::EndOfRoom(room) => {
                    let room: RoomId = ROOMS[room].parse().unwrap();
                    let ended = model.end_of_room(&room);
                    prop_assert_eq!(bans.has_of_room(&room), ended > 0);
                    (bans.decide(Command::EndOfRoom(room), at(now)), Ok(ended))
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
        let mut replayed = Bans::new(MOST, MOST_OF_A_NETWORK);
        history.iter().for_each(|event| replayed.apply(event));
        agree(&replayed, &model, now);
    }
}

#[test]
fn no_more_than_a_thousand_end_at_once_and_all_in_the_end() {
    let (mut bans, mut head) = (Bans::new(10_000, 100), 0);
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
    let (mut bans, mut head) = (Bans::new(MOST, MOST_OF_A_NETWORK), 0);
    let wish = Wish { room: None, user: None, network: 1, ttl: None };
    // Of different rooms and networks: none is another one's successor, or too many for its network.
    let of_host = |n: usize| {
        let wish = Wish { network: n, ..wish.clone() };
        Command::CreateByHost(wish.ban_by_host(n, 0, n, 0))
    };
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

#[test]
fn hosts_of_one_network_make_so_many_bans_and_leave_the_others_their_places() {
    let (mut bans, mut head) = (Bans::new(100, 3), 0);
    let wish = |user| Wish { room: None, user: Some(user), network: 0, ttl: None };
    let mut by_host = |n, user, host| {
        let ban = wish(user).ban_by_host(n, n % 2, host, 0);
        let made = bans.decide(Command::CreateByHost(ban), at(0))?;
        let changes = made.len();
        apply(&mut bans, made, &mut head, 0);
        Ok(changes)
    };
    for n in 0..3 {
        assert_eq!(by_host(n, n, 0), Ok(1));
    }
    assert_eq!(by_host(3, 0, 0), Err(Denied::TooMany));
    assert_eq!(by_host(4, 0, 0), Ok(2), "instead of the same one");
    assert_eq!(by_host(5, 0, 1), Ok(1), "of another network");
}

#[test]
fn a_hosts_ban_of_an_address_spares_whom_a_token_vouches_for_and_no_other_ban_does() {
    let (mut bans, address) = (Bans::new(10, 10), "192.0.2.1".parse().unwrap());
    let room: RoomId = "a".parse().unwrap();
    let ban = |host: Option<&str>| {
        Arc::new(Ban {
            id: BanId::random(),
            room_id: Some(room.clone()),
            subject: IpAddr::into(address),
            reason: None,
            created_at: at(0),
            expires_at: Some(at(9)),
            host: host.map(|network| network.parse().unwrap()),
        })
    };
    let made = Command::CreateByHost(ban(Some("198.51.100.1/32")));
    for (command, spared) in [(made, true), (Command::Create(vec![ban(None)]), false)] {
        for change in bans.decide(command, at(0)).unwrap() {
            let (prev, cause) = (bans.version(), Cause::Server);
            let position = Position(prev.0 + 1);
            bans.apply(&Event { position, prev, at: at(0), cause, change });
        }
        let meets =
            |is_vouched| bans.against(Some(&room), (None, is_vouched), address, at(1)).is_some();
        assert!(meets(false));
        assert_eq!(!meets(true), spared);
    }
}
