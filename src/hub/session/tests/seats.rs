//! What becomes of seats and of wishes for them as time passes, and as others change the room meanwhile.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use super::*;
use crate::{
    config::limits,
    hub::{
        Asker,
        cell::{Arrival, Commander, Motion},
    },
    protocol::ReturnToken,
    room::{By, Command, Denied, PasswordHash, Proof, Role, Settings, Update},
};

const SECOND: Duration = Duration::from_secs(1);

fn administrator() -> Administrator {
    Administrator::default()
}

fn put(hub: &Hub, cell: &RoomCell, command: Command) {
    let by = administrator();
    let motion = Motion::by(Commander::Administrator(&by), command);
    cell.put(hub, motion, SystemTime::now()).unwrap();
}

/// Changes room `r`, whoever sits in it.
fn change(hub: &Hub, update: Update) {
    let cell = hub.find_own(&"r".parse().unwrap()).unwrap();
    let by = By::Administrator;
    put(hub, &cell, Command::Update { by, update, settled_at: None, banned: Vec::new() });
}

fn locks() -> Update {
    Update { locked: Some(true), ..Update::default() }
}

/// A client in room `r`, and the token that it returns by.
async fn returner(hub: &Arc<Hub>, from: u32) -> (Session, ReturnToken) {
    let mut session = hub.connect(Ipv4Addr::from(from).into(), None).unwrap();
    heard(&session);
    let wish = session.receive(&join("r").to_string()).unwrap();
    session.carry_out(wish).await;
    let mut batch = Vec::new();
    session.client.outbox.take_due(&mut batch, usize::MAX);
    session.client.outbox.acknowledge();
    let joined: Value = serde_json::from_str(batch.pop().unwrap().frame().as_str()).unwrap();
    let token = ReturnToken::shown(joined["returnToken"].as_str().unwrap()).unwrap();
    (session, token)
}

/// What room `r` would say at that time to somebody new who shows this token.
fn asks(hub: &Arc<Hub>, token: &ReturnToken, now: SystemTime) -> Result<(), Denied> {
    let session = hub.connect(Ipv4Addr::BROADCAST.into(), None).unwrap();
    let arrival = Arrival {
        client: Arc::clone(&session.client),
        identity: Identity::default(),
        metadata: None,
        vouched: None,
        granted: Role::Member,
        returning: Some(token.clone()),
        return_token: ReturnToken::random(),
        request_id: None,
        ice_servers: None,
        left: None,
    };
    let cell = hub.directory.find(&"r".parse().unwrap()).unwrap();
    cell.ask(hub, &arrival, Proof::None, now)
}

#[tokio::test]
async fn a_lost_seat_is_kept_for_a_minute_and_so_is_its_room() {
    let hub = hub();
    let (mate, (loser, token)) = (returner(&hub, 1).await, returner(&hub, 2).await);
    change(&hub, locks());
    loser.end(LeaveReason::Disconnected);
    let lost_at = SystemTime::now();
    let (before, after) = (lost_at + limits::RETURN - SECOND, lost_at + limits::RETURN + SECOND);
    assert_eq!(asks(&hub, &token, before), Ok(()));
    assert_eq!(asks(&hub, &token, after), Err(Denied::Locked));
    assert_eq!(asks(&hub, &ReturnToken::random(), before), Err(Denied::Locked));

    let cell = hub.find_own(&"r".parse().unwrap()).unwrap();
    mate.0.end(LeaveReason::Timeout);
    assert!(!cell.expire(&hub, before));
    assert_eq!(asks(&hub, &mate.1, before), Ok(()));
    assert_eq!(asks(&hub, &ReturnToken::random(), before), Err(Denied::Held));
    assert!(cell.expire(&hub, after));
    hub.directory.forget(&cell);
    member(&hub, "r").await;
}

#[tokio::test]
async fn a_lost_seat_is_forgotten_in_time_though_nothing_else_happens_in_its_room() {
    let hub = hub();
    let (_mate, (loser, _)) = (returner(&hub, 1).await, returner(&hub, 2).await);
    loser.end(LeaveReason::Disconnected);
    let cell = hub.find_own(&"r".parse().unwrap()).unwrap();
    let due = || cell.snapshot().unwrap().due_at();
    cell.expire(&hub, SystemTime::now() + limits::RETURN - SECOND);
    assert!(due().is_some());
    assert!(!cell.expire(&hub, SystemTime::now() + limits::RETURN + SECOND));
    assert_eq!(due(), None);
}

#[tokio::test]
async fn of_more_lost_seats_than_a_room_remembers_the_oldest_is_forgotten() {
    let hub = hub();
    let _mate = member(&hub, "r").await;
    let mut tokens = Vec::new();
    for nth in 0..=limits::RETURNERS {
        let (session, token) = returner(&hub, u32::try_from(nth).unwrap() + 9).await;
        session.end(LeaveReason::Disconnected);
        tokens.push(token);
    }
    change(&hub, locks());
    let now = SystemTime::now();
    assert_eq!(asks(&hub, &tokens[0], now), Err(Denied::Locked));
    assert!(tokens[1..].iter().all(|token| asks(&hub, token, now) == Ok(())));
}

#[tokio::test]
async fn who_waits_for_too_long_is_told_so_and_may_ask_again() {
    let hub = hub();
    let room_id = "r".parse().unwrap();
    let settings =
        Settings { lobby: true, empty_timeout: limits::LONGEST_EMPTY_ROOM, ..Settings::open(2) };
    hub.create_room(&administrator(), &room_id, settings).await.unwrap();
    let mut session = hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap();
    heard(&session);
    let waiting = [json!({"type": "waiting", "roomId": "r"})];
    assert_eq!(ask(&mut session, join("r")).await, waiting);
    let now = SystemTime::now();
    let cell = hub.find_own(&room_id).unwrap();
    cell.expire(&hub, now + limits::WAIT - SECOND);
    assert_eq!(heard(&session), [Value::Null; 0]);
    assert_eq!(hub.timers.due(now + limits::WAIT + SECOND, 10), [room_id]);
    cell.expire(&hub, now + limits::WAIT + SECOND);
    assert_eq!(heard(&session), [json!({"type": "join-error", "code": "waiting-timeout"})]);
    assert_eq!(ask(&mut session, join("r")).await, waiting);
}

#[tokio::test]
async fn who_is_taken_over_takes_no_other_seat() {
    let hub = hub();
    let (mut old, token) = returner(&hub, 1).await;
    let wish = old.receive(&join("elsewhere").to_string()).unwrap();
    let mut new = hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap();
    let token = serde_json::to_value(&token).unwrap();
    let back = json!({"type": "join", "roomId": "r", "returnToken": token});
    assert_eq!(ask(&mut new, back).await[1], joined("r"));
    let ending = old.client.outbox.take_due(&mut Vec::new(), usize::MAX);
    assert_eq!(ending, Due::End(Ending::TakenOver));
    old.carry_out(wish).await;
    assert_eq!(hub.counts().rooms, 1);
    old.end(LeaveReason::Rejoined);
    assert_eq!(hub.room(&"r".parse().unwrap()).await.unwrap().members().len(), 1);
}

/// A room with this password under the first of as many salts.
async fn guarded(hub: &Arc<Hub>, password: &str, salts: usize) -> (Session, Vec<PasswordHash>) {
    let host = member(hub, "r").await;
    let mut hashes = Vec::new();
    for _ in 0..salts {
        let password = password.parse().unwrap();
        hashes.push(hub.hash_password(Asker::Administrator, &password).await.unwrap());
    }
    set(hub, &hashes[0]);
    (host, hashes)
}

fn set(hub: &Hub, hash: &PasswordHash) {
    change(hub, Update { password: Some(Some(hash.clone())), ..Update::default() });
}

#[tokio::test]
async fn a_password_that_changes_while_it_is_looked_at_is_looked_at_again_three_times_at_most() {
    let hub = hub();
    let (_host, hashes) = guarded(&hub, "x", 4).await;
    for (changes, answer) in [
        (1, joined("r")),
        (2, joined("r")),
        (3, json!({"type": "join-error", "code": "unavailable"})),
    ] {
        set(&hub, &hashes[0]);
        let mut session = hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap();
        let join = json!({"type": "join", "roomId": "r", "password": "x"});
        let wish = session.receive(&join.to_string()).unwrap();
        let mut changed = 0;
        // It waits once for each look.
        let meanwhile = |_: &mut Session, _: &mut Context<'_>| {
            if changed < changes {
                changed += 1;
                set(&hub, &hashes[changed]);
            }
            Poll::<()>::Pending
        };
        session.carry_out_beside(wish, meanwhile).await.unwrap();
        assert_eq!(heard(&session)[1..], [answer]);
        assert_eq!(changed, changes);
    }
}

#[tokio::test]
async fn a_wish_whose_waiting_is_ended_comes_to_nothing() {
    let hub = hub();
    let (_host, _) = guarded(&hub, "x", 1).await;
    let mut session = member(&hub, "old").await;
    let join = json!({"type": "join", "roomId": "r", "password": "x"});
    let wish = session.receive(&join.to_string()).unwrap();
    let ended = session.carry_out_beside(wish, |_, _| Poll::Ready("gone")).await;
    assert_eq!(ended, Err("gone"));
    assert_eq!(heard(&session), [Value::Null; 0]);
    assert_eq!(hub.room(&"r".parse().unwrap()).await.unwrap().members().len(), 1);
    assert_eq!(hub.client(session.client.id).unwrap().room_id, "old".parse().ok());
}

#[tokio::test]
async fn who_lost_the_room_or_its_role_while_a_password_was_hashed_changes_nothing() {
    for leaves in [false, true] {
        let hub = hub();
        let (mut host, mate) = (member(&hub, "r").await, member(&hub, "r").await);
        heard(&host);
        let update = json!({"type": "update-room", "password": "x"});
        let wish = host.receive(&update.to_string()).unwrap();
        let cell = hub.find_own(&"r".parse().unwrap()).unwrap();
        let meanwhile = |session: &mut Session, _: &mut Context<'_>| {
            let by = By::Administrator;
            let set = |target, host| Command::SetRole { by, target, host };
            if leaves {
                unseat(&hub, session);
            } else {
                put(&hub, &cell, set(mate.client.id, true));
                put(&hub, &cell, set(session.client.id, false));
            }
            Poll::<()>::Pending
        };
        host.carry_out_beside(wish, meanwhile).await.unwrap();
        let code = if leaves { "not-in-room" } else { "forbidden" };
        assert_eq!(heard(&host).pop(), Some(json!({"type": "error", "code": code})));
        assert_eq!(cell.password(), None);
    }
}
