//! Nodes that die, and nodes that were thought dead.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    fleet::{Fleet, LEASE, ids, in_time},
    redis::Kind,
    support::{Client, within},
    watching::{Watcher, come_and_go, end},
};

on_both_kinds![
    what_a_killed_node_seated_is_free_within_its_lease_and_all_are_told_once,
    seats_are_free_within_a_lease_as_it_is_by_default,
    nodes_that_hold_as_many_rooms_as_they_may_free_seats_too,
    a_node_that_stood_still_for_longer_than_its_lease_has_no_ghosts,
];

async fn what_a_killed_node_seated_is_free_within_its_lease_and_all_are_told_once(kind: Kind) {
    const ROOMS: usize = 60;
    const DOOMED: usize = 5;
    let mut fleet = Fleet::mortal(kind).await;
    let (mut steady, mut follower) = (Watcher::default(), Watcher::default());
    let (mut at_b, mut at_c) = (fleet.admin(1).await, fleet.admin(2).await);
    steady.stands_before_everything(&mut at_b).await;
    follower.stands_before_everything(&mut at_c).await;
    let watching = tokio::spawn(async move { (steady.follow(&mut at_b).await, steady) });
    let losing = tokio::spawn(async move { (follower.follow(&mut at_c).await, follower) });

    let mut doomed = fleet.clients(2, ROOMS * DOOMED).await;
    let mut staying: Vec<[Client; 2]> = Vec::new();
    let mut gone: Vec<BTreeSet<String>> = Vec::new();
    for (nth, doomed) in doomed.chunks_mut(DOOMED).enumerate() {
        let room = room(nth);
        staying.push([fleet.member(0, &room).await, fleet.member(1, &room).await]);
        let mut joining = Vec::new();
        for client in doomed.iter_mut() {
            joining.push(client.join(&room));
        }
        within(futures_util::future::join_all(joining)).await;
        gone.push(doomed.iter().map(|client| client.id.clone()).collect());
    }
    let enough = CancellationToken::new();
    let mut churn = JoinSet::new();
    for node in [0, 0, 1, 1] {
        churn.spawn(come_and_go(fleet.client(node).await, 0, enough.clone()));
    }

    let killed = Instant::now();
    drop(fleet.nodes.remove(2));
    for (pair, gone) in staying.iter_mut().zip(&gone) {
        for member in pair {
            assert_eq!(&lost(member, gone.len()).await, gone);
        }
    }
    let took = killed.elapsed();
    assert!(took <= LEASE + Duration::from_secs(1), "it took {took:?}");

    for (nth, [a, b]) in staying.iter_mut().enumerate() {
        fleet.agrees_on(&room(nth), &[a, b]).await;
        // Had anybody been told twice, it would come before this.
        a.say(json!({"type": "message", "content": 1})).await;
        b.say(json!({"type": "message", "content": 1})).await;
        for member in [a, b] {
            assert_eq!(member.hear().await["type"], "message");
        }
        let newcomer = fleet.member(nth % 2, &room(nth)).await;
        assert_eq!(ids(&fleet.room(0, &room(nth)).await).len(), 3);
        drop(newcomer);
    }
    enough.cancel();
    within(churn.join_all()).await;

    let (ended, mut follower) = within(losing).await.unwrap();
    assert!(ended.is_err(), "its node died");
    end(&fleet).await;
    follower.follow(&mut fleet.admin(0).await).await.unwrap();
    let (ended, steady) = within(watching).await.unwrap();
    ended.unwrap();
    assert!(steady.seen.len() > ROOMS * (DOOMED + 2), "{}", steady.seen.len());
    assert!(steady.seen.is_sorted_by(|one, next| one.position < next.position));
    assert_eq!(follower.seen, steady.seen);
}

async fn seats_are_free_within_a_lease_as_it_is_by_default(kind: Kind) {
    let mut fleet = Fleet::start(kind).await;
    let (mut stays, _gone) = (fleet.member(0, "r").await, fleet.member(2, "r").await);
    stays.hear_of("user-joined").await;
    let killed = Instant::now();
    drop(fleet.nodes.remove(2));
    assert_eq!(stays.hear().await["reason"], "node-lost");
    assert!(killed.elapsed() <= Duration::from_secs(11), "it took {:?}", killed.elapsed());
}

async fn nodes_that_hold_as_many_rooms_as_they_may_free_seats_too(kind: Kind) {
    const MOST: usize = 3;
    let flags = format!("--max-rooms {MOST} --node-lease-seconds {}", LEASE.as_secs());
    let mut fleet = Fleet::with(kind, &flags).await;
    let mut members = Vec::new();
    for nth in 0..MOST * 3 {
        members.push(fleet.member(nth / MOST, &room(nth)).await);
    }
    drop(fleet.nodes.remove(2));
    for nth in MOST * 2..MOST * 3 {
        in_time(LEASE * 5, async || fleet.try_room(0, &room(nth)).await.is_err().then_some(()))
            .await;
    }
    // There is no place for another room of its own as before.
    let mut other = fleet.client(0).await;
    let refused = other.ask(json!({"type": "join", "roomId": room(MOST * 2)})).await;
    assert_eq!(refused["type"], "join-error", "{refused}");
}

fn room(nth: usize) -> String {
    format!("room {nth}")
}

/// The next so many of whom the member hears that their node was lost, each once.
async fn lost(member: &mut Client, count: usize) -> BTreeSet<String> {
    let mut lost = BTreeSet::new();
    while lost.len() < count {
        let news = member.hear_of("user-left").await;
        assert_eq!(news["reason"], "node-lost");
        assert!(lost.insert(news["clientId"].as_str().unwrap().to_owned()), "twice: {news}");
    }
    lost
}

async fn a_node_that_stood_still_for_longer_than_its_lease_has_no_ghosts(kind: Kind) {
    let fleet = Fleet::mortal(kind).await;
    let (mut a, mut b) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    let (mut c, mut alone) = (fleet.member(0, "r").await, fleet.member(0, "alone").await);

    fleet.nodes[0].pause();
    // Said to a node that does not read it yet.
    a.say(json!({"type": "message", "content": "from a ghost"})).await;
    assert_eq!(lost(&mut b, 2).await, BTreeSet::from([a.id.clone(), c.id.clone()]));
    let mut d = fleet.member(2, "r").await;
    assert_eq!(b.hear_of("user-joined").await["clientId"], d.id);
    // A room that only the other node knew is anybody's by now.
    let mut e = fleet.client(1).await;
    assert_eq!(in_time(LEASE * 5, async || founded(&mut e).await).await, json!([]));

    fleet.nodes[0].go_on();
    for ghost in [&mut a, &mut c, &mut alone] {
        is_told(ghost).await;
    }
    for node in 0..3 {
        assert_eq!(ids(&fleet.room(node, "r").await), [&*b.id, &*d.id], "node {node}");
        assert_eq!(ids(&fleet.room(node, "alone").await), [&*e.id], "node {node}");
    }
    d.say(json!({"type": "message", "content": "from a member"})).await;
    assert_eq!(b.hear().await["content"], "from a member");

    // It is a node like the others again.
    let mut again = fleet.client(0).await;
    assert_eq!(again.join("r").await["members"], json!([b.id, d.id]));
    again.say(json!({"type": "offer", "targetId": b.id, "sdp": 1})).await;
    assert_eq!(b.hear_of("offer").await["fromId"], again.id);
    b.say(json!({"type": "answer", "targetId": again.id, "sdp": 1})).await;
    assert_eq!(again.hear().await["type"], "answer");
}

/// Who sits there, once the client is alone in room `alone`.
async fn founded(client: &mut Client) -> Option<serde_json::Value> {
    let joined = client.join("alone").await;
    (joined["members"] == json!([])).then(|| joined["members"].clone())
}

/// It hears that its seat is given away, and its connection ends with a code that has it come back.
async fn is_told(client: &mut Client) {
    assert_eq!(client.hear_of("removed").await["code"], "node-lost");
    let code = client.closed().await.expect("a close frame");
    assert!((4000..4500).contains(&code), "{code}");
}
