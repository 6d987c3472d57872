//! The admin API next to browsers, over a real HTTP/2 connection.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod support;

use serde_json::json;
use signalpost::admin::pb::{
    BroadcastRequest, EventKind, GetRoomRequest, ListRoomsRequest, LockRoomRequest,
    WatchEventsRequest,
    broadcast_request::{Body, Target},
    event::What,
};
use support::{TestServer, events::Events};
use tonic::Code;

#[tokio::test]
async fn a_lock_refuses_whoever_is_new_and_the_events_show_it_in_order() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut events = Events::all(&mut admin).await;

    let mut a = server.client().await;
    a.say(json!({"type": "register", "userId": "ann"})).await;
    a.say(json!({"type": "join", "roomId": "r", "metadata": {"b": 1, "a": 2}})).await;
    a.hear_of("joined").await;
    let lock = |locked| LockRoomRequest { room_id: "r".into(), locked, ..Default::default() };
    let room = admin.lock_room(lock(true)).await.unwrap().into_inner();
    assert!(room.locked && room.member_count == 1 && room.max_members == 10);
    let settings = json!({
        "locked": true, "maxMembers": 10, "metadata": {}, "hasPassword": false, "lobby": false,
    });
    assert_eq!(a.hear().await, json!({"type": "room-updated", "room": settings}));

    let mut b = server.client().await;
    let refused = json!({"type": "join-error", "error": "Room is locked", "code": "room-locked"});
    assert_eq!(b.ask(json!({"type": "join", "roomId": "r"})).await, refused);
    // Nobody new: that is not Ann.
    a.join("r").await;

    // Locking twice is no event.
    admin.lock_room(lock(true)).await.unwrap();
    admin.lock_room(lock(false)).await.unwrap();
    b.join("r").await;
    b.vanish();
    a.hear_of("user-left").await;
    a.ask(json!({"type": "leave", "roomId": "r"})).await;

    let mut position = 0;
    let mut prev = 0;
    for expected in [
        "created",
        "joined ann",
        "locked",
        "left ann rejoined",
        "joined ann",
        "unlocked",
        "joined -",
        "left - disconnected",
        "left ann left",
        "closed",
    ] {
        let event = events.next().await;
        assert!(event.position > position);
        assert_eq!((&*event.room_id, event.prev_position), ("r", prev));
        (position, prev) = (event.position, event.position);
        assert!(event.time.unwrap().seconds > 1_700_000_000);
        let user = |user_id: Option<String>| user_id.unwrap_or_else(|| "-".into());
        let shown = match event.what.unwrap() {
            What::Created(created) => {
                assert_eq!(created.settings.unwrap().max_members, 10);
                "created".into()
            }
            What::Joined(joined) => {
                let member = joined.member.unwrap();
                if position == 2 {
                    assert_eq!(member.metadata_json.as_deref(), Some(r#"{"a":2,"b":1}"#));
                }
                format!("joined {}", user(member.user_id))
            }
            What::Locked(_) => "locked".into(),
            What::Unlocked(_) => "unlocked".into(),
            What::Left(left) => format!("left {} {}", user(left.user_id), left.reason),
            What::Closed(_) => "closed".into(),
            other => panic!("{other:?}"),
        };
        assert_eq!(shown, expected);
    }

    // A room that closed takes its lock with it.
    let gone = admin.lock_room(lock(true)).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    b = server.client().await;
    assert_eq!(b.join("r").await["room"]["locked"], false);
    let reborn = events.next().await;
    assert_eq!(reborn.prev_position, 0);
}

#[tokio::test]
async fn rooms_are_listed_page_by_page_in_the_order_of_their_names() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut members = Vec::new();
    for n in 0..120 {
        members.push(server.member(&format!("room {n:03}")).await);
    }
    let list = |page_size, page_token: &str| ListRoomsRequest {
        page_size,
        page_token: page_token.into(),
        ..Default::default()
    };

    for (page_size, sizes) in [
        (0, vec![50, 50, 20]),
        (1, vec![1; 120]),
        (60, vec![60, 60]),
        (5000, vec![120]),
        (i32::MAX, vec![120]),
    ] {
        let (mut names, mut token, mut pages) = (Vec::new(), String::new(), Vec::new());
        loop {
            let page = admin.list_rooms(list(page_size, &token)).await.unwrap().into_inner();
            pages.push(page.rooms.len());
            names.extend(page.rooms.into_iter().map(|room| room.room_id));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(pages, sizes, "page_size {page_size}");
        assert_eq!(names, (0..120).map(|n| format!("room {n:03}")).collect::<Vec<_>>());
    }
    for (page_size, token) in [(-1, ""), (i32::MIN, ""), (0, "junk"), (0, "cm9vbSAwMDE")] {
        let status = admin.list_rooms(list(page_size, token)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{page_size} {token}");
    }
}

#[tokio::test]
async fn a_room_shows_its_members_in_join_order() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut ids = Vec::new();
    let mut members = Vec::new();
    for _ in 0..5 {
        let member = server.member("r").await;
        ids.push(member.id.clone());
        members.push(member);
    }
    let room = admin.get_room(GetRoomRequest { room_id: "r".into() }).await.unwrap().into_inner();
    assert_eq!(room.members.iter().map(|m| m.client_id.clone()).collect::<Vec<_>>(), ids);
    assert_eq!((room.member_count, room.position), (5, 6));
    assert!(room.create_time.is_some() && room.members[0].join_time.is_some());

    for (room_id, code) in [
        ("nowhere".to_owned(), Code::NotFound),
        (String::new(), Code::InvalidArgument),
        ("x".repeat(129), Code::InvalidArgument),
    ] {
        let status = admin.get_room(GetRoomRequest { room_id: room_id.clone() }).await.unwrap_err();
        assert_eq!(status.code(), code, "{room_id}");
        let status = admin
            .lock_room(LockRoomRequest { room_id, locked: true, ..Default::default() })
            .await
            .unwrap_err();
        assert_eq!(status.code(), code);
    }
}

#[tokio::test]
async fn a_broadcast_reaches_whom_it_names() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let (mut a, mut b) = (server.member("r").await, server.member("r").await);
    a.hear_of("user-joined").await;
    let mut alone = server.client().await;
    let send = |target, json: &str| BroadcastRequest {
        target: Some(target),
        body: Some(Body::ContentJson(json.to_owned())),
        ..Default::default()
    };

    let exact = r#"{"b":9007199254740993,"a":[1.50]}"#;
    let sent = admin.broadcast(send(Target::RoomId("r".into()), exact)).await.unwrap();
    assert_eq!(sent.into_inner().reached, 2);
    for member in [&mut a, &mut b] {
        assert_eq!(
            member.hear_text().await,
            format!(r#"{{"type":"broadcast","content":{exact}}}"#)
        );
    }
    let sent = admin.broadcast(send(Target::ClientId(alone.id.clone()), "1")).await.unwrap();
    assert_eq!(sent.into_inner().reached, 1);
    assert_eq!(alone.hear().await, json!({"type": "broadcast", "content": 1}));
    let sent = admin.broadcast(send(Target::Everyone(true), "null")).await.unwrap();
    assert_eq!(sent.into_inner().reached, 3);
    for client in [&mut a, &mut b, &mut alone] {
        assert_eq!(client.hear().await, json!({"type": "broadcast", "content": null}));
        client.hears_nothing().await;
    }

    let nobody = "0b0e4f3a-6a55-4e1c-9f3e-3c2f5a1d9a10".to_owned();
    let huge = format!("\"{}\"", "x".repeat(256 << 10));
    for (request, code) in [
        (send(Target::RoomId("nowhere".into()), "1"), Code::NotFound),
        (send(Target::ClientId(nobody), "1"), Code::NotFound),
        (send(Target::ClientId("x".into()), "1"), Code::InvalidArgument),
        (send(Target::RoomId(String::new()), "1"), Code::InvalidArgument),
        (send(Target::Everyone(false), "1"), Code::InvalidArgument),
        (send(Target::Everyone(true), "{"), Code::InvalidArgument),
        (send(Target::Everyone(true), ""), Code::InvalidArgument),
        (send(Target::Everyone(true), &huge), Code::InvalidArgument),
        (
            BroadcastRequest { target: None, ..send(Target::Everyone(true), "1") },
            Code::InvalidArgument,
        ),
        (
            BroadcastRequest { body: None, ..send(Target::Everyone(true), "1") },
            Code::InvalidArgument,
        ),
    ] {
        let shown = format!("{:?}", request.target);
        assert_eq!(admin.broadcast(request).await.unwrap_err().code(), code, "{shown}");
    }
}

#[tokio::test]
async fn the_longest_message_may_be_as_long_as_can_be_said() {
    let server = TestServer::with(&format!("--max-message-bytes {}", usize::MAX / 2 + 1));
    let mut admin = server.admin().await;
    admin.list_rooms(ListRoomsRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_watcher_sees_the_rooms_and_kinds_that_it_asked_for() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let _before = server.member("mine").await;
    let watch = |room_ids: &[&str], kinds: &[EventKind]| WatchEventsRequest {
        room_ids: room_ids.iter().map(|&id| id.to_owned()).collect(),
        kinds: kinds.iter().map(|&kind| kind.into()).collect(),
        ..Default::default()
    };
    let wanted = watch(&["mine", "later"], &[EventKind::Joined, EventKind::Closed]);
    let mut events = Events::of(&mut admin, wanted).await;
    let other = server.member("other").await;
    let mine = server.member("mine").await;
    other.vanish();
    let mut later = server.member("later").await;
    later.ask(json!({"type": "leave", "roomId": "later"})).await;

    for (room, who) in
        [("mine", Some(mine.id.clone())), ("later", Some(later.id.clone())), ("later", None)]
    {
        let event = events.next().await;
        assert_eq!(event.room_id, room);
        match event.what.unwrap() {
            What::Joined(joined) => assert_eq!(Some(joined.member.unwrap().client_id), who),
            What::Closed(_) => assert_eq!(who, None),
            other => panic!("{other:?}"),
        }
    }
    for bad in [watch(&[""], &[]), watch(&[], &[EventKind::Unspecified])] {
        assert_eq!(admin.watch_events(bad).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let unknown = WatchEventsRequest { kinds: vec![99], ..Default::default() };
    assert_eq!(admin.watch_events(unknown).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_watcher_may_name_a_thousand_rooms() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let watch = |rooms| {
        let room_ids = (0..rooms).map(|n| format!("room {n}")).collect();
        let kinds = vec![EventKind::Joined.into(); 10_000];
        WatchEventsRequest { room_ids, kinds, ..Default::default() }
    };
    let mut events = Events::of(&mut admin, watch(1000)).await;
    let _last = server.member("room 999").await;
    assert!(matches!(events.next().await.what, Some(What::Joined(_))));

    let refused = admin.watch_events(watch(1001)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "room_ids must be at most 1000; name none to watch all rooms");
    assert!(include_str!("../proto/signalpost/admin/v1/event.proto").contains("At most 1000"));
}

#[tokio::test]
async fn a_watcher_that_fell_behind_the_log_is_told() {
    let server = TestServer::with("--log-events 10 --max-members 3 --rate-limit 0");
    let mut admin = server.admin().await;
    let mut events = Events::all(&mut admin).await;
    // More than the flow control of HTTP/2 and the log hold together, while nobody reads.
    let mut a = server.client().await;
    let metadata = "x".repeat(2000);
    for _ in 0..5000 {
        a.say(json!({"type": "join", "roomId": "r", "metadata": metadata})).await;
        a.hear_of("joined").await;
    }
    let lost = loop {
        if let Err(status) = events.try_next().await {
            break status;
        }
    };
    assert_eq!(lost.code(), Code::OutOfRange);
}
