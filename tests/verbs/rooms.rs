//! Rooms: made ahead, changed, locked, ended.

use prost_types::{Duration, FieldMask};
use serde_json::json;
use signalpost::admin::pb::{
    CreateRoomRequest, DeleteRoomRequest, GetRoomRequest, LockRoomRequest, Room, UpdateRoomRequest,
};

use super::{
    Admin, come, fails, seconds,
    support::{TestServer, events::Events},
};

fn create(room_id: &str, room: Room) -> CreateRoomRequest {
    CreateRoomRequest { room_id: room_id.into(), room: Some(room), ..Default::default() }
}

fn update(room: Room, paths: Option<&[&str]>) -> UpdateRoomRequest {
    let mask = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect();
    let update_mask = paths.map(|paths| FieldMask { paths: mask(paths) });
    UpdateRoomRequest { room: Some(room), update_mask }
}

async fn get(admin: &mut Admin, room_id: &str) -> Room {
    admin.get_room(GetRoomRequest { room_id: room_id.into() }).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_room_that_is_made_ahead_stays_until_its_time_runs_out() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut events = Events::all(&mut admin).await;
    let settings = Room {
        max_members: 2,
        metadata_json: r#"{"topic":"語"}"#.into(),
        empty_timeout: seconds(1),
        ..Default::default()
    };
    let made = admin.create_room(create("r", settings)).await.unwrap().into_inner();
    assert_eq!((made.member_count, made.max_members, made.locked), (0, 2, false));
    assert_eq!((&*made.room_id, &*made.metadata_json), ("r", r#"{"topic":"語"}"#));
    let end = |room: &Room| room.expire_time.map(|end| end.seconds);
    assert_eq!(end(&made), Some(made.create_time.unwrap().seconds + 1));
    assert_eq!(made, get(&mut admin, "r").await);

    let mut a = server.client().await;
    let joined = a.join("r").await;
    assert_eq!(
        joined["room"],
        json!({
            "locked": false, "maxMembers": 2, "metadata": {"topic": "語"},
            "hasPassword": false, "lobby": false,
        })
    );
    let room = get(&mut admin, "r").await;
    assert_eq!((end(&room), &room.etag), (None, &made.etag), "joins do not change the etag");
    let exists = admin.create_room(create("r", Room::default())).await;
    fails(exists, "ROOM_EXISTS", "");
    a.ask(json!({"type": "leave", "roomId": "r"})).await;
    come(
        &mut events,
        &[
            "r created by administrator",
            "r joined by client",
            "r left left by client",
            "r closed by timer",
        ],
    )
    .await;
    fails(admin.get_room(GetRoomRequest { room_id: "r".into() }).await, "ROOM_NOT_FOUND", "");

    // One that nobody ever entered goes as well, and a join makes an ordinary one of the name.
    admin
        .create_room(create("r", Room { empty_timeout: seconds(1), ..Default::default() }))
        .await
        .unwrap();
    come(&mut events, &["r created by administrator", "r closed by timer"]).await;
    a.join("r").await;
    a.ask(json!({"type": "leave", "roomId": "r"})).await;
    come(&mut events, &["r created by client", "r joined by client", "r left left by client"])
        .await;
    come(&mut events, &["r closed by client"]).await;
}

#[tokio::test]
async fn what_nobody_says_of_a_new_room_is_the_servers_own() {
    let server = TestServer::with("--max-members 7 --max-rooms 3");
    let mut admin = server.admin().await;
    let request = CreateRoomRequest { room_id: "a".into(), ..Default::default() };
    let room = admin.create_room(request).await.unwrap().into_inner();
    assert_eq!((room.max_members, room.locked, &*room.metadata_json), (7, false, "{}"));
    assert_eq!(room.empty_timeout, seconds(300));
    let named = Room { room_id: "b".into(), locked: true, ..Default::default() };
    let room = admin.create_room(create("", named.clone())).await.unwrap().into_inner();
    assert!(room.locked && room.room_id == "b");
    let mut refused = server.client().await;
    assert_eq!(refused.ask(json!({"type": "join", "roomId": "b"})).await["code"], "room-locked");

    for (request, fault) in [
        (create("", Room::default()), "room_id"),
        (create(&"x".repeat(129), Room::default()), "room_id"),
        (create("c", named), "room.room_id"),
        (create("c", Room { max_members: 10_001, ..Default::default() }), "room.max_members"),
        (
            create("c", Room { metadata_json: "{".into(), ..Default::default() }),
            "room.metadata_json",
        ),
        (
            create("c", Room { metadata_json: "1".repeat(2049), ..Default::default() }),
            "room.metadata_json",
        ),
        (
            create("c", Room { empty_timeout: seconds(0), ..Default::default() }),
            "room.empty_timeout",
        ),
        (
            create("c", Room { empty_timeout: seconds(-1), ..Default::default() }),
            "room.empty_timeout",
        ),
        (
            create("c", Room { empty_timeout: seconds(2_592_001), ..Default::default() }),
            "room.empty_timeout",
        ),
    ] {
        fails(admin.create_room(request).await, "BAD_REQUEST", fault);
    }
    admin.create_room(create("c", Room::default())).await.unwrap();
    fails(admin.create_room(create("d", Room::default())).await, "TOO_MANY_ROOMS", "");
}

#[tokio::test]
async fn an_update_changes_what_its_mask_names() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut a = server.member("r").await;
    let mut events = Events::all(&mut admin).await;
    let first = get(&mut admin, "r").await;
    let wish = Room {
        room_id: "r".into(),
        max_members: 1,
        metadata_json: "[1]".into(),
        empty_timeout: seconds(60),
        ..Default::default()
    };
    for (paths, max_members, metadata, timeout) in [
        // Without a mask: what is not empty.
        (None, 1, "[1]", 60),
        (Some(&["max_members"][..]), 5, "[1]", 60),
        (Some(&["metadata_json", "empty_timeout"]), 5, "{}", 0),
        (Some(&["*"]), 9, "2", 30),
        // An empty one names nothing.
        (Some(&[]), 9, "2", 30),
    ] {
        let room = Room {
            max_members,
            metadata_json: if metadata == "{}" { String::new() } else { metadata.into() },
            empty_timeout: if timeout == 0 { None } else { seconds(timeout) },
            ..wish.clone()
        };
        let before = get(&mut admin, "r").await;
        let room = admin.update_room(update(room, paths)).await.unwrap().into_inner();
        assert_eq!((room.max_members, &*room.metadata_json), (max_members, metadata));
        assert_eq!(room.empty_timeout.unwrap().seconds, timeout);
        assert_eq!(room.members, [], "without members");
        if paths == Some(&[]) {
            assert_eq!(room.etag, before.etag, "no change");
            continue;
        }
        assert_ne!(room.etag, before.etag);
        let heard = a.hear().await;
        assert_eq!(
            (&heard["type"], &heard["room"]["maxMembers"]),
            (&json!("room-updated"), &json!(max_members))
        );
        come(&mut events, &["r room-updated by administrator"]).await;
    }
    assert_ne!(first.etag, get(&mut admin, "r").await.etag);

    // Those who sit stay where there are more of them than seats; nobody else comes in.
    let mut b = server.member("r").await;
    let one = Room { room_id: "r".into(), max_members: 1, ..Default::default() };
    admin.update_room(update(one, None)).await.unwrap();
    b.hear_of("room-updated").await;
    b.hears_nothing().await;
    let mut c = server.client().await;
    assert_eq!(c.ask(json!({"type": "join", "roomId": "r"})).await["code"], "room-full");

    let room = |room: Room| Room { room_id: "r".into(), ..room };
    for (request, fault) in [
        (UpdateRoomRequest::default(), "room"),
        (update(Room::default(), None), "room.room_id"),
        (update(room(Room::default()), Some(&["max_members"])), "room.max_members"),
        (
            update(room(Room { max_members: 10_001, ..Default::default() }), None),
            "room.max_members",
        ),
        (update(room(wish.clone()), Some(&["locked"])), "update_mask"),
        (update(room(wish.clone()), Some(&["members", "*"])), "update_mask"),
        (
            update(room(Room { metadata_json: "x".into(), ..Default::default() }), None),
            "room.metadata_json",
        ),
        (
            update(
                room(Room {
                    empty_timeout: Some(Duration { seconds: 0, nanos: -1 }),
                    ..Default::default()
                }),
                None,
            ),
            "room.empty_timeout",
        ),
    ] {
        fails(admin.update_room(request).await, "BAD_REQUEST", fault);
    }
    let nowhere = Room { room_id: "nowhere".into(), ..wish };
    fails(admin.update_room(update(nowhere, None)).await, "ROOM_NOT_FOUND", "");
}

#[tokio::test]
async fn an_empty_room_whose_time_is_cut_short_ends() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut events = Events::all(&mut admin).await;
    admin.create_room(create("r", Room::default())).await.unwrap();
    let short = Room { room_id: "r".into(), empty_timeout: seconds(0), ..Default::default() };
    admin.update_room(update(short, Some(&["empty_timeout"]))).await.unwrap();
    come(
        &mut events,
        &["r created by administrator", "r room-updated by administrator", "r closed by timer"],
    )
    .await;
}

#[tokio::test]
async fn an_etag_is_of_the_settings_as_they_are() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let first = admin.create_room(create("r", Room::default())).await.unwrap().into_inner();
    let mut member = server.member("r").await;
    let lock =
        |locked, etag: &str| LockRoomRequest { room_id: "r".into(), locked, etag: etag.into() };
    let settle = |etag: &str, max_members| {
        let etag = etag.to_owned();
        update(Room { room_id: "r".into(), max_members, etag, ..Default::default() }, None)
    };
    let delete = |etag: &str| DeleteRoomRequest {
        room_id: "r".into(),
        etag: etag.into(),
        ..Default::default()
    };
    // Joins and leaves are no settings.
    let locked = admin.lock_room(lock(true, &first.etag)).await.unwrap().into_inner();
    assert_ne!(locked.etag, first.etag);
    for old in [&*first.etag, "junk", "0"] {
        fails(admin.lock_room(lock(false, old)).await, "ETAG_MISMATCH", "");
        fails(admin.update_room(settle(old, 3)).await, "ETAG_MISMATCH", "");
        fails(admin.delete_room(delete(old)).await, "ETAG_MISMATCH", "");
    }
    let same = admin.lock_room(lock(true, &locked.etag)).await.unwrap().into_inner();
    assert_eq!(same.etag, locked.etag, "it is locked already");
    let settled = admin.update_room(settle(&locked.etag, 3)).await.unwrap().into_inner();
    fails(admin.delete_room(delete(&locked.etag)).await, "ETAG_MISMATCH", "");
    admin.delete_room(delete(&settled.etag)).await.unwrap();
    assert_eq!(member.closed().await, Some(4502));
    fails(admin.delete_room(delete("")).await, "ROOM_NOT_FOUND", "");

    // Another room of the name is not meant.
    admin.create_room(create("r", Room::default())).await.unwrap();
    fails(admin.delete_room(delete(&settled.etag)).await, "ETAG_MISMATCH", "");
}

#[tokio::test]
async fn the_members_of_a_room_that_is_ended_hear_why_and_are_closed() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut members = [server.member("r").await, server.member("r").await];
    members[0].hear_of("user-joined").await;
    let mut elsewhere = server.member("elsewhere").await;
    let mut events = Events::all(&mut admin).await;
    let delete =
        |reason: String| DeleteRoomRequest { room_id: "r".into(), reason, ..Default::default() };
    fails(admin.delete_room(delete("x".repeat(257))).await, "BAD_REQUEST", "reason");
    admin.delete_room(delete("Fire drill".into())).await.unwrap();
    for member in &mut members {
        let removed = json!({
            "type": "removed", "code": "room-closed", "reason": "Fire drill", "roomId": "r",
        });
        assert_eq!(member.hear().await, removed);
        assert_eq!(member.closed().await, Some(4502));
    }
    let left = "r left room-closed by administrator";
    come(&mut events, &[left, left, "r closed by administrator"]).await;
    elsewhere.hears_nothing().await;

    // Without a reason, the server's own; whoever joins the name makes a new room.
    let mut member = server.member("r").await;
    admin.delete_room(delete(String::new())).await.unwrap();
    assert_eq!(member.hear().await["reason"], "An administrator ended the room");
    for room_id in ["", &"x".repeat(129)] {
        let request = DeleteRoomRequest { room_id: room_id.into(), ..Default::default() };
        fails(admin.delete_room(request).await, "BAD_REQUEST", "room_id");
    }
}
