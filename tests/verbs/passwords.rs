//! Passwords of rooms: set, lifted, and told to nobody.

use std::fmt::Debug;

use prost_types::FieldMask;
use serde_json::{Value, json};
use signalpost::admin::pb::{
    CreateRoomRequest, GetRoomRequest, ListRoomsRequest, Room, UpdateRoomRequest,
    WatchEventsRequest, watch_events_request::Start, watch_events_response::What,
};

use tonic_types::StatusExt;

use super::{
    Admin, come, fails,
    support::{Client, TestServer, events::Events, within},
};

/// It is looked for in all that is told.
const SECRET: &str = "correct horse";

fn create(room_id: &str, password: &str) -> CreateRoomRequest {
    let room = Room { password: password.into(), ..Default::default() };
    CreateRoomRequest { room_id: room_id.into(), room: Some(room), ..Default::default() }
}

fn update(room: Room, paths: Option<&[&str]>) -> UpdateRoomRequest {
    let room = Room { room_id: "r".into(), ..room };
    let mask = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect();
    let update_mask = paths.map(|paths| FieldMask { paths: mask(paths) });
    UpdateRoomRequest { room: Some(room), update_mask }
}

fn secret(password: &str) -> Room {
    Room { password: password.into(), ..Default::default() }
}

async fn set(admin: &mut Admin, room: Room, paths: Option<&[&str]>) -> Room {
    let room = admin.update_room(update(room, paths)).await.unwrap().into_inner();
    assert_eq!(room.password, "", "it is never told");
    room
}

#[tokio::test]
async fn a_room_with_a_password_asks_for_it_until_that_is_lifted() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut events = Events::all(&mut admin).await;
    let made = admin.create_room(create("r", SECRET)).await.unwrap().into_inner();
    assert!(made.password_set && made.password.is_empty());
    let mut ann = server.client().await;
    let join = json!({"type": "join", "roomId": "r"});
    assert_eq!(ann.ask(join.clone()).await["code"], "password-required");
    let lifted = set(&mut admin, secret(""), Some(&["password"])).await;
    assert!(!lifted.password_set && lifted.etag != made.etag);
    assert_eq!(ann.join("r").await["room"]["hasPassword"], false);

    // Without a mask, what is not empty; and a password is another one each time.
    let first = set(&mut admin, secret(SECRET), None).await;
    assert_eq!(ann.hear().await["room"]["hasPassword"], true);
    let second = set(&mut admin, secret(SECRET), Some(&["password"])).await;
    assert!(first.password_set && second.password_set && first.etag != second.etag);
    let third = set(&mut admin, Room { max_members: 9, ..Default::default() }, None).await;
    assert!(third.password_set, "left as it is");
    let mut bob = server.client().await;
    assert_eq!(bob.ask(join).await["code"], "password-required");

    // All five, of which what is left out is lifted.
    let lobby = Room { lobby: true, max_members: 9, ..secret(SECRET) };
    let all = set(&mut admin, lobby, Some(&["*"])).await;
    assert!(all.lobby && all.password_set);
    let none = Room { max_members: 9, ..Default::default() };
    let none = set(&mut admin, none, Some(&["*"])).await;
    assert!(!none.lobby && !none.password_set);
    bob.join("r").await;
    let updated = "r room-updated by administrator";
    come(&mut events, &["r created by administrator", updated]).await;
    come(&mut events, &["r joined by client", updated, updated, updated, updated, updated]).await;
}

#[tokio::test]
async fn a_change_that_is_refused_sets_no_password() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let _ann = server.member("r").await;
    let get = GetRoomRequest { room_id: "r".into() };
    let etag = admin.get_room(get.clone()).await.unwrap().into_inner().etag;
    let other = Room { etag: etag + "0", ..secret(SECRET) };
    fails(admin.update_room(update(other, None)).await, "ETAG_MISMATCH", "");
    let nowhere = Room { room_id: "nowhere".into(), ..secret(SECRET) };
    let nowhere = UpdateRoomRequest { room: Some(nowhere), update_mask: None };
    fails(admin.update_room(nowhere).await, "ROOM_NOT_FOUND", "");
    fails(admin.create_room(create("r", SECRET)).await, "ROOM_EXISTS", "");
    let long = SECRET.repeat(10);
    fails(admin.create_room(create("s", &long)).await, "BAD_REQUEST", "room.password");
    fails(admin.update_room(update(secret(&long), None)).await, "BAD_REQUEST", "room.password");
    assert!(!admin.get_room(get).await.unwrap().into_inner().password_set);
}

#[tokio::test]
async fn the_same_call_with_another_password_is_another_call() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let with =
        |password: &str| CreateRoomRequest { request_id: "1".into(), ..create("r", password) };
    let made = admin.create_room(with(SECRET)).await.unwrap().into_inner();
    assert_eq!(admin.create_room(with(SECRET)).await.unwrap().into_inner(), made);
    fails(admin.create_room(with("another")).await, "REQUEST_ID_REUSED", "request_id");
}

fn join(password: &str) -> Value {
    json!({"type": "join", "roomId": "r", "password": password})
}

#[tokio::test]
async fn browsers_enter_with_the_password_of_the_moment() {
    let server = TestServer::with("--room-passwords=false");
    let mut admin = server.admin().await;
    admin.create_room(create("r", SECRET)).await.unwrap();
    let (mut ann, mut bob) = (server.client().await, server.client().await);
    assert_eq!(ann.ask(join("another")).await["code"], "wrong-password");
    // However the keyboard says it: both are composed before they are hashed.
    assert_eq!(ann.ask(join("correct\u{a0}horse")).await["type"], "joined");
    set(&mut admin, secret("another"), None).await;
    assert_eq!(bob.ask(join(SECRET)).await["code"], "wrong-password");
    set(&mut admin, secret(""), Some(&["password"])).await;
    assert_eq!(bob.ask(join("another")).await["code"], "password-not-set");
    bob.join("r").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_joins_while_the_password_changes_knows_the_one_or_the_other() {
    let server = TestServer::with("--rate-limit 0 --max-members 60");
    let mut admin = server.admin().await;
    admin.create_room(create("r", "one")).await.unwrap();
    // Fewer than an address may guess at once: all of them may come with the wrong one.
    let joining: Vec<_> = (0..15)
        .map(|_| {
            let url = server.url("/");
            tokio::spawn(async move {
                let mut client = Client::connect(&url).await;
                let answer = client.ask(join("one")).await;
                (client, answer)
            })
        })
        .collect();
    for password in ["two", "one", "one", "two", "one", "two"] {
        set(&mut admin, secret(password), None).await;
    }
    let mut seated = Vec::new();
    for one in joining {
        let (client, answer) = within(one).await.unwrap();
        if answer["type"] == "joined" {
            seated.push(client);
        } else {
            assert_eq!(answer["code"], "wrong-password", "{answer}");
        }
    }
    let room = admin.get_room(GetRoomRequest { room_id: "r".into() }).await.unwrap().into_inner();
    assert_eq!(room.members.len(), seated.len());
    let mut late = server.client().await;
    assert_eq!(late.ask(join("two")).await["type"], "joined", "nobody guessed too often");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_passwords_of_administrators_wait_and_the_next_is_told_when_to_try_again() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    admin.create_room(create("r", "")).await.unwrap();
    let mut calls = Vec::new();
    for _ in 0..10 {
        let admin = server.admin().await;
        calls.extend((0..30).map(|_| {
            let mut admin = admin.clone();
            tokio::spawn(async move { admin.update_room(update(secret(SECRET), None)).await })
        }));
    }
    let (mut set, mut refused) = (0, 0);
    for call in calls {
        let Err(status) = within(call).await.unwrap() else {
            set += 1;
            continue;
        };
        let details = status.get_error_details();
        assert!(details.retry_info().unwrap().retry_delay.is_some_and(|delay| !delay.is_zero()));
        match &*details.error_info().unwrap().reason {
            "TOO_MANY_PASSWORDS" => refused += 1,
            // On a busy machine, some that may wait do so for longer than any call may.
            reason => assert_eq!(reason, "TOO_SLOW"),
        }
    }
    assert!(set > 0 && refused > 0, "{set} set, {refused} refused");
}

fn tells_nothing(what: &impl Debug) {
    let told = format!("{what:?}");
    assert!(!told.contains(SECRET) && !told.contains("argon2"), "{told}");
}

#[tokio::test]
async fn nothing_tells_a_password() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut events = Events::all(&mut admin).await;
    let made = admin.create_room(create("r", "another")).await.unwrap();
    let set = admin.update_room(update(secret(SECRET), None)).await.unwrap();
    tells_nothing(&(made, set));
    tells_nothing(&(events.next().await, events.next().await));
    tells_nothing(&admin.get_room(GetRoomRequest { room_id: "r".into() }).await.unwrap());
    tells_nothing(&admin.list_rooms(ListRoomsRequest::default()).await.unwrap());
    let long = update(secret(&SECRET.repeat(10)), Some(&["password", "nothing"]));
    let etag = update(Room { etag: "x".into(), ..secret(SECRET) }, None);
    let named = CreateRoomRequest { request_id: "x".repeat(65), ..create("r", SECRET) };
    let exists = admin.create_room(create("r", SECRET)).await.unwrap_err();
    tells_nothing(&(exists, admin.create_room(named).await.unwrap_err()));
    for request in [long, etag] {
        tells_nothing(&admin.update_room(request).await.unwrap_err());
    }
    let start = Some(Start::Snapshot(true));
    let request = WatchEventsRequest { start, ..Default::default() };
    let mut snapshot = admin.watch_events(request).await.unwrap().into_inner();
    let page = within(snapshot.message()).await.unwrap().unwrap();
    assert!(matches!(page.what, Some(What::Snapshot(_))));
    tells_nothing(&page);
}
