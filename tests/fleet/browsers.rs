//! Browsers of one room on different nodes: everything is as on one server.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    fleet::Fleet,
    redis::Kind,
    support::{Client, within},
};

on_both_kinds![
    members_on_three_nodes_are_one_room,
    a_call_is_set_up_across_nodes,
    nobody_gets_an_offer_before_it_hears_of_the_newcomer,
    names_reach_members_on_other_nodes,
    signals_reach_nobody_outside_of_the_room,
    a_room_ends_with_its_last_member_wherever_that_sat,
];

async fn members_on_three_nodes_are_one_room(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let mut a = fleet.client(0).await;
    a.say(json!({"type": "register", "userId": "ann", "displayName": "Ann"})).await;
    a.hear_of("registered").await;
    let metadata = json!({"color": "red"});
    a.ask(json!({"type": "join", "roomId": "r", "metadata": metadata})).await;

    let mut b = fleet.client(1).await;
    let joined = b.join("r").await;
    assert_eq!(joined["members"], json!([a.id]));
    assert_eq!(joined["peers"][0]["userId"], "ann");
    assert_eq!(joined["peers"][0]["displayName"], "Ann");
    assert_eq!(joined["peers"][0]["metadata"], metadata);
    assert_eq!(a.hear_of("user-joined").await["clientId"], b.id);
    let mut c = fleet.client(2).await;
    assert_eq!(c.join("r").await["members"], json!([a.id, b.id]));
    for member in [&mut a, &mut b] {
        assert_eq!(member.hear_of("user-joined").await["clientId"], c.id);
    }
    fleet.agrees_on("r", &[&a, &b, &c]).await;

    b.say(json!({"type": "leave", "roomId": "r"})).await;
    assert_eq!(b.hear().await, json!({"type": "left", "roomId": "r"}));
    for member in [&mut a, &mut c] {
        assert_eq!(member.hear().await, left(&b.id, "left"));
    }
    fleet.agrees_on("r", &[&a, &c]).await;
    let gone = c.id.clone();
    c.vanish();
    assert_eq!(a.hear().await, left(&gone, "disconnected"));
    fleet.agrees_on("r", &[&a]).await;
}

fn left(id: &str, reason: &str) -> Value {
    json!({"type": "user-left", "userId": null, "clientId": id, "reason": reason})
}

async fn a_call_is_set_up_across_nodes(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let (mut a, mut b) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    let mut c = fleet.member(2, "r").await;
    a.hear_of("user-joined").await;
    a.hear_of("user-joined").await;
    b.hear_of("user-joined").await;

    for (kind, field, payload) in [
        ("offer", "sdp", r#"{ "type":"offer", "sdp":"v=0\r\né\u2028" }"#.to_owned()),
        (
            "candidate",
            "candidate",
            r#"{"candidate":"a","n":9007199254740993,"n":1.50e+2}"#.to_owned(),
        ),
        ("candidate", "candidate", "null".to_owned()),
        ("message", "content", format!(r#""{}""#, "x".repeat(100_000))),
    ] {
        b.say_text(&format!(r#"{{"type":"{kind}","targetId":"{}","{field}":{payload}}}"#, a.id))
            .await;
        let user = if kind == "candidate" { "" } else { r#","fromUserId":null"# };
        let from = &b.id;
        let expected =
            format!(r#"{{"type":"{kind}","fromId":"{from}"{user},"{field}":{payload}}}"#);
        assert_eq!(a.hear_text().await, expected);
    }
    a.say(json!({"type": "answer", "targetId": b.id, "sdp": 1})).await;
    assert_eq!(b.hear().await["type"], "answer");
    a.say(json!({"type": "message", "content": "to all"})).await;
    for member in [&mut b, &mut c] {
        assert_eq!(member.hear().await["content"], "to all");
    }
    // Had anybody else heard what was for one, it would have come before this.
    for client in [&mut a, &mut b, &mut c] {
        client.hears_nothing().await;
    }
}

/// Everybody joins at once and offers at once to all whom it finds, as pages do.
async fn nobody_gets_an_offer_before_it_hears_of_the_newcomer(kind: Kind) {
    const CALLERS: usize = 30;
    let fleet = Fleet::with(kind, &format!("--max-members {CALLERS}")).await;
    let mut callers = JoinSet::new();
    for node in 0..3 {
        for mut caller in fleet.clients(node, CALLERS / 3).await {
            callers.spawn(async move {
                let joined = caller.join("r").await;
                let found: Vec<_> = joined["members"].as_array().unwrap().clone();
                for target in &found {
                    caller.say(json!({"type": "offer", "targetId": target, "sdp": 1})).await;
                }
                let mut known = found.clone();
                let mut offers = Vec::new();
                while known.len() + offers.len() < 2 * (CALLERS - 1) - found.len() {
                    let news = caller.hear().await;
                    match news["type"].as_str().unwrap() {
                        "user-joined" => known.push(news["clientId"].clone()),
                        "offer" => offers.push(news["fromId"].clone()),
                        other => panic!("{other}"),
                    }
                    if let Some(offering) = offers.last() {
                        assert!(known[found.len()..].contains(offering), "too early: {offering}");
                    }
                }
                offers.sort_by_key(Value::to_string);
                offers.dedup();
                assert_eq!(offers.len(), CALLERS - 1 - found.len());
                // Nobody goes before all are done.
                caller
            });
        }
    }
    let callers = within(callers.join_all()).await;
    assert_eq!(fleet.room(0, "r").await.members.len(), callers.len());
}

async fn names_reach_members_on_other_nodes(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let (mut a, mut b) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    a.hear_of("user-joined").await;
    for (user_id, name) in [("ann", json!("Ann")), ("语", Value::Null)] {
        a.ask(json!({"type": "register", "userId": user_id, "displayName": name})).await;
        let news = b.hear().await;
        assert_eq!(news["type"], "user-updated");
        assert_eq!((&news["clientId"], &news["userId"]), (&json!(a.id), &json!(user_id)));
        assert_eq!(news["displayName"], name);
        a.say(json!({"type": "offer", "targetId": b.id, "sdp": 1})).await;
        assert_eq!(b.hear().await["fromUserId"], user_id);
    }
}

async fn signals_reach_nobody_outside_of_the_room(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let (mut a, mut b) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    let mut stranger = fleet.member(1, "other").await;
    a.hear_of("user-joined").await;
    let offer = |to: &Client| json!({"type": "offer", "targetId": to.id, "sdp": 1});
    assert_eq!(a.ask(offer(&stranger)).await["code"], "peer-not-found");
    assert_eq!(stranger.ask(offer(&a)).await["code"], "peer-not-found");
    b.ask(json!({"type": "leave", "roomId": "r"})).await;
    assert_eq!(a.hear().await["type"], "user-left");
    assert_eq!(a.ask(offer(&b)).await["code"], "peer-not-found");
    b.join("other").await;
    assert_eq!(stranger.hear().await["type"], "user-joined");
    b.say(offer(&stranger)).await;
    assert_eq!(stranger.hear().await["fromId"], b.id);
    b.hears_nothing().await;
}

async fn a_room_ends_with_its_last_member_wherever_that_sat(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let (mut a, mut b) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    a.ask(json!({"type": "update-room", "locked": true})).await;
    a.ask(json!({"type": "leave", "roomId": "r"})).await;
    b.ask(json!({"type": "leave", "roomId": "r"})).await;
    // With it went its lock.
    let mut c = fleet.client(2).await;
    assert_eq!(c.join("r").await["members"], json!([]));
    fleet.agrees_on("r", &[&c]).await;
}
