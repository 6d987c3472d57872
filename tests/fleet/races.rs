//! Many at once on all nodes: no rule is only eventually so.

use fastrand::Rng;
use serde_json::json;
use signalpost::admin::pb::{
    Ban, CreateBanRequest, CreateRoomRequest, LockRoomRequest, RemoveClientRequest, Room,
    ban::Subject,
};
use tokio::task::JoinSet;

use crate::{
    fleet::{Fleet, ids},
    redis::Kind,
    support::{Client, within},
};

on_both_kinds![
    ten_seats_are_never_eleven,
    a_lock_holds_everywhere_once_its_call_returned,
    a_ban_holds_everywhere_once_its_call_returned,
    a_freed_seat_can_be_taken_at_once_on_any_node,
];

const CAPACITY: usize = 10;

/// Round after round, each of 500 clients goes to a room that most of them do not find a seat in.
async fn ten_seats_are_never_eleven(kind: Kind) {
    const CLIENTS: usize = 500;
    const ROUNDS: usize = 50;
    const ROOMS: usize = 10;
    let fleet = Fleet::alone(kind).await;
    let mut clients = Vec::new();
    for node in 0..3 {
        clients.extend(fleet.clients(node, CLIENTS.div_ceil(3)).await);
    }
    for round in 0..ROUNDS {
        // Three rounds have the same rooms: their seats are also given up by who moves on.
        let room = |nth: usize| format!("{} {nth}", round / 3);
        let mut asking = JoinSet::new();
        for (nth, mut client) in clients.into_iter().enumerate() {
            let mut random = Rng::with_seed((round * CLIENTS + nth) as u64);
            let room = room(random.usize(..ROOMS));
            asking.spawn(async move {
                let answer = client.ask(json!({"type": "join", "roomId": room})).await;
                match answer["type"].as_str().unwrap() {
                    "joined" => {
                        let found = answer["members"].as_array().unwrap().len();
                        assert!(found < CAPACITY, "the {found}th was seated: {answer}");
                    }
                    _ => assert_eq!(answer["code"], "room-full", "{answer}"),
                }
                client
            });
        }
        clients = within(asking.join_all()).await;
        for nth in 0..ROOMS {
            let seen = fleet.room(round % 3, &room(nth)).await;
            let seated = ids(&seen).len();
            // Fifty ask for each of them: it is full, unless one of them moved on when all others had been refused.
            let is_right = if round % 3 == 0 { seated == CAPACITY } else { seated <= CAPACITY };
            assert!(is_right, "round {round}: {seated}");
            let elsewhere = fleet.room((round + 1) % 3, &room(nth)).await;
            assert_eq!(ids(&seen), ids(&elsewhere), "round {round}");
        }
    }
}

async fn a_lock_holds_everywhere_once_its_call_returned(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let _member = fleet.member(0, "r").await;
    for round in 0..30 {
        let mut admin = fleet.admin(round % 3).await;
        let mut stranger = fleet.client((round + 1) % 3).await;
        let mut lock = async |locked| {
            let request = LockRoomRequest { room_id: "r".into(), locked, ..Default::default() };
            admin.lock_room(request).await.unwrap();
        };
        lock(true).await;
        assert_eq!(refusal(&mut stranger, "r").await, "room-locked", "round {round}");
        lock(false).await;
        stranger.join("r").await;
        stranger.ask(json!({"type": "leave", "roomId": "r"})).await;
    }
}

async fn a_ban_holds_everywhere_once_its_call_returned(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let _member = fleet.member(0, "r").await;
    for round in 0..20 {
        let user = format!("eve {round}");
        let mut admin = fleet.admin(round % 3).await;
        let mut eve = fleet.client((round + 1) % 3).await;
        eve.ask(json!({"type": "register", "userId": user})).await;
        // From the room, then from everywhere.
        for room in ["r", ""] {
            let subject = Some(Subject::UserId(user.clone()));
            let ban = Ban { room_id: room.into(), subject, ..Default::default() };
            let request = CreateBanRequest { ban: Some(ban), ..Default::default() };
            admin.create_ban(request).await.unwrap();
            if room.is_empty() {
                assert_eq!(eve.hear_of("removed").await["code"], "banned");
                assert_eq!(eve.closed().await, Some(4501));
                let mut again = fleet.client((round + 2) % 3).await;
                let register = json!({"type": "register", "userId": user});
                assert_eq!(again.ask(register).await["code"], "banned", "round {round}");
            } else {
                assert_eq!(refusal(&mut eve, "r").await, "banned", "round {round}");
            }
        }
    }
}

async fn a_freed_seat_can_be_taken_at_once_on_any_node(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let make = CreateRoomRequest {
        room_id: "r".into(),
        room: Some(Room { max_members: 1, ..Default::default() }),
        ..Default::default()
    };
    fleet.admin(0).await.create_room(make).await.unwrap();
    let mut seated = fleet.member(0, "r").await;
    for round in 1..30 {
        let mut next = fleet.client(round % 3).await;
        assert_eq!(refusal(&mut next, "r").await, "room-full");
        if round % 2 == 0 {
            let left = seated.ask(json!({"type": "leave", "roomId": "r"})).await;
            assert_eq!(left["type"], "left");
        } else {
            let remove = RemoveClientRequest { client_id: seated.id.clone(), ..Default::default() };
            fleet.admin((round + 1) % 3).await.remove_client(remove).await.unwrap();
        }
        next.join("r").await;
        seated = next;
    }
}

/// Why there is no seat.
async fn refusal(client: &mut Client, room: &str) -> String {
    let answer = client.ask(json!({"type": "join", "roomId": room})).await;
    answer["code"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}
