//! Connections to Redis that break, and Redis itself that goes and comes back.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, interval, sleep},
};

use signalpost::admin::pb::{
    Ban, CreateBanRequest, DeleteRoomRequest, LockRoomRequest, ban::Subject,
};
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    fleet::{Fleet, LEASE, ids, in_time},
    redis::Kind,
    support::{Client, within},
};

on_both_kinds![
    numbered_messages_pass_while_all_connections_to_redis_break,
    a_redis_that_holds_back_loses_nothing,
    redis_comes_back_with_its_data,
    redis_comes_back_without_its_data,
    a_redis_that_stands_still_keeps_nobody_waiting,
    whoever_goes_while_redis_stands_still_goes_once,
];

/// Every 200 ms each connection to Redis is cut, while each of three members counts aloud to the others.
async fn numbered_messages_pass_while_all_connections_to_redis_break(kind: Kind) {
    const CUTS: usize = 100;
    let fleet = Fleet::alone(kind).await;
    let mut members = Vec::new();
    for node in 0..3 {
        members.push(fleet.member(node, "r").await);
    }
    let all: Vec<_> = members.iter().map(|member| member.id.clone()).collect();
    for (nth, member) in members.iter_mut().enumerate() {
        for _ in nth + 1..3 {
            member.hear_of("user-joined").await;
        }
    }
    let counting: JoinSet<_> =
        members.into_iter().map(|member| count(member, all.clone(), CUTS * 20)).collect();
    let mut time = interval(Duration::from_millis(200));
    for _ in 0..CUTS {
        time.tick().await;
        fleet.redis.cut_connections().await;
    }
    // They sit there until all have heard everything.
    let members = within(counting.join_all()).await;
    assert_eq!(ids(&fleet.room(0, "r").await), all);
    drop(members);
}

/// Says the numbers up to `last`, one each 10 ms, to all and to each by itself, and hears those of the others.
async fn count(mut member: Client, all: Vec<String>, last: usize) -> Client {
    let mut time = interval(Duration::from_millis(10));
    let others: Vec<_> = all.into_iter().filter(|id| *id != member.id).collect();
    // Of each other one: the next number that it says to all, and to this one.
    let mut due = vec![[0; 2]; others.len()];
    let mut next = 0;
    while next < last || due.iter().flatten().any(|due| *due < last) {
        tokio::select! {
            _ = time.tick(), if next < last => {
                member.say(json!({"type": "message", "content": [0, next]})).await;
                for id in &others {
                    let content = json!([1, next]);
                    member.say(json!({"type": "message", "targetId": id, "content": content})).await;
                }
                next += 1;
            }
            news = member.hear() => {
                assert_eq!(news["type"], "message", "{news}");
                let from = others.iter().position(|id| news["fromId"] == **id).unwrap();
                let stream = usize::try_from(news["content"][0].as_u64().unwrap()).unwrap();
                assert_eq!(news["content"][1], due[from][stream], "{news}");
                due[from][stream] += 1;
            }
        }
    }
    member
}

/// Three members of three nodes count aloud while Redis carries nothing out for 3 seconds, which is longer than servers
/// wait for it, and others join and leave. Two on one node do not notice.
async fn a_redis_that_holds_back_loses_nothing(kind: Kind) {
    const HELD_BACK: Duration = Duration::from_secs(3);
    let fleet = Fleet::alone(kind).await;
    let (mut members, mut coming) = (Vec::new(), JoinSet::new());
    for node in 0..3 {
        members.push(fleet.member(node, "r").await);
        coming.spawn(come_and_go(fleet.client(node).await));
    }
    let all: Vec<_> = members.iter().map(|member| member.id.clone()).collect();
    for (nth, member) in members.iter_mut().enumerate() {
        for _ in nth + 1..3 {
            member.hear_of("user-joined").await;
        }
    }
    let (mut a, mut b) = (fleet.member(0, "local").await, fleet.member(0, "local").await);
    a.hear_of("user-joined").await;
    let counting: JoinSet<_> =
        members.into_iter().map(|member| count(member, all.clone(), 1000)).collect();

    let mut said = 0;
    for _ in 0..2 {
        fleet.redis.holds_back(HELD_BACK.as_millis().try_into().unwrap()).await;
        let held_back = Instant::now();
        while held_back.elapsed() < HELD_BACK {
            let asked = Instant::now();
            a.say(json!({"type": "offer", "targetId": b.id, "sdp": said})).await;
            assert_eq!(b.hear().await["sdp"], said);
            b.say(json!({"type": "message", "content": said})).await;
            assert_eq!(a.hear().await["content"], said);
            assert!(asked.elapsed() < Duration::from_secs(1));
            said += 1;
            sleep(Duration::from_millis(5)).await;
        }
        // What waited is carried out.
        fleet.member(1, "between").await;
    }
    let members = within(counting.join_all()).await;
    assert_eq!(ids(&fleet.room(0, "r").await), all);
    let newcomers = within(coming.join_all()).await;
    fleet.seats("s", newcomers.iter()).await;
    drop(members);
}

/// Joins and leaves for as long as Redis is held back, and sits there in the end.
async fn come_and_go(mut client: Client) -> Client {
    let begun = Instant::now();
    loop {
        let answer = client.ask(json!({"type": "join", "roomId": "s"})).await;
        if answer["type"] == "joined" {
            if begun.elapsed() > Duration::from_secs(7) {
                return client;
            }
            assert_eq!(client.ask(json!({"type": "leave", "roomId": "s"})).await["type"], "left");
        } else {
            assert_eq!(answer["code"], "unavailable", "{answer}");
            let wait = answer["retryAfterMs"].as_u64().unwrap();
            sleep(Duration::from_millis(wait)).await;
        }
    }
}

async fn redis_comes_back_with_its_data(kind: Kind) {
    outage(kind, true).await;
}

async fn redis_comes_back_without_its_data(kind: Kind) {
    outage(kind, false).await;
}

async fn outage(kind: Kind, with_data: bool) {
    const OUTAGE: Duration = Duration::from_secs(15);
    let mut fleet = Fleet::mortal(kind).await;
    let (mut a, mut b) = (fleet.member(0, "r").await, fleet.member(0, "r").await);
    let (c, d) = (fleet.member(1, "r").await, fleet.member(2, "r").await);
    let leaver = fleet.member(0, "r").await;
    while a.hear_of("user-joined").await["clientId"] != leaver.id {}
    while b.hear_of("user-joined").await["clientId"] != leaver.id {}

    fleet.redis.stop().await;
    let stopped = Instant::now();
    let refused = asked_in_vain(fleet.client(1).await);
    let gone = leaver.id.clone();
    leaver.vanish();
    for member in [&mut a, &mut b] {
        let left = member.hear().await;
        assert_eq!((&left["type"], &left["clientId"]), (&json!("user-left"), &json!(gone)));
    }
    let mut said = 0;
    // No faster, since what is said to c and d waits for Redis, and only so much may.
    let mut time = interval(Duration::from_millis(2));
    while stopped.elapsed() < OUTAGE {
        time.tick().await;
        a.say(json!({"type": "offer", "targetId": b.id, "sdp": said})).await;
        assert_eq!(b.hear().await["sdp"], said);
        b.say(json!({"type": "message", "content": said})).await;
        assert_eq!(a.hear().await["content"], said);
        said += 1;
    }
    within(refused).await.unwrap();
    for node in &fleet.nodes {
        assert!(!node.is_ready().await);
    }
    if !with_data {
        fleet.redis.forget();
    }
    fleet.redis.start_again().await;

    let mut newcomers = Vec::new();
    for node in 0..3 {
        newcomers.push(seated_again(&fleet, node).await);
        assert!(fleet.nodes[node].is_ready().await);
    }
    let sitting = in_time(LEASE * 10, async || settled(&fleet, &newcomers, &gone).await).await;
    for (mut member, name) in [(a, "a"), (b, "b"), (c, "c"), (d, "d")] {
        if sitting.contains(&member.id) {
            newcomers[0].say(json!({"type": "offer", "targetId": member.id, "sdp": "still"})).await;
            assert_eq!(member.hear_of("offer").await["fromId"], newcomers[0].id, "{name}");
        } else {
            assert_eq!(member.hear_of("removed").await["code"], "node-lost", "{name}");
        }
    }
}

/// What was sent to it last may be done or not, which nobody can tell until it goes on. Those here see who has gone all
/// the same, and who comes later is refused.
async fn a_redis_that_stands_still_keeps_nobody_waiting(kind: Kind) {
    let fleet = Fleet::alone(kind).await;
    let mut a = fleet.member(0, "r").await;
    let leaver = fleet.member(0, "r").await;
    a.hear_of("user-joined").await;
    let (_sits, _too) = (fleet.member(1, "locked").await, fleet.member(1, "deleted").await);
    // The rooms are held there, so that nothing has to be read first.
    let admins = [fleet.admin(1).await, fleet.admin(1).await, fleet.admin(2).await];
    let holds = fleet.member(2, "held").await;
    let (comes, mut waits) = (fleet.client(0).await, fleet.client(2).await);
    let mut goes = fleet.member(0, "quiet").await;
    // By then Redis knows the scripts, and does what it was sent: a change that frees something has one of its own.
    waits.join("left").await;
    assert_eq!(waits.ask(json!({"type": "leave", "roomId": "left"})).await["type"], "left");

    fleet.redis.pause().await;
    let gone = leaver.id.clone();
    leaver.vanish();
    let asked = Instant::now();
    let lock = LockRoomRequest { room_id: "locked".into(), locked: true, ..Default::default() };
    let close = DeleteRoomRequest { room_id: "deleted".into(), ..Default::default() };
    let ban = Ban { subject: Some(Subject::UserId("eve".into())), ..Default::default() };
    let ban = CreateBanRequest { ban: Some(ban), ..Default::default() };
    let [mut first, mut second, mut third] = admins;
    let (locked, deleted, banned, (), (), (), left) = tokio::join!(
        within(first.lock_room(lock)),
        within(second.delete_room(close)),
        within(third.create_ban(ban)),
        async { within(asked_in_vain(comes)).await.unwrap() },
        async {
            let answer = waits.ask(json!({"type": "join", "roomId": "held"})).await;
            assert_eq!(answer["code"], "unavailable", "{answer}");
            assert!(answer["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0), "{answer}");
        },
        async {
            let answer = goes.ask(json!({"type": "leave", "roomId": "quiet"})).await;
            assert_eq!(answer["type"], "left", "{answer}");
            goes.hears_nothing().await;
        },
        a.hear(),
    );
    assert_eq!((&left["type"], &left["clientId"]), (&json!("user-left"), &json!(gone)));
    assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
    for status in [locked.unwrap_err(), deleted.unwrap_err(), banned.unwrap_err()] {
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.get_details_retry_info().is_some_and(|retry| retry.retry_delay.is_some()));
        assert!(status.message().contains("may or may not"), "{}", status.message());
    }
    fleet.redis.go_on().await;

    let newcomers = [seated_again(&fleet, 1).await];
    in_time(LEASE * 10, async || settled(&fleet, &newcomers, &gone).await).await;
    // Whoever was told that it has no seat may have had one for a moment.
    while a.hear_of("user-joined").await["clientId"] != newcomers[0].id {}
    // It was done, but for the seat that nobody knows of.
    in_time(LEASE * 10, async || {
        let is_locked = fleet.try_room(2, "locked").await.ok()?.locked;
        let is_deleted = fleet.try_room(2, "deleted").await.is_err();
        let held = fleet.try_room(2, "held").await.ok()?;
        let is_free = ids(&held) == [&*holds.id];
        let is_banned = fleet.bans(1).await == ["eve"];
        (is_locked && is_deleted && is_free && is_banned).then_some(())
    })
    .await;
    waits.join("held").await;
    fleet.agrees_on("held", &[&holds, &waits]).await;
    goes.join("quiet").await;
    fleet.agrees_on("quiet", &[&goes]).await;
}

/// A change cannot be made now: the client hears so, and when to ask again.
fn asked_in_vain(mut client: Client) -> JoinHandle<()> {
    tokio::spawn(async move {
        let answer = client.ask(json!({"type": "join", "roomId": "r"})).await;
        assert_eq!(answer["code"], "unavailable", "{answer}");
        assert!(answer["retryAfterMs"].as_u64().is_some_and(|ms| ms > 0), "{answer}");
    })
}

/// A newcomer to room `r`, which asks again for as long as it is told that this cannot be now.
async fn seated_again(fleet: &Fleet, node: usize) -> Client {
    let mut client = fleet.client(node).await;
    in_time(LEASE * 15, async || {
        let answer: Value = client.ask(json!({"type": "join", "roomId": "r"})).await;
        assert!(answer["type"] == "joined" || answer["code"] == "unavailable", "{answer}");
        (answer["type"] == "joined").then_some(())
    })
    .await;
    client
}

/// Who sits in room `r`, once all nodes say the same: all newcomers, and not who went in the meantime.
async fn settled(fleet: &Fleet, newcomers: &[Client], gone: &str) -> Option<Vec<String>> {
    let mut shown = Vec::new();
    for node in 0..3 {
        let room = fleet.try_room(node, "r").await.ok()?;
        shown.push(ids(&room).into_iter().map(str::to_owned).collect::<Vec<_>>());
    }
    let first = shown.pop().unwrap();
    let whole = newcomers.iter().all(|newcomer| first.contains(&newcomer.id));
    let agreed = shown.iter().all(|other| *other == first);
    (agreed && whole && first.iter().all(|id| id != gone)).then_some(first)
}

/// One after the other, so that the log has the first of them before the second.
async fn whoever_goes_while_redis_stands_still_goes_once(kind: Kind) {
    let fleet = Fleet::alone(kind).await;
    let (mut stays, mut elsewhere) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    let leavers = [fleet.member(0, "r").await, fleet.member(0, "r").await];
    let gone = [0, 1].map(|nth: usize| leavers[nth].id.clone());
    // By then Redis knows the script, and does what it was sent.
    fleet.member(0, "r").await.vanish();
    for member in [&mut stays, &mut elsewhere] {
        member.hear_of("user-left").await;
    }
    fleet.redis.pause().await;
    for (leaver, id) in leavers.into_iter().zip(&gone) {
        leaver.vanish();
        assert_eq!(stays.hear_of("user-left").await["clientId"], **id);
    }
    fleet.redis.go_on().await;
    for id in &gone {
        let left = elsewhere.hear().await;
        assert_eq!((&left["clientId"], &left["reason"]), (&json!(id), &json!("disconnected")));
    }
    fleet.agrees_on("r", &[&stays, &elsewhere]).await;
    stays.hears_nothing().await;
    elsewhere.hears_nothing().await;
}
