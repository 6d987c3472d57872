//! Callers that are killed at any moment and come back, while rooms change.

use std::{collections::BTreeSet, sync::Arc};

use fastrand::Rng;
use parking_lot::Mutex;
use serde_json::json;
use signalpost::admin::pb::{
    self, admin_service_client::AdminServiceClient, broadcast_request as broadcast,
};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use super::{
    mirror::{Mirror, lasting},
    support::{Client, TestServer, within},
};

const CLIENTS: u64 = 200;
const ROOMS: usize = 50;
const KILLS: usize = 20;
/// Most messages that a caller takes before it is killed.
const LIFE: usize = 500;

fn room(nth: usize) -> String {
    format!("room {nth:02}")
}

/// All rooms, some by their names, some by how those begin; the first room is among them.
fn filter(nth: usize) -> pb::WatchEventsRequest {
    match nth {
        0 => pb::WatchEventsRequest::default(),
        1 => {
            let room_ids = (0..ROOMS).step_by(5).map(room).collect();
            pb::WatchEventsRequest { room_ids, ..Default::default() }
        }
        _ => pb::WatchEventsRequest { room_id_prefix: "room 0".into(), ..Default::default() },
    }
}

/// A caller that keeps its mirror with its cursor when it is killed.
struct Subscriber {
    admin: AdminServiceClient<Channel>,
    asked: pb::WatchEventsRequest,
    kept: Arc<Mutex<Mirror>>,
    /// Messages taken, by all its lives.
    taken: watch::Sender<usize>,
    running: JoinHandle<()>,
}

impl Subscriber {
    fn new(admin: AdminServiceClient<Channel>, asked: pb::WatchEventsRequest) -> Self {
        let (kept, taken) = (Arc::default(), watch::Sender::new(0));
        Self { admin, asked, kept, taken, running: tokio::spawn(async {}) }.started()
    }

    fn started(mut self) -> Self {
        let (mut admin, kept) = (self.admin.clone(), Arc::clone(&self.kept));
        let (asked, taken) = (self.asked.clone(), self.taken.clone());
        self.running = tokio::spawn(async move {
            let start = kept.lock().start();
            let request = pb::WatchEventsRequest { start, ..asked };
            let mut events = admin.watch_events(request).await.unwrap().into_inner();
            while let Some(told) = events.message().await.unwrap() {
                kept.lock().take(told);
                taken.send_modify(|taken| *taken += 1);
            }
        });
        self
    }

    /// It takes so many messages more, and is killed wherever it is then.
    async fn killed_after(self, messages: usize) -> Self {
        let taken = *self.taken.borrow();
        let mut taking = self.taken.subscribe();
        within(taking.wait_for(|now| *now >= taken + messages)).await.unwrap();
        self.running.abort();
        let Self { running, .. } = self;
        let ended = running.await;
        assert!(ended.as_ref().is_err_and(tokio::task::JoinError::is_cancelled), "{ended:?}");
        Self { running: tokio::spawn(async {}), ..self }.started()
    }

    /// The mirror once it has seen the last event of its rooms.
    async fn caught_up(self, last: u64) -> Mirror {
        let has_seen = || self.kept.lock().seen.last().is_some_and(|(seen, _)| *seen >= last);
        within(self.taken.subscribe().wait_for(|_| has_seen())).await.unwrap();
        self.running.abort();
        self.kept.lock().clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_back_with_its_cursor_has_missed_nothing_and_seen_nothing_twice() {
    let server = TestServer::with("--rate-limit 0");
    let mut admin = server.admin().await;
    let enough = CancellationToken::new();
    let mut walking = JoinSet::new();
    for seed in 0..CLIENTS {
        walking.spawn(walk(server.url("/"), Rng::with_seed(seed), enough.clone()));
    }
    let locking = tokio::spawn(lock(server.admin().await, enough.clone()));

    let filters = [0, 1, 2].map(filter);
    let mut random = Rng::with_seed(7);
    let mut all = Subscriber::new(server.admin().await, filters[0].clone());
    let mut some = Subscriber::new(server.admin().await, filters[1].clone());
    let mut late = Vec::new();
    for nth in 0..KILLS {
        let (lives, fewer) = (random.usize(1..LIFE), random.usize(1..LIFE / 5));
        (all, some) = tokio::join!(all.killed_after(lives), some.killed_after(fewer));
        late.push(Subscriber::new(admin.clone(), filters[nth % filters.len()].clone()));
    }
    enough.cancel();
    let walkers = within(walking.join_all()).await;
    within(locking).await.unwrap();
    // Whoever vanished is gone once the server counts no more clients than there are.
    let everyone = pb::BroadcastRequest {
        target: Some(broadcast::Target::Everyone(true)),
        body: Some(broadcast::Body::ContentJson("0".into())),
        ..Default::default()
    };
    let all_gone = async {
        let reached = async |admin: &mut AdminServiceClient<Channel>| {
            admin.broadcast(everyone.clone()).await.unwrap().into_inner().reached
        };
        while u64::from(reached(&mut admin).await) > CLIENTS {}
    };
    within(all_gone).await;
    // What comes last is in a room that everybody follows.
    let made = pb::Room { room_id: room(0), ..Default::default() };
    let end = pb::CreateRoomRequest { room: Some(made), ..Default::default() };
    let _: Result<_, _> = admin.create_room(end).await;
    let end = pb::DeleteRoomRequest { room_id: room(0), ..Default::default() };
    admin.delete_room(end).await.unwrap();

    let info = admin.get_server_info(pb::GetServerInfoRequest {}).await.unwrap().into_inner();
    let last = info.counts.unwrap().events;
    let rooms = listed(&mut admin).await;
    let all = all.caught_up(last).await;
    let first = all.seen[0].0;
    println!("{} events, {first} is the first, {} rooms", all.seen.len(), rooms.len());
    assert!(all.seen.iter().map(|(position, _)| *position).eq(first..=last), "each once, in order");
    assert_eq!(all.rooms(), rooms);

    for one in late.into_iter().chain([some]) {
        let asked = one.asked.clone();
        let is_theirs = |id: &str| {
            let ids = &asked.room_ids;
            (ids.is_empty() || ids.iter().any(|name| name == id))
                && id.starts_with(&asked.room_id_prefix)
        };
        let one = one.caught_up(last).await;
        assert!(one.seen.iter().all(|(_, id)| is_theirs(id)));
        // Either may have begun a little earlier.
        let both = first.max(one.seen[0].0);
        let seen = |mirror: &Mirror| -> Vec<_> {
            let seen = mirror.seen.iter().filter(|(position, _)| *position >= both);
            seen.filter(|(_, id)| is_theirs(id)).cloned().collect()
        };
        assert_eq!(seen(&one), seen(&all), "each of their rooms' events once, in order");
        let theirs: Vec<_> =
            rooms.iter().filter(|room| is_theirs(&room.room_id)).cloned().collect();
        assert_eq!(one.rooms(), theirs);
    }
    drop(walkers);
}

async fn walk(url: String, mut random: Rng, enough: CancellationToken) -> Client {
    let mut client = Client::connect(&url).await;
    while !enough.is_cancelled() {
        let room = room(random.usize(0..ROOMS));
        match random.u8(0..20) {
            0 => client = Client::connect(&url).await,
            1 => {
                let user_id = format!("user {}", random.u8(0..9));
                client.ask(json!({"type": "register", "userId": user_id})).await;
            }
            2..6 => {
                client.say(json!({"type": "leave", "roomId": room})).await;
                client.ask(json!({"type": "ping"})).await;
            }
            _ => drop(client.ask(json!({"type": "join", "roomId": room})).await),
        }
    }
    client
}

/// Settings and roles change too, and who waits is let in, or not.
async fn lock(mut admin: AdminServiceClient<Channel>, enough: CancellationToken) {
    let mut random = Rng::with_seed(1);
    while !enough.is_cancelled() {
        let (room_id, locked) = (room(random.usize(0..ROOMS)), random.u8(0..4) == 0);
        let lock = pb::LockRoomRequest { room_id: room_id.clone(), locked, ..Default::default() };
        drop(admin.lock_room(lock).await);
        let (max_members, lobby) = (random.u32(3..10), random.u8(0..3) == 0);
        let update =
            pb::Room { room_id: room_id.clone(), max_members, lobby, ..Default::default() };
        let paths = ["max_members", "lobby"].map(str::to_owned).into();
        let update_mask = Some(prost_types::FieldMask { paths });
        let update = pb::UpdateRoomRequest { room: Some(update), update_mask };
        drop(admin.update_room(update).await);
        let get = pb::GetRoomRequest { room_id: room_id.clone() };
        let Ok(room) = admin.get_room(get).await else { continue };
        let room = room.into_inner();
        for (nth, client_id) in room.waiting.into_iter().map(|one| one.client_id).enumerate() {
            let room_id = room_id.clone();
            drop(match nth % 3 {
                0 => admin.admit_client(pb::AdmitClientRequest { client_id, room_id }).await,
                1 => admin.deny_client(pb::DenyClientRequest { client_id, room_id }).await,
                _ => continue,
            });
        }
        if let Some(member) = random.choice(room.members) {
            let role = random.choice([pb::Role::Host, pb::Role::Member]).unwrap().into();
            let set = pb::SetRoleRequest { client_id: member.client_id, room_id, role };
            drop(admin.set_role(set).await);
        }
    }
}

async fn listed(admin: &mut AdminServiceClient<Channel>) -> Vec<pb::Room> {
    let request = pb::ListRoomsRequest { page_size: 1000, ..Default::default() };
    let listed = admin.list_rooms(request).await.unwrap().into_inner().rooms;
    let names: BTreeSet<_> = listed.into_iter().map(|room| room.room_id).collect();
    let mut rooms = Vec::new();
    for room_id in names {
        let request = pb::GetRoomRequest { room_id };
        rooms.push(lasting(&admin.get_room(request).await.unwrap().into_inner()));
    }
    rooms
}
