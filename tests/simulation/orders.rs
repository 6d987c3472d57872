//! An administrator, who gives orders at any node. What is answered must hold from then on.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use fastrand::Rng;
use signalpost::{
    ban::{Ban, BanId, Subject},
    event::Administrator,
    hub::Hub,
    id::{ClientId, RoomId},
    room::{Settings, Update},
};
use tokio::time::{sleep, timeout};

use super::{
    person::PATIENCE,
    scripts::Plant,
    world::{ROOMS, USERS, World},
};

/// One after another, until it is over.
pub(crate) async fn give(world: Arc<World>, mut random: Rng) {
    let mut over = world.over.subscribe();
    while !*over.borrow_and_update() {
        sleep(Duration::from_millis(random.u64(..600))).await;
        let Some(node) = world.any_node(&mut random) else { continue };
        // A node that dies answers nothing.
        tokio::select! {
            biased;
            () = node.line.dies() => {}
            given = timeout(PATIENCE, one(&world, &node.hub, &mut random)) => {
                assert!(given.is_ok(), "an order has no answer");
            }
        }
    }
}

async fn one(world: &World, hub: &Hub, random: &mut Rng) {
    let by = &Administrator::default();
    let room: RoomId = ROOMS[random.usize(..ROOMS.len())].parse().unwrap();
    match random.u8(..12) {
        0 | 1 => {
            if hub.lock_room(by, &room, true, None).await.is_ok() {
                let mut truth = world.truth.lock();
                truth.read(&world.server);
                // It may have ended since.
                if truth.rooms.get(&room).is_some_and(|room| room.settings().locked) {
                    truth.locked.insert(room);
                }
            }
        }
        2 | 3 => {
            world.truth.lock().locked.remove(&room);
            let _ = hub.lock_room(by, &room, false, None).await;
        }
        4 => {
            let update = Update {
                max_members: Some(random.usize(1..4)),
                lobby: random.bool().then(|| random.bool()),
                ..Update::default()
            };
            let _ = hub.update_room(by, &room, update, None).await;
        }
        5 => {
            let settings = Settings {
                lobby: random.u8(..3) == 0,
                empty_timeout: Duration::from_millis(random.u64(..3000)),
                ..Settings::open(random.usize(1..4))
            };
            let _ = hub.create_room(by, &room, settings).await;
        }
        6 => {
            let _ = hub.delete_room(by, &room, None, None).await;
        }
        7 => {
            if let Some(id) = somebody(hub, &room, random).await {
                let _ = hub.remove_client(by, id, None, None).await;
            }
        }
        8 => {
            if let Some(id) = somebody(hub, &room, random).await {
                let _ = hub.disconnect_client(by, id, None, None).await;
            }
        }
        // What is broken on purpose is to show elsewhere than in the one promise that waits for others.
        9 | 10 if world.plant == Plant::Nothing => {
            ban(world, hub, random.bool().then_some(room), random).await
        }
        _ => {
            for ban in hub.bans(None, 10, |_| true) {
                world.truth.lock().banned.remove(&ban.id);
                let _ = hub.lift_ban(by, ban.id).await;
            }
        }
    }
}

async fn somebody(hub: &Hub, room: &RoomId, random: &mut Rng) -> Option<ClientId> {
    let room = hub.room(room).await.ok()?;
    Some(random.choice(room.members())?.client_id)
}

async fn ban(world: &World, hub: &Hub, room_id: Option<RoomId>, random: &mut Rng) {
    let ban = Arc::new(Ban {
        id: BanId::random(),
        room_id,
        subject: Subject::User(USERS[random.usize(..USERS.len())].parse().unwrap()),
        reason: None,
        created_at: SystemTime::now(),
        expires_at: None,
        host: None,
    });
    let before = world.server.failovers();
    let made = hub.ban(&Administrator::default(), vec![Arc::clone(&ban)]).await;
    // What was done before the log lost something may be undone.
    if made.is_ok() && world.server.failovers() == before {
        let mut truth = world.truth.lock();
        truth.read(&world.server);
        truth.banned.insert(ban.id);
        truth.seats_nobody_who_is_banned(&world.server, |room, id| world.sits(room, id));
    }
}
