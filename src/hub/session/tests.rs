//! A session beside whoever looks at its client, or frees its seat, from outside.

mod seats;

use std::{net::Ipv4Addr, time::SystemTime};

use clap::Parser;
use serde_json::{Value, json};

use super::*;
use crate::{
    ban::{BanId, Subject},
    config::Config,
    event::{Administrator, Cause},
    hub::{
        Due, KeepOut,
        cell::{Motion, Refused},
    },
    id::{RoomId, UserId},
    protocol::UserIdJson,
    room::{Identity, Role},
};

fn hub() -> Arc<Hub> {
    let flags = ["signalpost", "--rate-limit", "0"];
    Arc::new(Hub::new(Arc::new(Config::try_parse_from(flags).unwrap())))
}

/// What is due to a client, without words for people: at most its type, code, room and reason.
fn heard(session: &Session) -> Vec<Value> {
    let mut batch = Vec::new();
    let due = session.client.outbox.take_due(&mut batch, usize::MAX);
    assert!(!matches!(due, Due::End(_)));
    session.client.outbox.acknowledge();
    let short = |entry: Entry| {
        let mut message: Value = serde_json::from_str(entry.frame().as_str()).unwrap();
        let shown = ["type", "code", "roomId", "reason"];
        message.as_object_mut().unwrap().retain(|name, _| shown.contains(&&**name));
        message
    };
    batch.into_iter().map(short).collect()
}

/// What a client hears, itself, when it says this.
async fn ask(session: &mut Session, message: Value) -> Vec<Value> {
    if let Some(wish) = session.receive(&message.to_string()) {
        session.carry_out(wish).await;
    }
    heard(session)
}

fn join(room: &str) -> Value {
    json!({"type": "join", "roomId": room})
}

fn joined(room: &str) -> Value {
    json!({"type": "joined", "roomId": room})
}

async fn member(hub: &Arc<Hub>, room: &str) -> Session {
    let mut session = hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap();
    heard(&session);
    assert_eq!(ask(&mut session, join(room)).await, [joined(room)]);
    session
}

/// Frees a client's seat while its session still believes in it.
fn unseat(hub: &Hub, session: &Session) {
    let client_id = session.client.id;
    let cell = session.client.seat().unwrap();
    assert!(cell.seats(client_id));
    let leave = Motion::leave(client_id, LeaveReason::Left, Cause::Client(client_id));
    assert!(cell.put(hub, leave, SystemTime::now()).unwrap().changed);
    assert!(!cell.seats(client_id));
    assert!(session.seat.is_some());
}

#[tokio::test]
async fn who_lost_its_seat_is_in_no_room() {
    let hub = hub();
    let (mut other, mut loser) = (member(&hub, "r").await, member(&hub, "r").await);
    let id = loser.client.id;
    heard(&other);
    unseat(&hub, &loser);
    assert_eq!(heard(&other), [json!({"type": "user-left", "reason": "left"})]);
    assert_eq!(hub.client(id).unwrap().room_id, None);

    let not_in_room = json!({"type": "error", "code": "not-in-room"});
    let message = json!({"type": "message", "content": 1});
    assert_eq!(ask(&mut loser, message).await, [not_in_room]);
    let leave = json!({"type": "leave", "roomId": "r"});
    assert_eq!(ask(&mut loser, leave.clone()).await, [Value::Null; 0]);
    assert_eq!(ask(&mut loser, leave).await, [Value::Null; 0]);
    assert_eq!(ask(&mut other, json!({"type": "ping"})).await, [json!({"type": "pong"})]);
}

#[tokio::test]
async fn who_lost_its_seat_may_come_back_like_anybody_new() {
    let hub = hub();
    let (other, mut loser) = (member(&hub, "r").await, member(&hub, "r").await);
    let room_id: RoomId = "r".parse().unwrap();
    unseat(&hub, &loser);
    heard(&other);
    hub.lock_room(&Administrator::default(), &room_id, true, None).await.unwrap();
    let locked = json!({"type": "join-error", "code": "room-locked"});
    assert_eq!(ask(&mut loser, join("r")).await, [locked]);
    hub.lock_room(&Administrator::default(), &room_id, false, None).await.unwrap();
    heard(&other);
    assert_eq!(ask(&mut loser, join("r")).await, [joined("r")]);
    assert_eq!(heard(&other), [json!({"type": "user-joined"})]);
    assert_eq!(hub.client(loser.client.id).unwrap().room_id, Some(room_id));
}

#[tokio::test]
async fn who_lost_its_seat_leaves_nothing_by_going_elsewhere_or_away() {
    let hub = hub();
    let (other, mut mover) = (member(&hub, "r").await, member(&hub, "r").await);
    let goer = member(&hub, "r").await;
    unseat(&hub, &mover);
    unseat(&hub, &goer);
    heard(&other);
    heard(&mover);
    assert_eq!(ask(&mut mover, json!({"type": "register"})).await, [json!({"type": "registered"})]);
    assert_eq!(ask(&mut mover, join("elsewhere")).await, [joined("elsewhere")]);
    goer.end(LeaveReason::Disconnected);
    assert_eq!(heard(&other), [Value::Null; 0]);
}

#[tokio::test]
async fn who_lost_its_seat_while_it_asked_for_a_banned_name_does_not_get_it() {
    let hub = hub();
    let (_other, loser) = (member(&hub, "r").await, member(&hub, "r").await);
    let user_id: UserId = "ann".parse().unwrap();
    let identity = Identity { user_id: Some(user_id.clone()), display_name: None };
    let names = Arc::new(Names { identity, user_id: UserIdJson::from(&user_id), pass: None });
    let rename = || Motion::rename(&loser.client, &names, None, Role::Member);
    let cell = loser.client.seat().unwrap();
    unseat(&hub, &loser);
    let ban = Ban {
        id: BanId::random(),
        room_id: None,
        subject: Subject::User(user_id),
        reason: None,
        created_at: SystemTime::now(),
        expires_at: None,
        host: None,
    };
    hub.ban(&Administrator::default(), vec![Arc::new(ban)]).await.unwrap();
    let renamed = cell.put(&hub, rename(), SystemTime::now());
    assert!(matches!(renamed, Err(Refused::Banned(_))));
    assert!(loser.client.names().is_none());
}

#[tokio::test]
async fn a_room_that_ended_with_a_lost_seat_is_made_anew() {
    let hub = hub();
    let mut loser = member(&hub, "r").await;
    let ended = loser.client.seat().unwrap();
    unseat(&hub, &loser);
    assert_eq!(ask(&mut loser, join("r")).await, [joined("r")]);
    assert!(!Arc::ptr_eq(&ended, &loser.client.seat().unwrap()));
    assert_eq!(hub.room(&"r".parse().unwrap()).await.unwrap().members().len(), 1);
}

#[tokio::test]
async fn names_and_seat_are_seen_from_outside() {
    let hub = hub();
    let mut session = hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap();
    let id = session.client.id;
    let seen = || hub.client(id).map(|report| (report.identity, report.room_id)).unwrap();
    assert_eq!(seen(), (Identity::default(), None));
    let register = json!({"type": "register", "userId": "ann", "displayName": "Ann"});
    ask(&mut session, register).await;
    let ann = Identity {
        user_id: Some("ann".parse().unwrap()),
        display_name: Some("Ann".parse().unwrap()),
    };
    assert_eq!(seen(), (ann.clone(), None));
    ask(&mut session, join("a")).await;
    assert_eq!(seen(), (ann.clone(), "a".parse().ok()));
    ask(&mut session, join("b")).await;
    assert_eq!(seen().1, "b".parse().ok());
    let _other = member(&hub, "full").await;
    hub.lock_room(&Administrator::default(), &"full".parse().unwrap(), true, None).await.unwrap();
    ask(&mut session, join("full")).await;
    assert_eq!(seen().1, "b".parse().ok(), "it was refused there");
    ask(&mut session, json!({"type": "leave", "roomId": "b"})).await;
    assert_eq!(seen(), (ann, None));
}

#[tokio::test]
async fn a_client_and_its_room_do_not_outlive_its_session() {
    let hub = hub();
    let session = member(&hub, "r").await;
    let client = Arc::downgrade(&session.client);
    let cell = Arc::downgrade(&session.client.seat().unwrap());
    drop(session);
    assert!(client.upgrade().is_none() && cell.upgrade().is_none());
}

#[tokio::test]
async fn who_is_at_its_end_takes_no_seat_and_leaves_no_room_behind() {
    let hub = hub();
    let mut session = hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap();
    let wish = session.receive(&join("r").to_string()).unwrap();
    hub.disconnect_client(&Administrator::default(), session.client.id, None, None).await.unwrap();
    session.carry_out(wish).await;
    assert_eq!(hub.counts().rooms, 0);
}

#[tokio::test]
async fn who_is_ended_and_banned_from_its_room_hears_so_once() {
    let hub = hub();
    let session = member(&hub, "r").await;
    let keep_out = KeepOut { user_id: false, address: true, room_only: true, until: None };
    let id = session.client.id;
    assert_eq!(
        hub.disconnect_client(&Administrator::default(), id, Some("spam"), Some(keep_out))
            .await
            .unwrap()
            .len(),
        1
    );
    let banned = json!({"type": "removed", "code": "banned", "reason": "spam", "roomId": "r"});
    assert_eq!(heard(&session), [banned]);
    assert_eq!(hub.counts().rooms, 0);
}
