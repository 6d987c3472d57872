//! Who waits for a seat: seen, let in, and sent away.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use signalpost::admin::pb::{
    AdmitClientRequest, Ban, CreateBanRequest, DeleteRoomRequest, DenyClientRequest,
    GetClientRequest, GetRoomRequest, ListWaitingRequest, ListWaitingResponse, LockRoomRequest,
    Role, Room, UpdateRoomRequest, ban::Subject,
};

use super::{
    Admin, NOBODY, come, fails,
    support::{Client, TestServer, events::Events, within},
};

fn admit(client: &Client, room_id: &str) -> AdmitClientRequest {
    AdmitClientRequest { client_id: client.id.clone(), room_id: room_id.into() }
}

fn deny(client: &Client, room_id: &str) -> DenyClientRequest {
    DenyClientRequest { client_id: client.id.clone(), room_id: room_id.into() }
}

async fn settle(admin: &mut Admin, room: Room, path: &str) {
    let update_mask = Some(prost_types::FieldMask { paths: vec![path.to_owned()] });
    let update = UpdateRoomRequest { room: Some(room), update_mask };
    admin.update_room(update).await.unwrap();
}

async fn lobby(admin: &mut Admin, room_id: &str, lobby: bool) {
    settle(admin, Room { room_id: room_id.into(), lobby, ..Default::default() }, "lobby").await;
}

async fn lock(admin: &mut Admin, room_id: &str, locked: bool) {
    let lock = LockRoomRequest { room_id: room_id.into(), locked, ..Default::default() };
    admin.lock_room(lock).await.unwrap();
}

/// A client that asked for a seat and waits for it.
async fn one_who_waits(server: &TestServer, room_id: &str) -> Client {
    let mut client = server.client().await;
    let answer = client.ask(json!({"type": "join", "roomId": room_id})).await;
    assert_eq!(answer, json!({"type": "waiting", "roomId": room_id}));
    client
}

async fn page(admin: &mut Admin, size: i32, token: &str) -> ListWaitingResponse {
    let page_token = token.to_owned();
    let request = ListWaitingRequest { room_id: "r".into(), page_size: size, page_token };
    admin.list_waiting(request).await.unwrap().into_inner()
}

fn ids(page: &ListWaitingResponse) -> Vec<&str> {
    page.waiting.iter().map(|waiting| &*waiting.client_id).collect()
}

fn refused(error: &str, code: &str) -> Value {
    json!({"type": "join-error", "error": error, "code": code, "requestId": "asked"})
}

#[tokio::test]
async fn who_waits_is_seen_and_admitted() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut ann = server.member("r").await;
    let mut events = Events::all(&mut admin).await;
    lobby(&mut admin, "r", true).await;
    assert_eq!(ann.hear_of("room-updated").await["room"]["lobby"], true);
    let mut bob = server.client().await;
    bob.ask(json!({"type": "register", "userId": "bob", "displayName": "Bob"})).await;
    let join = json!({"type": "join", "roomId": "r", "metadata": {"seat": 7}});
    assert_eq!(bob.ask(join).await["type"], "waiting");
    assert_eq!(ann.hear().await["type"], "knock");

    let get = GetRoomRequest { room_id: "r".into() };
    let room = admin.get_room(get.clone()).await.unwrap().into_inner();
    let [waiting] = &room.waiting[..] else { panic!("{room:?}") };
    assert_eq!((waiting.user_id(), waiting.display_name()), ("bob", "Bob"));
    assert_eq!((&waiting.client_id, waiting.metadata_json()), (&bob.id, r#"{"seat":7}"#));
    assert_eq!((waiting.granted_role(), waiting.authenticated), (Role::Member, false));
    let (since, until) = (waiting.wait_time.unwrap(), waiting.expire_time.unwrap());
    assert_eq!(until.seconds - since.seconds, 600);
    assert_eq!((room.lobby, room.waiting_count, room.member_count), (true, 1, 1));
    assert_eq!(page(&mut admin, 0, "").await.waiting, room.waiting);
    let look = GetClientRequest { client_id: bob.id.clone() };
    let shown = admin.get_client(look).await.unwrap().into_inner();
    assert_eq!(
        (&*shown.waiting_room_id, &*shown.room_id, shown.role()),
        ("r", "", Role::Unspecified)
    );

    let shown = admin.admit_client(admit(&bob, "r")).await.unwrap().into_inner();
    assert_eq!((&*shown.waiting_room_id, &*shown.room_id, shown.role()), ("", "r", Role::Member));
    let joined = bob.hear().await;
    assert_eq!((&joined["type"], &joined["requestId"]), (&json!("joined"), &json!("asked")));
    assert_eq!((&joined["members"], &joined["role"]), (&json!([ann.id]), &json!("member")));
    let ended = json!({"type": "knock-ended", "clientId": bob.id, "reason": "admitted"});
    assert_eq!(ann.hear().await, ended);
    assert_eq!(ann.hear().await["type"], "user-joined");
    let room = admin.get_room(get).await.unwrap().into_inner();
    assert_eq!((room.waiting_count, room.member_count, room.waiting.len()), (0, 2, 0));
    come(
        &mut events,
        &[
            "r room-updated by administrator",
            "r waiting by client",
            "r waited admitted by administrator",
            "r joined by administrator",
        ],
    )
    .await;
}

#[tokio::test]
async fn who_is_denied_hears_so_and_may_ask_again() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut ann = server.member("r").await;
    lobby(&mut admin, "r", true).await;
    let mut bob = one_who_waits(&server, "r").await;
    let mut events = Events::all(&mut admin).await;
    let shown = admin.deny_client(deny(&bob, "")).await.unwrap().into_inner();
    assert_eq!((&*shown.waiting_room_id, &*shown.room_id), ("", ""));
    assert_eq!(bob.hear().await, refused("A host did not let you in", "denied"));
    assert_eq!(ann.hear_of("knock-ended").await["reason"], "denied");
    bob.hears_nothing().await;
    assert_eq!(bob.ask(json!({"type": "join", "roomId": "r"})).await["type"], "waiting");
    come(&mut events, &["r waited denied by administrator", "r waiting by client"]).await;

    let carol = server.member("s").await;
    for (client_id, room_id, reason, fault) in [
        (&*ann.id, "", "NOT_WAITING", ""),
        (&*carol.id, "", "NOT_WAITING", ""),
        (&*bob.id, "s", "NOT_WAITING", ""),
        (&*bob.id, "nowhere", "NOT_WAITING", ""),
        (NOBODY, "r", "CLIENT_NOT_FOUND", ""),
        ("x", "", "BAD_REQUEST", "client_id"),
        (&*bob.id, &"x".repeat(129), "BAD_REQUEST", "room_id"),
    ] {
        let (client_id, room_id) = (client_id.to_owned(), room_id.to_owned());
        let admit = AdmitClientRequest { client_id: client_id.clone(), room_id: room_id.clone() };
        fails(admin.admit_client(admit).await, reason, fault);
        fails(admin.deny_client(DenyClientRequest { client_id, room_id }).await, reason, fault);
    }
    bob.vanish();
}

#[tokio::test]
async fn an_administrator_lets_in_past_the_lock_and_not_past_the_last_seat() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let _ann = server.member("r").await;
    lobby(&mut admin, "r", true).await;
    let (mut bob, carol) = (one_who_waits(&server, "r").await, one_who_waits(&server, "r").await);
    lock(&mut admin, "r", true).await;
    let two = Room { room_id: "r".into(), max_members: 2, ..Default::default() };
    settle(&mut admin, two, "max_members").await;
    admin.admit_client(admit(&bob, "")).await.unwrap();
    assert_eq!(bob.hear().await["type"], "joined");
    fails(admin.admit_client(admit(&carol, "r")).await, "ROOM_FULL", "");
    assert_eq!(ids(&page(&mut admin, 0, "").await), [&*carol.id], "it waits on");
    bob.ask(json!({"type": "leave", "roomId": "r"})).await;
    admin.admit_client(admit(&carol, "r")).await.unwrap();
}

#[tokio::test]
async fn a_lobby_that_is_lifted_lets_in_who_came_first_as_far_as_there_is_room() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut ann = server.member("r").await;
    lobby(&mut admin, "r", true).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(one_who_waits(&server, "r").await);
    }
    let three = Room { room_id: "r".into(), max_members: 3, ..Default::default() };
    settle(&mut admin, three, "max_members").await;
    lobby(&mut admin, "r", false).await;
    for client in &mut waiting[..2] {
        assert_eq!(client.hear().await["type"], "joined");
    }
    assert_eq!(waiting[2].hear().await, refused("Room is full", "room-full"));

    // Nobody, where the room is locked.
    lobby(&mut admin, "r", true).await;
    ann.ask(json!({"type": "leave", "roomId": "r"})).await;
    assert_eq!(ann.ask(json!({"type": "join", "roomId": "r"})).await["type"], "waiting");
    lock(&mut admin, "r", true).await;
    lobby(&mut admin, "r", false).await;
    assert_eq!(ann.hear_of("join-error").await, refused("Room is locked", "room-locked"));
}

#[tokio::test]
async fn who_waits_hears_of_the_rooms_end_and_of_its_own_ban() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let _ann = server.member("r").await;
    lobby(&mut admin, "r", true).await;
    let mut bob = server.client().await;
    bob.ask(json!({"type": "register", "userId": "bob"})).await;
    assert_eq!(bob.ask(json!({"type": "join", "roomId": "r"})).await["type"], "waiting");
    let mut carol = one_who_waits(&server, "r").await;
    let subject = Some(Subject::UserId("bob".into()));
    let ban = Ban { room_id: "r".into(), subject, ..Default::default() };
    admin.create_ban(CreateBanRequest { ban: Some(ban), ..Default::default() }).await.unwrap();
    assert_eq!(bob.hear().await, refused("You are kept out of the room", "banned"));
    bob.hears_nothing().await;
    fails(admin.admit_client(admit(&bob, "")).await, "NOT_WAITING", "");

    let end = DeleteRoomRequest { room_id: "r".into(), ..Default::default() };
    admin.delete_room(end).await.unwrap();
    assert_eq!(carol.hear().await, refused("The room ended while you waited", "room-closed"));
    carol.join("s").await;
}

#[tokio::test]
async fn those_who_wait_are_listed_in_pages_and_50_wait_at_most() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let _ann = server.member("r").await;
    lobby(&mut admin, "r", true).await;
    let mut waiting = Vec::new();
    for _ in 0..50 {
        waiting.push(one_who_waits(&server, "r").await);
    }
    let mut late = server.client().await;
    assert_eq!(late.ask(json!({"type": "join", "roomId": "r"})).await["code"], "lobby-full");
    let all: Vec<_> = waiting.iter().map(|client| client.id.clone()).collect();
    let (first, whole) = (page(&mut admin, 20, "").await, page(&mut admin, 0, "").await);
    assert_eq!(
        (ids(&first), &*whole.next_page_token),
        (all[..20].iter().map(|id| &**id).collect(), "")
    );
    assert_eq!(ids(&whole), all);
    // Who went moves nobody to another page, be it the last one shown.
    admin.admit_client(admit(&waiting[0], "")).await.unwrap();
    admin.deny_client(deny(&waiting[19], "")).await.unwrap();
    let second = page(&mut admin, 20, &first.next_page_token).await;
    let third = page(&mut admin, 20, &second.next_page_token).await;
    assert_eq!([ids(&second), ids(&third)].concat(), all[20..]);
    assert_eq!(third.next_page_token, "");

    let other = |room_id: &str, page_size, token: &str| {
        let (room_id, page_token) = (room_id.to_owned(), token.to_owned());
        ListWaitingRequest { room_id, page_size, page_token }
    };
    let _carol = server.member("s").await;
    for (request, reason, fault) in [
        (other("nowhere", 0, ""), "ROOM_NOT_FOUND", ""),
        (other("", 0, ""), "BAD_REQUEST", "room_id"),
        (other("r", -1, ""), "BAD_REQUEST", "page_size"),
        (other("r", 0, "junk"), "BAD_REQUEST", "page_token"),
        (other("s", 0, &first.next_page_token), "BAD_REQUEST", "page_token"),
    ] {
        fails(admin.list_waiting(request).await, reason, fault);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_while_others_are_let_in_or_sent_away_hears_one_end_of_it() {
    let server = TestServer::with("--rate-limit 0 --max-members 60");
    let mut admin = server.admin().await;
    let _ann = server.member("r").await;
    lobby(&mut admin, "r", true).await;
    let coming: Vec<_> = (0..40)
        .map(|_| {
            let url = server.url("/");
            tokio::spawn(async move {
                let mut client = Client::connect(&url).await;
                client.ask(json!({"type": "join", "roomId": "r"})).await;
                let end = loop {
                    let message = client.hear().await;
                    match message["type"].as_str().unwrap() {
                        "joined" => break true,
                        "join-error" => break false,
                        _ => {}
                    }
                };
                (client, end)
            })
        })
        .collect();
    let (mut seated, mut sent_away) = (BTreeSet::new(), BTreeSet::new());
    while seated.len() + sent_away.len() < coming.len() {
        for (nth, waiting) in page(&mut admin, 0, "").await.waiting.into_iter().enumerate() {
            let (client_id, room_id) = (waiting.client_id.clone(), String::new());
            if nth % 3 == 0 {
                admin.deny_client(DenyClientRequest { client_id, room_id }).await.unwrap();
                sent_away.insert(waiting.client_id);
            } else {
                admin.admit_client(AdmitClientRequest { client_id, room_id }).await.unwrap();
                seated.insert(waiting.client_id);
            }
        }
    }
    let mut clients = Vec::new();
    for one in coming {
        let (client, joined) = within(one).await.unwrap();
        assert_eq!(
            (seated.contains(&client.id), sent_away.contains(&client.id)),
            (joined, !joined)
        );
        clients.push(client);
    }
    let get = GetRoomRequest { room_id: "r".into() };
    let room = admin.get_room(get).await.unwrap().into_inner();
    assert_eq!((room.member_count as usize, room.waiting_count), (seated.len() + 1, 0));
}
