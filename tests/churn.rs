//! Many clients come and go at random: what each of them holds, what the server holds and what the event
//! stream tells are the same in the end.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use serde_json::{Value, json};
use signalpost::admin::pb::{self, broadcast_request as broadcast, event::What};
use support::{Client, TestServer, events::Events, within};
use tokio::task::JoinSet;

const CLIENTS: u64 = 300;
const ROOMS: usize = 30;
const STEPS: usize = 20;

type Rosters = BTreeMap<String, BTreeSet<String>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_roster_is_the_same_everywhere() {
    let server = TestServer::with("--rate-limit 0");
    let mut admin = server.admin().await;
    let events = Events::all(&mut admin).await;
    let replaying = tokio::spawn(replay(events));

    let mut walking = JoinSet::new();
    for seed in 0..CLIENTS {
        walking.spawn(walk(server.url("/"), Rng::with_seed(seed)));
    }
    let mut walkers = within(walking.join_all()).await;

    // Whoever vanished is gone once the server counts no more clients than there are.
    let everyone = pb::BroadcastRequest {
        target: Some(broadcast::Target::Everyone(true)),
        body: Some(broadcast::Body::ContentJson("0".into())),
        ..Default::default()
    };
    let all_gone = async {
        while u64::from(admin.broadcast(everyone.clone()).await.unwrap().into_inner().reached)
            > CLIENTS
        {}
    };
    within(all_gone).await;

    let mut held = Rosters::new();
    for walker in &mut walkers {
        walker.catch_up().await;
        if let Some(room) = &walker.room {
            let roster = held.entry(room.clone()).or_insert_with(|| walker.roster.clone());
            assert_eq!(*roster, walker.roster, "two members of {room} disagree");
            assert!(roster.contains(&walker.client.id) && roster.len() <= 10);
        }
    }
    assert_eq!(listed(&server).await, held);

    let _end = server.member("the end").await;
    assert_eq!(within(replaying).await.unwrap(), held);
}

struct Walker {
    client: Client,
    room: Option<String>,
    roster: BTreeSet<String>,
}

async fn walk(url: String, mut random: Rng) -> Walker {
    let mut walker = Walker::new(&url).await;
    for _ in 0..STEPS {
        let room = format!("room {}", random.usize(0..ROOMS));
        match random.u8(0..10) {
            0 => walker = Walker::new(&url).await,
            1 => {
                // Gone before the answer comes.
                walker.client.say(json!({"type": "join", "roomId": room})).await;
                walker = Walker::new(&url).await;
            }
            2 | 3 => {
                if let Some(room) = walker.room.clone() {
                    walker.request(json!({"type": "leave", "roomId": room})).await;
                }
            }
            _ => walker.request(json!({"type": "join", "roomId": room})).await,
        }
    }
    walker
}

impl Walker {
    async fn new(url: &str) -> Self {
        Self { client: Client::connect(url).await, room: None, roster: BTreeSet::new() }
    }

    async fn catch_up(&mut self) {
        self.request(json!({"type": "ping"})).await;
    }

    async fn request(&mut self, mut request: Value) {
        request["requestId"] = json!("this");
        self.client.say(request).await;
        loop {
            let message = self.client.hear().await;
            self.note(&message);
            if message["requestId"] == "this" {
                return;
            }
        }
    }

    fn note(&mut self, message: &Value) {
        let who = || message["clientId"].as_str().unwrap().to_owned();
        match message["type"].as_str().unwrap() {
            "joined" => {
                assert_eq!(self.room, None, "`left` comes first");
                self.room = Some(message["roomId"].as_str().unwrap().to_owned());
                let members = message["members"].as_array().unwrap().iter();
                self.roster = members.map(|id| id.as_str().unwrap().to_owned()).collect();
                assert!(self.roster.insert(self.client.id.clone()));
            }
            "left" => self.room = None,
            "user-joined" => assert!(self.room.is_some() && self.roster.insert(who())),
            "user-left" => assert!(self.room.is_some() && self.roster.remove(&who())),
            "join-error" => assert_eq!(message["code"], "room-full"),
            "pong" | "broadcast" | "role-changed" => {}
            other => panic!("{other}"),
        }
    }
}

/// What the server says, page by page.
async fn listed(server: &TestServer) -> Rosters {
    let mut admin = server.admin().await;
    let (mut rosters, mut page_token) = (Rosters::new(), String::new());
    loop {
        let page = pb::ListRoomsRequest { page_size: 7, page_token, ..Default::default() };
        let page = admin.list_rooms(page).await.unwrap().into_inner();
        for room in page.rooms {
            let room_id = room.room_id;
            let room = admin.get_room(pb::GetRoomRequest { room_id }).await.unwrap().into_inner();
            let members: BTreeSet<_> = room.members.into_iter().map(|m| m.client_id).collect();
            assert_eq!(members.len(), usize::try_from(room.member_count).unwrap());
            rosters.insert(room.room_id, members);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return rosters;
        }
    }
}

/// What the events tell, up to the room that marks the end.
async fn replay(mut events: Events) -> Rosters {
    let (mut rosters, mut last) = (Rosters::new(), BTreeMap::<String, u64>::new());
    let mut position = 0;
    loop {
        let event = events.next().await;
        let room = event.room_id;
        if room == "the end" {
            return rosters;
        }
        assert!(event.position > position);
        position = event.position;
        assert_eq!(event.prev_position, last.get(&room).copied().unwrap_or(0), "a gap in {room}");
        last.insert(room.clone(), position);
        match event.what.unwrap() {
            What::Created(_) => assert_eq!(rosters.insert(room, BTreeSet::new()), None),
            What::Joined(joined) => {
                let who = joined.member.unwrap().client_id;
                assert!(rosters.get_mut(&room).unwrap().insert(who));
            }
            What::Left(left) => assert!(rosters.get_mut(&room).unwrap().remove(&left.client_id)),
            What::Closed(_) => {
                assert_eq!(rosters.remove(&room), Some(BTreeSet::new()));
                last.remove(&room);
            }
            What::RoleChanged(_) => {}
            other => unreachable!("nobody does: {other:?}"),
        }
    }
}
