//! Row after row of administrators' orders beside clients that come, move and go, each time in another order.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Barrier, Weak},
    thread,
    time::{Duration, SystemTime},
};

use fastrand::Rng;
use signalpost::{
    ban::{Ban, BanId, Subject},
    event::Administrator,
    hub::{Client, Hub, KeepOut},
    id::{ClientId, RoomId},
    room::{Role, Settings, Update},
};
use tokio::runtime::Runtime;

use super::{
    hub,
    log::{self, Told},
    puppet::Puppet,
    ready,
};

const ROUNDS: u64 = 1000;
const WALKERS: u64 = 2;
/// Of each walker.
const CLIENTS: usize = 3;
const STEPS: usize = 25;
const ORDERS: usize = 50;
const ROOMS: [&str; 2] = ["a", "b"];
const USERS: [&str; 3] = ["ann", "bob", "eve"];

#[test]
fn orders_beside_joins_break_no_rule_and_everybody_is_told() {
    let clock = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let mut endings = BTreeSet::new();
    for seed in 0..ROUNDS {
        round(seed, &clock, &mut endings);
    }
    // Few are waiting when a lobby is lifted.
    let rare = ["room-full", "room-locked"];
    endings.retain(|ending| !rare.contains(ending));
    let expected = [
        "admitted",
        "banned",
        "denied",
        "disconnected",
        "left",
        "moved",
        "rejoined",
        "removed",
        "room-closed",
        "timer",
    ];
    assert!(endings.iter().eq(&expected), "{endings:?}");
}

/// Adds why seats were freed and waiting ended, and whether a room's time ran out.
fn round(seed: u64, clock: &Runtime, endings: &mut BTreeSet<&'static str>) {
    let hub = hub("--rate-limit 0 --max-members 3 --ping-seconds 3600 --pong-seconds 3600");
    let mut follower = hub.journal().follow(None);
    let start = Barrier::new(usize::try_from(WALKERS).unwrap() + 1);
    let (mut walkers, clients) = thread::scope(|scope| {
        let walkers: Vec<_> = (0..WALKERS)
            .map(|n| {
                let (hub, start) = (&hub, &start);
                scope.spawn(move || {
                    let mut walker = Walker::new(hub, Rng::with_seed(seed * WALKERS + n));
                    start.wait();
                    (0..STEPS).for_each(|_| walker.step());
                    walker
                })
            })
            .collect();
        start.wait();
        let mut random = Rng::with_seed(!seed);
        for _ in 0..ORDERS {
            order(&hub, &mut random, clock);
        }
        let walkers: Vec<_> = walkers.into_iter().map(|walker| walker.join().unwrap()).collect();
        let clients: Vec<_> = walkers.iter().flat_map(|walker| walker.clients.clone()).collect();
        (walkers, clients)
    });

    let by = &Administrator::default();
    answer_knocks(&hub, by, seed);

    let mut told = Told::nothing(&hub);
    log::read(&mut follower).iter().for_each(|record| told.tell(record));
    walkers.iter_mut().for_each(Walker::catch_up);
    // Those who were sent away since are in the log too.
    log::read(&mut follower).iter().for_each(|record| told.tell(record));
    told.agrees_with(&hub);
    endings.append(&mut told.endings);
    let mut seated = 0;
    for puppet in walkers.iter().flat_map(|walker| walker.puppets.iter().flatten()) {
        let id = puppet.session.client().id;
        let report = hub.client(id).unwrap();
        assert_eq!(report.room_id.as_ref().map(RoomId::as_str), puppet.room.as_deref());
        let waiting = puppet.waiting.as_ref().map(|(room, _)| &**room);
        assert_eq!(report.waiting_room_id.as_ref().map(RoomId::as_str), waiting);
        let Some(room) = &report.room_id else { continue };
        let room_told = &told.rooms[room];
        assert_eq!(report.role, room_told.member(id).map(|member| member.standing.role));
        if report.role == Some(Role::Host) {
            let waiting = room_told.waiting().map(|waiter| waiter.member.client_id.to_string());
            assert_eq!(puppet.knocking, waiting.collect());
        }
        seated += 1;
        let roster: Vec<_> = told.rooms[room].members().map(|m| m.client_id.to_string()).collect();
        let mut believed: Vec<_> = puppet.roster.iter().cloned().collect();
        believed.sort_by_key(|id| roster.iter().position(|other| other == id));
        assert_eq!(believed, roster);
        let (user_id, now) = (report.identity.user_id.as_ref(), SystemTime::now());
        let ban = told.bans.against(Some(room), (user_id, false), report.address, now);
        assert!(ban.is_none(), "{report:?} sits in spite of {ban:?}");
    }
    assert_eq!(hub.counts().members, seated);

    drop(walkers);
    for room in ROOMS {
        let _ = ready(hub.delete_room(by, &room.parse().unwrap(), None, None));
    }
    let counts = hub.counts();
    assert_eq!((counts.clients, counts.rooms, counts.members), (0, 0, 0));
    assert!(clients.iter().all(|client| client.upgrade().is_none()), "somebody holds a client");
    let state = format!("{hub:?}");
    assert!(state.contains("timers: Timers(Mutex { data: {} })"), "a timer is left: {state}");
}

/// Where threads have one core, hardly anybody waits while orders are given.
fn answer_knocks(hub: &Arc<Hub>, by: &Administrator, seed: u64) {
    for (room, parity) in ROOMS.into_iter().zip(0..) {
        for waiter in ready(hub.waiting(&room.parse().unwrap())).unwrap_or_default() {
            let id = waiter.member.client_id;
            match (seed + parity).is_multiple_of(2) {
                true => drop(ready(hub.deny_client(by, id, None))),
                false => drop(ready(hub.admit_client(by, id, None))),
            }
        }
    }
}

struct Walker<'a> {
    hub: &'a Arc<Hub>,
    random: Rng,
    puppets: [Option<Puppet>; CLIENTS],
    clients: Vec<Weak<Client>>,
}

impl<'a> Walker<'a> {
    fn new(hub: &'a Arc<Hub>, random: Rng) -> Self {
        Self { hub, random, puppets: Default::default(), clients: Vec::new() }
    }

    fn step(&mut self) {
        let random = &mut self.random;
        let slot = random.usize(0..CLIENTS);
        let Some(mut puppet) = self.puppets[slot].take() else {
            let address = Ipv4Addr::new(192, 0, 2, random.u8(0..4));
            let puppet = Puppet::connect(self.hub, address.into()).unwrap();
            self.clients.push(puppet.client());
            self.puppets[slot] = Some(puppet);
            return;
        };
        let room = ROOMS[random.usize(0..ROOMS.len())];
        let asked = match random.u8(0..10) {
            0 => return puppet.vanish(),
            1 => puppet.leave(room),
            2 | 3 => puppet.register(USERS[random.usize(0..USERS.len())]),
            _ => puppet.join(room),
        };
        match asked {
            Ok(_) => self.puppets[slot] = Some(puppet),
            Err(ending) => puppet.end(ending),
        }
    }

    fn catch_up(&mut self) {
        for slot in &mut self.puppets {
            if let Some(mut puppet) = slot.take() {
                match puppet.hear(|_| ()) {
                    Ok(()) => *slot = Some(puppet),
                    Err(ending) => puppet.end(ending),
                }
            }
        }
    }
}

/// Whatever comes of it.
fn order(hub: &Arc<Hub>, random: &mut Rng, clock: &Runtime) {
    let by = &Administrator::default();
    let room: RoomId = ROOMS[random.usize(0..ROOMS.len())].parse().unwrap();
    let somebody = |random: &mut Rng| -> Option<ClientId> {
        let room = ready(hub.room(&room)).ok()?;
        Some(room.members().nth(random.usize(0..3))?.client_id)
    };
    let one_who_waits = |random: &mut Rng| -> Option<ClientId> {
        Some(random.choice(ready(hub.waiting(&room)).ok()?)?.member.client_id)
    };
    match random.u8(0..15) {
        0 | 1 => {
            let lobby = random.bool().then(|| random.u8(0..3) > 0);
            let max_members = Some(random.usize(1..4));
            let update = Update { max_members, lobby, ..Update::default() };
            drop(ready(hub.update_room(by, &room, update, None)));
        }
        2 | 3 => drop(ready(hub.lock_room(by, &room, random.bool(), None))),
        4 => drop(ready(hub.delete_room(by, &room, None, None))),
        5 | 6 => {
            let settings = Settings {
                locked: random.u8(0..4) == 0,
                lobby: random.u8(0..3) == 0,
                empty_timeout: Duration::from_micros(random.u64(1..50)),
                ..Settings::open(random.usize(1..4))
            };
            drop(ready(hub.create_room(by, &room, settings)));
        }
        7 => clock.block_on(async {
            let ticking = Arc::clone(hub);
            let running = tokio::spawn(async move { ticking.run().await });
            tokio::time::sleep(Duration::from_secs(2)).await;
            running.abort();
            let _ = running.await;
        }),
        8 => {
            if let Some(id) = somebody(random) {
                let _ = ready(hub.remove_client(by, id, None, None));
            }
        }
        9 => {
            if let Some(id) = somebody(random) {
                disconnect(hub, id, random);
            }
        }
        10 => ban(hub, random.bool().then_some(room), random),
        11 => {
            if let Some(id) = somebody(random) {
                drop(ready(hub.set_role(by, id, Some(&room), random.bool())));
            }
        }
        12 | 13 => {
            let Some(id) = one_who_waits(random) else { return };
            match random.u8(0..3) {
                0 | 1 => drop(ready(hub.deny_client(by, id, None))),
                _ => drop(ready(hub.admit_client(by, id, Some(&room)))),
            }
        }
        _ => {
            for ban in hub.bans(None, 10, |_| true) {
                let _ = ready(hub.lift_ban(by, ban.id));
            }
        }
    }
}

fn disconnect(hub: &Hub, id: ClientId, random: &mut Rng) {
    let keep_out = KeepOut {
        user_id: random.bool(),
        address: random.bool(),
        room_only: random.bool(),
        until: None,
    };
    let keep_out = random.bool().then_some(keep_out);
    if ready(hub.disconnect_client(&Administrator::default(), id, None, keep_out)).is_ok() {
        let report = hub.client(id);
        assert!(report.is_none_or(|client| client.room_id.is_none()), "it sits again");
    }
}

fn ban(hub: &Hub, room_id: Option<RoomId>, random: &mut Rng) {
    let subject = match random.bool() {
        true => Subject::User(USERS[random.usize(0..USERS.len())].parse().unwrap()),
        false => IpAddr::from(Ipv4Addr::new(192, 0, 2, random.u8(0..4))).into(),
    };
    let ban = Ban {
        id: BanId::random(),
        room_id,
        subject,
        reason: None,
        created_at: SystemTime::now(),
        expires_at: None,
        host: None,
    };
    ready(hub.ban(&Administrator::default(), vec![Arc::new(ban)])).unwrap();
}
