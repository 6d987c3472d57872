//! Calls that are made again with their request_id act once.

use std::collections::BTreeSet;

use serde_json::json;
use signalpost::admin::pb::{
    Ban, BroadcastRequest, CreateBanRequest, CreateRoomRequest, DeleteBanRequest,
    DisconnectClientRequest, ListBansRequest, Room,
    ban::Subject,
    broadcast_request::{Body, Target},
    disconnect_client_request::BanOptions,
};

use tonic::Status;
use tonic_types::StatusExt;

use super::{NOBODY, fails, support::TestServer};

#[tokio::test]
async fn the_same_call_has_the_same_answer_and_acts_once() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let id = |text: &str| text.to_owned();
    let room = CreateRoomRequest { room_id: id("r"), request_id: id("1"), ..Default::default() };
    let made = admin.create_room(room.clone()).await.unwrap().into_inner();
    let mut a = server.member("r").await;
    assert_eq!(admin.create_room(room.clone()).await.unwrap().into_inner(), made);
    fails(
        admin.create_room(CreateRoomRequest { request_id: id(""), ..room.clone() }).await,
        "ROOM_EXISTS",
        "",
    );

    let say = BroadcastRequest {
        target: Some(Target::RoomId(id("r"))),
        body: Some(Body::ContentJson(id("1"))),
        request_id: id("2"),
        ..Default::default()
    };
    let said = admin.broadcast(say.clone()).await.unwrap().into_inner();
    assert_eq!(admin.broadcast(say.clone()).await.unwrap().into_inner(), said);
    assert_eq!(a.hear().await, json!({"type": "broadcast", "content": 1}));
    a.hears_nothing().await;

    let subject = Some(Subject::UserId(id("eve")));
    let ban =
        CreateBanRequest { ban: Some(Ban { subject, ..Default::default() }), request_id: id("3") };
    let banned = admin.create_ban(ban.clone()).await.unwrap().into_inner();
    assert_eq!(admin.create_ban(ban.clone()).await.unwrap().into_inner(), banned);
    let bans = admin.list_bans(ListBansRequest::default()).await.unwrap().into_inner().bans;
    assert_eq!(bans, std::slice::from_ref(&banned));

    let by_address = BanOptions { address: true, room_only: true, ..Default::default() };
    let end = DisconnectClientRequest {
        client_id: a.id.clone(),
        ban: Some(by_address),
        request_id: id("4"),
        ..Default::default()
    };
    let ended = admin.disconnect_client(end.clone()).await.unwrap().into_inner();
    assert_eq!(a.closed().await, Some(4501));
    // The client is gone, and the answer is what it was.
    assert_eq!(admin.disconnect_client(end.clone()).await.unwrap().into_inner(), ended);
    let bans = admin.list_bans(ListBansRequest::default()).await.unwrap().into_inner().bans;
    assert_eq!(bans.len(), 2);

    // Another body, or another method.
    let reused = "REQUEST_ID_REUSED";
    let other = Room { max_members: 3, ..Default::default() };
    let other = CreateRoomRequest { room: Some(other), ..room.clone() };
    fails(admin.create_room(other).await, reused, "request_id");
    let elsewhere = BroadcastRequest { target: Some(Target::Everyone(true)), ..say.clone() };
    fails(admin.broadcast(elsewhere).await, reused, "request_id");
    fails(
        admin.create_ban(CreateBanRequest { ban: None, ..ban.clone() }).await,
        reused,
        "request_id",
    );
    let unbanned = DisconnectClientRequest { ban: None, ..end.clone() };
    fails(admin.disconnect_client(unbanned).await, reused, "request_id");
    let taken = CreateRoomRequest { request_id: id("2"), ..room.clone() };
    fails(admin.create_room(taken).await, reused, "request_id");

    // Deleting brings nothing back.
    admin.delete_ban(DeleteBanRequest { ban_id: banned.ban_id.clone() }).await.unwrap();
    assert_eq!(admin.create_ban(ban).await.unwrap().into_inner(), banned);
    let bans = admin.list_bans(ListBansRequest::default()).await.unwrap().into_inner().bans;
    assert_eq!(bans.len(), 1);
}

#[tokio::test]
async fn a_call_that_failed_may_be_made_again() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let say = |room: &str| BroadcastRequest {
        target: Some(Target::RoomId(room.to_owned())),
        body: Some(Body::ContentJson("1".to_owned())),
        request_id: "語".repeat(64),
        ..Default::default()
    };
    fails(admin.broadcast(say("r")).await, "ROOM_NOT_FOUND", "");
    let mut a = server.member("r").await;
    assert_eq!(admin.broadcast(say("r")).await.unwrap().into_inner().reached, 1);
    a.hear_of("broadcast").await;
    let long = BroadcastRequest { request_id: "x".repeat(65), ..say("r") };
    fails(admin.broadcast(long).await, "BAD_REQUEST", "request_id");
    let end = DisconnectClientRequest {
        client_id: NOBODY.to_owned(),
        request_id: "5".to_owned(),
        ..Default::default()
    };
    for _ in 0..2 {
        fails(admin.disconnect_client(end.clone()).await, "CLIENT_NOT_FOUND", "");
    }
}

#[tokio::test]
async fn the_same_call_many_times_at_once_acts_once() {
    let server = TestServer::start();
    let admin = server.admin().await;
    let room = CreateRoomRequest {
        room_id: "r".to_owned(),
        request_id: "1".to_owned(),
        ..Default::default()
    };
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (mut admin, room) = (admin.clone(), room.clone());
            tokio::spawn(async move { admin.create_room(room).await.unwrap().into_inner() })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(super::support::within(call).await.unwrap());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[tokio::test]
async fn a_request_id_that_is_too_long_hides_no_other_fault() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let request_id = "x".repeat(65);
    let mut faults = BTreeSet::new();
    let mut of = |status: Status| {
        let violations = status.get_error_details().bad_request().unwrap().field_violations.clone();
        faults.extend(violations.into_iter().map(|fault| fault.field));
    };
    let room = Room { max_members: 99_999, metadata_json: "{".into(), ..Default::default() };
    let make = CreateRoomRequest {
        room: Some(room),
        request_id: request_id.clone(),
        ..Default::default()
    };
    of(admin.create_room(make).await.unwrap_err());
    let ban = CreateBanRequest { ban: Some(Ban::default()), request_id: request_id.clone() };
    of(admin.create_ban(ban).await.unwrap_err());
    let say = BroadcastRequest {
        exclude: vec!["x".into()],
        request_id: request_id.clone(),
        ..Default::default()
    };
    of(admin.broadcast(say).await.unwrap_err());
    let end = DisconnectClientRequest { client_id: "x".into(), request_id, ..Default::default() };
    of(admin.disconnect_client(end).await.unwrap_err());
    let expected = [
        "ban.subject",
        "body",
        "client_id",
        "exclude",
        "request_id",
        "room.max_members",
        "room.metadata_json",
        "room_id",
        "target",
    ];
    assert_eq!(faults, expected.map(str::to_owned).into());
}
