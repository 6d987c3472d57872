//! What one call of the admin API's may say, and how much of it the server keeps: each limit is reached, and not passed.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod support;

use std::{
    fmt::Debug,
    time::{Duration, SystemTime},
};

use signalpost::{
    admin::pb::{
        self, Ban, BroadcastRequest, CreateBanRequest, CreateRoomRequest, DeleteBanRequest,
        DeleteRoomRequest, DisconnectClientRequest, DrainRequest, ListRoomsRequest,
        RemoveClientRequest, Room, UpdateRoomRequest, WatchEventsRequest,
        admin_service_client::AdminServiceClient,
        ban::{Expiration, Subject},
        broadcast_request::{Body, Rooms, Target},
    },
    config::limits,
};
use support::TestServer;
use tonic::{Code, Response, Status, transport::Channel};
use tonic_types::StatusExt;

const NOBODY: &str = "7d1f6f0e-2f0b-4d3c-8a44-51f7ce1f2b01";

async fn admin() -> (TestServer, AdminServiceClient<Channel>) {
    let server = TestServer::with("--rate-limit 0");
    let admin = server.admin().await;
    (server, admin)
}

/// The one field that is at fault.
#[track_caller]
fn fault<M: Debug>(answer: Result<Response<M>, Status>) -> String {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let details = status.get_error_details();
    let [fault] = &details.bad_request().unwrap().field_violations[..] else { panic!("{status}") };
    fault.field.clone()
}

fn seconds(span: Duration) -> Option<prost_types::Duration> {
    Some(span.try_into().unwrap())
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_reason_has_256_characters_and_no_more() {
    let (_server, mut admin) = admin().await;
    let reason = |chars| "语".repeat(chars);
    let most = limits::REASON_CHARS;
    assert_eq!(most, 256);

    let remove = |chars| RemoveClientRequest {
        client_id: NOBODY.into(),
        reason: reason(chars),
        ..Default::default()
    };
    assert_eq!(admin.remove_client(remove(most)).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(fault(admin.remove_client(remove(most + 1)).await), "reason");
    let disconnect = DisconnectClientRequest {
        client_id: NOBODY.into(),
        reason: reason(most + 1),
        ..Default::default()
    };
    assert_eq!(fault(admin.disconnect_client(disconnect).await), "reason");
    let delete =
        DeleteRoomRequest { room_id: "r".into(), reason: reason(most + 1), ..Default::default() };
    assert_eq!(fault(admin.delete_room(delete).await), "reason");
    let ban = Ban { reason: reason(most + 1), ..ban_of("mallory") };
    assert_eq!(fault(admin.create_ban(made(ban)).await), "ban.reason");
}

#[tokio::test]
async fn a_filter_has_1024_bytes_and_no_more() {
    let (_server, mut admin) = admin().await;
    let list = |bytes: usize| {
        let around = r#"room_id = """#.len();
        let filter = format!(r#"room_id = "{}""#, "x".repeat(bytes - around));
        ListRoomsRequest { filter, ..Default::default() }
    };
    admin.list_rooms(list(limits::FILTER_BYTES)).await.unwrap();
    assert_eq!(fault(admin.list_rooms(list(limits::FILTER_BYTES + 1)).await), "filter");
}

#[tokio::test]
async fn a_page_holds_50_unless_asked_and_1000_at_most() {
    let (_server, mut admin) = admin().await;
    for n in 0..1001 {
        admin.create_room(room(&n.to_string(), Room::default())).await.unwrap();
    }
    for (page_size, holds) in [(0, 50), (1, 1), (1000, 1000), (1001, 1000), (i32::MAX, 1000)] {
        let request = ListRoomsRequest { page_size, ..Default::default() };
        let page = admin.list_rooms(request).await.unwrap().into_inner();
        assert_eq!(page.rooms.len(), holds, "{page_size}");
        assert!(!page.next_page_token.is_empty());
    }
    let request = ListRoomsRequest { page_size: -1, ..Default::default() };
    assert_eq!(fault(admin.list_rooms(request).await), "page_size");
}

#[tokio::test]
async fn a_page_of_few_rooms_among_many_is_short_and_not_the_last() {
    let (_server, mut admin) = admin().await;
    for n in 0..limits::ROOMS_LOOKED_AT {
        admin.create_room(room(&n.to_string(), Room::default())).await.unwrap();
    }
    let locked = Room { locked: true, ..Default::default() };
    admin.create_room(room("the last one", locked)).await.unwrap();
    let list = |page_token| {
        let filter = "locked = true".into();
        ListRoomsRequest { filter, page_token, ..Default::default() }
    };
    let first = admin.list_rooms(list(String::new())).await.unwrap().into_inner();
    assert!(first.rooms.is_empty());
    let second = admin.list_rooms(list(first.next_page_token)).await.unwrap().into_inner();
    assert_eq!(second.rooms[0].room_id, "the last one");
    assert!(second.next_page_token.is_empty());
}

#[tokio::test]
async fn a_broadcast_names_1000_rooms_and_leaves_out_1000_clients_at_most() {
    let (_server, mut admin) = admin().await;
    let most = limits::BROADCAST_NAMES;
    let say = |rooms: usize, excluded| {
        let room_ids = (0..rooms).map(|n| n.to_string()).collect();
        BroadcastRequest {
            target: Some(Target::Rooms(Rooms { room_ids })),
            body: Some(Body::ContentJson("1".into())),
            exclude: vec![NOBODY.into(); excluded],
            ..Default::default()
        }
    };
    assert_eq!(admin.broadcast(say(most, most)).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(fault(admin.broadcast(say(most + 1, 0)).await), "rooms.room_ids");
    assert_eq!(fault(admin.broadcast(say(0, 0)).await), "rooms.room_ids");
    assert_eq!(fault(admin.broadcast(say(1, most + 1)).await), "exclude");
}

#[tokio::test]
async fn an_empty_room_stays_for_five_minutes_unless_asked_and_30_days_at_most() {
    let (_server, mut admin) = admin().await;
    let timeout = |span| Room { empty_timeout: seconds(span), ..Default::default() };
    let usual = admin.create_room(room("usual", Room::default())).await.unwrap().into_inner();
    assert_eq!(usual.empty_timeout, seconds(limits::EMPTY_ROOM));
    assert_eq!(limits::EMPTY_ROOM, 300 * SECOND);
    let longest = limits::LONGEST_EMPTY_ROOM;
    assert_eq!(longest, 30 * 86_400 * SECOND);
    admin.create_room(room("longest", timeout(longest))).await.unwrap();
    for refused in [longest + SECOND, Duration::ZERO] {
        let answer = admin.create_room(room("refused", timeout(refused))).await;
        assert_eq!(fault(answer), "room.empty_timeout", "{refused:?}");
    }
    let longer = Room { room_id: "usual".into(), ..timeout(longest + SECOND) };
    let update = UpdateRoomRequest { room: Some(longer), update_mask: None };
    assert_eq!(fault(admin.update_room(update).await), "room.empty_timeout");
}

#[tokio::test]
async fn a_room_takes_as_many_as_outboxes_can_bear() {
    let (_server, mut admin) = admin().await;
    let info = admin.get_server_info(pb::GetServerInfoRequest {}).await.unwrap().into_inner();
    let most = info.limits.unwrap().max_room_members;
    let takes = |max_members| Room { max_members, ..Default::default() };
    admin.create_room(room("most", takes(most))).await.unwrap();
    assert_eq!(fault(admin.create_room(room("more", takes(most + 1))).await), "room.max_members");
}

#[tokio::test]
async fn a_ban_with_an_end_stands_for_ten_years_at_most() {
    let (_server, mut admin) = admin().await;
    let longest = limits::LONGEST_BAN;
    let ttl =
        |span| Ban { expiration: Some(Expiration::Ttl(seconds(span).unwrap())), ..ban_of("m") };
    admin.create_ban(made(ttl(longest))).await.unwrap();
    for refused in [longest + SECOND, Duration::ZERO] {
        assert_eq!(fault(admin.create_ban(made(ttl(refused))).await), "ban.ttl", "{refused:?}");
    }
    let ends =
        |at: SystemTime| Ban { expiration: Some(Expiration::ExpireTime(at.into())), ..ban_of("m") };
    admin.create_ban(made(ends(SystemTime::now() + longest - SECOND))).await.unwrap();
    for refused in [SystemTime::now() + longest + 60 * SECOND, SystemTime::now() - SECOND] {
        assert_eq!(fault(admin.create_ban(made(ends(refused))).await), "ban.expire_time");
    }
}

#[tokio::test]
async fn so_many_bans_stand_and_room_is_made_by_their_end_only() {
    let (_server, mut admin) = admin().await;
    let mut last = String::new();
    for n in 0..limits::BANS {
        last = admin.create_ban(made(ban_of(&n.to_string()))).await.unwrap().into_inner().ban_id;
    }
    let refused = admin.create_ban(made(ban_of("mallory"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let details = refused.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "TOO_MANY_BANS");
    assert!(details.retry_info().is_some());

    admin.delete_ban(DeleteBanRequest { ban_id: last }).await.unwrap();
    admin.create_ban(made(ban_of("mallory"))).await.unwrap();
}

#[tokio::test]
async fn a_drain_takes_an_hour_at_most() {
    let (server, mut admin) = admin().await;
    let window = |span| DrainRequest { window: seconds(span) };
    let longest = limits::LONGEST_DRAIN;
    assert_eq!(longest, 3600 * SECOND);
    assert_eq!(fault(admin.drain(window(longest + SECOND)).await), "window");
    let _client = server.client().await;
    admin.drain(window(longest)).await.unwrap();
    admin.cancel_drain(pb::CancelDrainRequest {}).await.unwrap();
}

#[tokio::test]
async fn ten_thousand_may_watch_and_no_more() {
    let (server, mut admin) = admin().await;
    let mut streams = Vec::new();
    let watch = WatchEventsRequest::default;
    while streams.len() < limits::WATCHERS {
        let mut admin = server.admin().await;
        for _ in 0..limits::ADMIN_STREAMS / 2 {
            streams.push(admin.watch_events(watch()).await.unwrap().into_inner());
        }
    }
    let refused = admin.watch_events(watch()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(refused.get_error_details().error_info().unwrap().reason, "TOO_MANY_WATCHERS");
}

fn room(room_id: &str, room: Room) -> CreateRoomRequest {
    CreateRoomRequest { room_id: room_id.into(), room: Some(room), ..Default::default() }
}

fn ban_of(user_id: &str) -> Ban {
    Ban { subject: Some(Subject::UserId(user_id.into())), ..Default::default() }
}

fn made(ban: Ban) -> CreateBanRequest {
    CreateBanRequest { ban: Some(ban), ..Default::default() }
}
