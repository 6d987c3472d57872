//! What is said to many: to several rooms, without some, and of the server itself.

use serde_json::json;
use signalpost::admin::pb::{
    BroadcastRequest, CreateRoomRequest, GetServerInfoRequest,
    broadcast_request::{Body, Rooms, Target},
    server_info::State,
};

use super::{
    fails,
    support::{Client, TestServer, events::Events},
};

fn to_rooms(room_ids: &[&str], exclude: &[&Client]) -> BroadcastRequest {
    let room_ids = room_ids.iter().map(|&id| id.to_owned()).collect();
    BroadcastRequest {
        target: Some(Target::Rooms(Rooms { room_ids })),
        body: Some(Body::ContentJson("1".into())),
        exclude: exclude.iter().map(|client| client.id.clone()).collect(),
        ..Default::default()
    }
}

#[tokio::test]
async fn several_rooms_hear_it_but_for_those_who_are_excluded() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let (mut a, mut b) = (server.member("r").await, server.member("r").await);
    a.hear_of("user-joined").await;
    let (mut c, mut d) = (server.member("s").await, server.member("t").await);
    let heard = json!({"type": "broadcast", "content": 1});

    let request = to_rooms(&["r", "s", "r", "nowhere"], &[&b, &d]);
    let answer = admin.broadcast(request).await.unwrap().into_inner();
    assert_eq!((answer.reached, &*answer.missing_room_ids), (2, &["nowhere".to_owned()][..]));
    for client in [&mut a, &mut c] {
        assert_eq!(client.hear().await, heard);
    }
    let everyone =
        BroadcastRequest { target: Some(Target::Everyone(true)), ..to_rooms(&[], &[&a, &c]) };
    assert_eq!(admin.broadcast(everyone).await.unwrap().into_inner().reached, 2);
    for client in [&mut b, &mut d] {
        assert_eq!(client.hear().await, heard);
    }
    let itself =
        BroadcastRequest { target: Some(Target::ClientId(a.id.clone())), ..to_rooms(&[], &[&a]) };
    assert_eq!(admin.broadcast(itself).await.unwrap().into_inner().reached, 0);
    // A room without members is there.
    let empty = CreateRoomRequest { room_id: "empty".into(), ..Default::default() };
    admin.create_room(empty).await.unwrap();
    let answer = admin.broadcast(to_rooms(&["empty"], &[])).await.unwrap().into_inner();
    assert_eq!((answer.reached, answer.missing_room_ids.len()), (0, 0));
    for client in [&mut a, &mut b, &mut c, &mut d] {
        client.hears_nothing().await;
    }
}

#[tokio::test]
async fn a_broadcast_to_nobody_that_could_be_is_refused() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let a = server.member("r").await;
    let thousand: Vec<_> = (0..1001).map(|n| n.to_string()).collect();
    let thousand: Vec<_> = thousand.iter().map(String::as_str).collect();
    let excluded = BroadcastRequest { exclude: vec!["x".into()], ..to_rooms(&["r"], &[]) };
    for (request, reason, fault) in [
        (to_rooms(&["x", "y"], &[]), "ROOM_NOT_FOUND", ""),
        (to_rooms(&[], &[]), "BAD_REQUEST", "rooms.room_ids"),
        (to_rooms(&["r", ""], &[]), "BAD_REQUEST", "rooms.room_ids"),
        (to_rooms(&thousand, &[]), "BAD_REQUEST", "rooms.room_ids"),
        (to_rooms(&["r"], &[&a; 1001]), "BAD_REQUEST", "exclude"),
        (excluded, "BAD_REQUEST", "exclude"),
    ] {
        fails(admin.broadcast(request).await, reason, fault);
    }
    admin.broadcast(to_rooms(&["r"], &[&a; 1000])).await.unwrap();
}

#[tokio::test]
async fn the_server_says_what_it_takes_and_has() {
    let server = TestServer::with(
        "--max-members 7 --max-rooms 20 --max-connections 30 --max-connections-per-address 25 \
         --rate-limit 50 --log-events 100 --log-bytes 1000000 --outbox-messages 99",
    );
    let mut admin = server.admin().await;
    let _watching = Events::all(&mut admin).await;
    let (_a, _b) = (server.member("r").await, server.client().await);
    let info = admin.get_server_info(GetServerInfoRequest {}).await.unwrap().into_inner();
    assert_eq!((&*info.version, info.state()), (env!("CARGO_PKG_VERSION"), State::Serving));
    assert!(info.start_time.is_some() && info.uptime.is_some() && info.epoch.len() == 16);
    let limits = info.limits.unwrap();
    assert_eq!((limits.max_members, limits.max_rooms, limits.max_connections), (7, 20, 30));
    assert_eq!((limits.max_connections_per_address, limits.rate_limit), (25, 50));
    assert_eq!((limits.log_events, limits.log_bytes, limits.outbox_messages), (100, 1_000_000, 99));
    assert_eq!((limits.max_bans, limits.max_message_bytes), (10_000, 256 << 10));
    assert_eq!((&*limits.auth, limits.max_waiting), ("off", 50));
    assert!(limits.room_passwords && limits.first_member_is_host);
    assert!(limits.max_room_members >= 7 && limits.outbox_bytes > 0 && limits.kept_bytes > 0);
    let counts = info.counts.unwrap();
    assert_eq!((counts.clients, counts.rooms, counts.members, counts.bans), (2, 1, 1, 0));
    assert_eq!((counts.watchers, counts.events), (1, 2));
}
