//! Bans in the midst of many that come, register, join and go as fast as they can.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

use fastrand::Rng;
use signalpost::{
    ban::{Ban, BanId, Subject},
    event::{Administrator, Position},
    hub::{Ending, Hub},
    id::{ClientId, RoomId, UserId},
    journal::{Entry, Record},
    room::{Change, Member},
};

use super::{
    hub,
    log::{self, Told},
    puppet::Puppet,
    ready,
};

const ROUNDS: usize = 600;
const STORMING: u64 = 2;
const ROOMS: [&str; 3] = ["a", "b", "c"];
const USERS: [&str; 4] = ["ann", "bob", "eve", "max"];
/// The last two are of one network.
const ADDRESSES: [&str; 4] = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"];

#[test]
fn nobody_who_is_banned_sits_anywhere_until_the_ban_ends() {
    let hub = hub("--rate-limit 0 --log-events 10000000 --log-bytes 4000000000");
    let mut follower = hub.journal().follow(None);
    let storms = AtomicBool::new(true);
    let addresses = Mutex::new(HashMap::new());
    // When the call that made a ban had returned.
    let mut returned = BTreeMap::new();
    thread::scope(|scope| {
        for seed in 0..STORMING {
            let (hub, storms, addresses) = (&hub, &storms, &addresses);
            scope.spawn(move || {
                let mut random = Rng::with_seed(seed);
                let mut puppet = None;
                while storms.load(Ordering::Relaxed) {
                    puppet = step(hub, &mut random, puppet, addresses);
                }
            });
        }
        let _calm = Calm(&storms);
        let mut random = Rng::with_seed(6);
        for _ in 0..ROUNDS {
            let ban = some_ban(&mut random);
            ready(hub.ban(&Administrator::default(), vec![Arc::clone(&ban)])).unwrap();
            returned.insert(ban.id, hub.journal().head());
            is_kept_out(&hub, &ban);
            may_return_when_only_removed(&hub);
            ready(hub.lift_ban(&Administrator::default(), ban.id)).unwrap();
        }
    });
    let addresses = addresses.into_inner().unwrap();
    let mut told = Told::nothing(&hub);
    let mut standing = Vec::new();
    for record in log::read(&mut follower) {
        let before = record.log_prev;
        nobody_sits(&told, &returned, &standing, before, &addresses);
        breaks_no(&standing, &record, &addresses);
        told.tell(&record);
        standing.extend(log::made(&record).cloned());
        standing.retain(|ban: &Arc<Ban>| Some(ban.id) != log::ended(&record));
    }
    told.agrees_with(&hub);
    assert_eq!((hub.counts().clients, hub.counts().bans), (0, 0));
}

/// Ends the storm, also when its test fails.
struct Calm<'a>(&'a AtomicBool);

impl Drop for Calm<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn step(
    hub: &Arc<Hub>,
    random: &mut Rng,
    puppet: Option<Puppet>,
    addresses: &Mutex<HashMap<ClientId, IpAddr>>,
) -> Option<Puppet> {
    let Some(mut puppet) = puppet else {
        let address: IpAddr = ADDRESSES[random.usize(0..4)].parse().unwrap();
        let puppet = Puppet::connect(hub, address).unwrap();
        addresses.lock().unwrap().insert(puppet.session.client().id, address);
        return Some(puppet);
    };
    let room = ROOMS[random.usize(0..3)];
    let asked = match random.u8(0..12) {
        0 => {
            puppet.vanish();
            return None;
        }
        1 => puppet.leave(room),
        2..6 => puppet.register(USERS[random.usize(0..4)]),
        _ => puppet.join(room),
    };
    match asked {
        Ok(_) => Some(puppet),
        Err(ending) => {
            assert_eq!(ending, Ending::Banned);
            puppet.end(ending);
            None
        }
    }
}

fn some_ban(random: &mut Rng) -> Arc<Ban> {
    let subject = match random.bool() {
        true => Subject::User(USERS[random.usize(0..4)].parse().unwrap()),
        false => ADDRESSES[random.usize(0..4)].parse::<IpAddr>().unwrap().into(),
    };
    Arc::new(Ban {
        id: BanId::random(),
        room_id: random.bool().then(|| ROOMS[random.usize(0..3)].parse().unwrap()),
        subject,
        reason: None,
        created_at: SystemTime::now(),
        expires_at: random.bool().then(|| SystemTime::now() + Duration::from_secs(3600)),
        host: None,
    })
}

/// Whoever comes to see hears of the ban at once, and so it is however often it comes.
fn is_kept_out(hub: &Arc<Hub>, ban: &Ban) {
    let (address, user_id) = match &ban.subject {
        Subject::User(user_id) => ("198.51.100.1".parse().unwrap(), user_id.as_str()),
        Subject::Network(network) => (network.addr(), "somebody"),
    };
    for _ in 0..2 {
        let mut puppet = Puppet::connect(hub, address).unwrap();
        let by_address = matches!(ban.subject, Subject::Network(_));
        if by_address && ban.room_id.is_none() {
            assert_eq!(puppet.hear(|_| ()), Err(Ending::Banned));
            puppet.end(Ending::Banned);
            continue;
        }
        let (answer, code) = puppet.register(user_id).unwrap();
        if ban.room_id.is_none() {
            assert_eq!((&*answer, &code), ("error", &"banned".into()));
        }
        if let Some(room_id) = &ban.room_id {
            let (answer, code) = puppet.join(room_id.as_str()).unwrap();
            assert_eq!((&*answer, &code), ("join-error", &"banned".into()));
        }
        puppet.vanish();
    }
}

fn may_return_when_only_removed(hub: &Arc<Hub>) {
    let mut puppet = Puppet::connect(hub, "203.0.113.1".parse().unwrap()).unwrap();
    assert_eq!(puppet.join("of its own").unwrap().0, "joined");
    ready(hub.remove_client(&Administrator::default(), puppet.session.client().id, None, None))
        .unwrap();
    assert_eq!(puppet.join("of its own").unwrap().0, "joined");
    puppet.vanish();
}

/// After the call returned, and before the ban ends, whom it meets sits nowhere that it is for.
fn nobody_sits(
    told: &Told,
    returned: &BTreeMap<BanId, Position>,
    standing: &[Arc<Ban>],
    at: Position,
    addresses: &HashMap<ClientId, IpAddr>,
) {
    for ban in standing.iter().filter(|ban| returned[&ban.id] == at) {
        for room in told.rooms.values().filter(|room| is_for(ban, room.id())) {
            for member in room.members() {
                assert!(!meets(ban, member, addresses), "{member:?} sits in spite of {ban:?}");
            }
        }
    }
}

/// From a ban's own place in the log on, nobody takes a seat or a name that it is against. One of an address is against
/// no name: until whoever sits there is sent away, it may go by another one.
fn breaks_no(standing: &[Arc<Ban>], record: &Record, addresses: &HashMap<ClientId, IpAddr>) {
    let Entry::Room { id, event } = &record.entry else { return };
    let (member, by_name) = match &event.change {
        Change::Joined(member) => (member, false),
        Change::Renamed { member, .. } => (member, true),
        _ => return,
    };
    for ban in standing {
        if by_name && matches!(ban.subject, Subject::Network(_)) {
            continue;
        }
        assert!(!is_for(ban, id) || !meets(ban, member, addresses), "{event:?} against {ban:?}");
    }
}

fn is_for(ban: &Ban, room_id: &RoomId) -> bool {
    ban.room_id.as_ref().is_none_or(|banned| banned == room_id)
}

fn meets(ban: &Ban, member: &Member, addresses: &HashMap<ClientId, IpAddr>) -> bool {
    let user_id: Option<&UserId> = member.identity.user_id.as_ref();
    let nowhere = || IpAddr::from([203, 0, 113, 1]);
    let address = addresses.get(&member.client_id).copied();
    ban.meets(user_id, address.unwrap_or_else(nowhere))
}
