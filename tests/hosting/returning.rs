//! Coming back to a seat that was lost, or that still stands.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::{
    done, enter, outcome, refused, short,
    support::{Client, TestServer, within},
};

/// A host of room `r` and a member of it, with the token that the member returns by.
async fn two(server: &TestServer) -> (Client, Client, Value) {
    let mut host = server.member("r").await;
    let mut bob = server.client().await;
    let joined = bob.join("r").await;
    assert_eq!(host.hear().await["type"], "user-joined");
    let token = joined["returnToken"].clone();
    assert!(token.as_str().unwrap().len() >= 32);
    (host, bob, token)
}

async fn update(host: &mut Client, mut update: Value) {
    update["type"] = json!("update-room");
    assert_eq!(outcome(host, update).await, done());
}

/// Asks to come back, as another connection.
async fn comes_back(server: &TestServer, token: &Value) -> (Client, Value) {
    let mut client = server.client().await;
    let answer = enter(&mut client, "r", json!({"returnToken": token})).await;
    (client, answer)
}

#[tokio::test]
async fn whoever_lost_its_seat_comes_back_past_lock_password_and_lobby() {
    for guard in [json!({"locked": true}), json!({"password": "x"}), json!({"lobby": true})] {
        let server = TestServer::start();
        let (mut host, bob, token) = two(&server).await;
        update(&mut host, guard.clone()).await;
        bob.vanish();
        assert_eq!(host.hear().await["reason"], "disconnected");
        let (mut bob, joined) = comes_back(&server, &token).await;
        assert_eq!(joined["type"], "joined", "{guard}");
        assert_eq!(joined["returnToken"], token, "it may not have heard of another one");
        assert_eq!(host.hear().await["clientId"], json!(bob.id));
        // And nobody else, nor it without its token.
        let (_, answer) = comes_back(&server, &json!("a".repeat(32))).await;
        assert_ne!(answer["type"], "joined", "{guard}");
        bob.hears_nothing().await;
    }
}

#[tokio::test]
async fn a_host_comes_back_as_host_and_takes_over_from_whoever_acted_for_it() {
    let server = TestServer::start();
    let mut host = server.client().await;
    let token = host.join("r").await["returnToken"].clone();
    let mut bob = server.member("r").await;
    host.hear().await;
    host.vanish();
    assert_eq!(bob.hear().await["type"], "user-left");
    let acting = json!({"type": "role-changed", "clientId": bob.id, "role": "host"});
    assert_eq!(bob.hear().await, acting);
    let (_host, joined) = comes_back(&server, &token).await;
    assert_eq!(joined["role"], "host");
    assert_eq!(bob.hear().await["role"], "host", "who joined");
    let relieved = json!({"type": "role-changed", "clientId": bob.id, "role": "member"});
    assert_eq!(bob.hear().await, relieved);
}

#[tokio::test]
async fn a_seat_that_still_stands_is_taken_over() {
    let server = TestServer::start();
    let (mut host, mut old, token) = two(&server).await;
    update(&mut host, json!({"locked": true, "maxMembers": 2})).await;
    assert_eq!(old.hear_of("room-updated").await["room"]["maxMembers"], 2);
    let (mut new, joined) = comes_back(&server, &token).await;
    assert_eq!((&joined["type"], &joined["members"]), (&json!("joined"), &json!([host.id])));
    assert_eq!(old.closed().await, Some(4002));
    let left = host.hear_of("user-left").await;
    assert_eq!((&left["clientId"], &left["reason"]), (&json!(old.id), &json!("rejoined")));
    assert_eq!(host.hear().await["clientId"], json!(new.id));
    // The old connection's end frees nothing.
    host.hears_nothing().await;
    new.say(json!({"type": "message", "content": 1})).await;
    assert_eq!(host.hear().await["fromId"], json!(new.id));
}

#[tokio::test]
async fn a_seat_that_was_taken_anew_is_kept_by_the_token_that_its_answer_names() {
    let server = TestServer::start();
    let (mut host, mut bob, first) = two(&server).await;
    let shown = enter(&mut bob, "r", json!({"returnToken": first})).await["returnToken"].clone();
    assert_eq!(shown, first);
    let second = bob.join("r").await["returnToken"].clone();
    assert_ne!(second, first);
    update(&mut host, json!({"locked": true})).await;
    let (_, answer) = comes_back(&server, &first).await;
    assert_eq!(short(&answer), refused("join-error", "room-locked"));
    assert_eq!(comes_back(&server, &second).await.1["type"], "joined");
    assert_eq!(bob.closed().await, Some(4002));
}

#[tokio::test]
async fn who_waits_and_then_shows_its_token_comes_in_once() {
    let server = TestServer::start();
    let (mut host, old, token) = two(&server).await;
    update(&mut host, json!({"lobby": true})).await;
    old.vanish();
    host.hear_of("user-left").await;
    let mut bob = server.client().await;
    assert_eq!(enter(&mut bob, "r", json!({})).await["type"], "waiting");
    assert_eq!(enter(&mut bob, "r", json!({"returnToken": token})).await["type"], "joined");
    for heard in ["knock", "knock-ended", "user-joined"] {
        assert_eq!(host.hear().await["type"], heard);
    }
    // Nobody is left who waits.
    assert_eq!(outcome(&mut host, json!({"type": "admit"})).await, done());
    let mut cid = server.client().await;
    assert_eq!(enter(&mut cid, "r", json!({})).await["type"], "waiting");
    bob.hears_nothing().await;
}

#[tokio::test]
async fn two_links_that_take_a_seat_over_in_turn_leave_one_seat() {
    let server = TestServer::start();
    let (mut host, mut old, token) = two(&server).await;
    for _ in 0..5 {
        let (new, joined) = comes_back(&server, &token).await;
        assert_eq!(joined["members"], json!([host.id]));
        assert_eq!(old.closed().await, Some(4002));
        old = new;
    }
    let joined = server.client().await.join("r").await;
    assert_eq!(joined["members"], json!([host.id, old.id]));
    host.hear_of("user-joined").await;
}

#[tokio::test]
async fn capacity_applies_to_who_comes_back_to_a_lost_seat() {
    let server = TestServer::with("--max-members 2");
    let (mut host, bob, token) = two(&server).await;
    bob.vanish();
    host.hear_of("user-left").await;
    let _cid = server.member("r").await;
    let (_, answer) = comes_back(&server, &token).await;
    assert_eq!(short(&answer), refused("join-error", "room-full"));
}

#[tokio::test]
async fn whoever_left_or_was_removed_or_banned_comes_in_like_anybody_new() {
    let server = TestServer::start();
    for how in ["left", "moved", "removed", "banned"] {
        let (mut host, mut bob, token) = two(&server).await;
        update(&mut host, json!({"locked": true})).await;
        let code = if how == "banned" { "banned" } else { "room-locked" };
        match how {
            "left" => bob.say(json!({"type": "leave", "roomId": "r"})).await,
            "moved" => drop(bob.join("other").await),
            _ => {
                let seconds = (how == "banned").then_some(60);
                let remove = json!({"type": "remove", "targetId": bob.id, "seconds": seconds});
                assert_eq!(outcome(&mut host, remove).await, done());
            }
        }
        if how == "left" || how == "moved" {
            host.hear_of("user-left").await;
        }
        let (_, answer) = comes_back(&server, &token).await;
        assert_eq!(short(&answer), refused("join-error", code), "{how}");
        if how != "banned" {
            host.say(json!({"type": "leave", "roomId": "r"})).await;
            host.hear_of("left").await;
        }
    }
}

#[tokio::test]
async fn a_token_is_its_users_and_its_rooms() {
    let server = TestServer::start();
    let mut host = server.member("r").await;
    let mut ann = server.client().await;
    ann.say(json!({"type": "register", "userId": "ann"})).await;
    let token = ann.join("r").await["returnToken"].clone();
    host.hear().await;
    update(&mut host, json!({"locked": true})).await;
    ann.vanish();
    host.hear_of("user-left").await;
    for (user, code) in [(Some("eve"), "room-locked"), (None, "room-locked"), (Some("ann"), "")] {
        let mut client = server.client().await;
        if let Some(user) = user {
            client.ask(json!({"type": "register", "userId": user})).await;
        }
        let answer = enter(&mut client, "r", json!({"returnToken": token})).await;
        assert_eq!(answer["code"].as_str().unwrap_or_default(), code, "{user:?}");
    }
    // Elsewhere it is nothing at all.
    let mut locked = server.member("s").await;
    update(&mut locked, json!({"locked": true})).await;
    let mut client = server.client().await;
    let answer = enter(&mut client, "s", json!({"returnToken": token})).await;
    assert_eq!(short(&answer), refused("join-error", "room-locked"));
    // And where nothing is in the way, it is in nobody's way.
    assert_eq!(enter(&mut client, "t", json!({"returnToken": token})).await["type"], "joined");
}

#[tokio::test]
async fn a_guarded_room_waits_for_whoever_lost_its_last_seat() {
    let server = TestServer::start();
    let mut host = server.client().await;
    let joined = enter(&mut host, "r", json!({"password": "x"})).await;
    // Its seat is free before the server answers.
    host.socket.close(None).await.unwrap();
    while let Some(Ok(_)) = within(host.socket.next()).await {}
    let mut other = server.client().await;
    let answer = enter(&mut other, "r", json!({})).await;
    assert_eq!(short(&answer), refused("join-error", "room-held"));
    let wait = answer["retryAfterMs"].as_u64().unwrap();
    assert!(Duration::from_millis(wait) <= Duration::from_secs(60) && wait > 50_000, "{wait}");
    let answer = enter(&mut other, "r", json!({"password": "x"})).await;
    assert_eq!(short(&answer), refused("join-error", "room-held"));
    let (_host, joined) = comes_back(&server, &joined["returnToken"]).await;
    assert_eq!((&joined["role"], &joined["room"]["hasPassword"]), (&json!("host"), &json!(true)));
    assert_eq!(enter(&mut other, "r", json!({"password": "x"})).await["type"], "joined");
}

#[tokio::test]
async fn an_open_room_waits_for_nobody() {
    let server = TestServer::start();
    let mut host = server.client().await;
    let token = host.join("r").await["returnToken"].clone();
    host.say(json!({"type": "leave", "roomId": "r"})).await;
    host.hear_of("left").await;
    let (_, joined) = comes_back(&server, &token).await;
    assert_eq!(joined["type"], "joined");
    assert_ne!(joined["returnToken"], token);
}
