//! A lobby: who waits is out of the room, and hosts say who comes in.

use serde_json::{Value, json};

use crate::{
    done, enter, outcome, refused, short,
    support::{Client, TestServer},
};

/// The host of room `r`, which has a lobby from now on.
async fn host(server: &TestServer) -> Client {
    let mut host = server.member("r").await;
    lobby(&mut host, true).await;
    host
}

async fn lobby(host: &mut Client, wanted: bool) {
    let update = json!({"type": "update-room", "lobby": wanted});
    assert_eq!(outcome(host, update).await, done());
}

/// Somebody who waits for a seat in room `r`; its host has heard it knock.
async fn waiter(server: &TestServer, host: &mut Client) -> Client {
    let mut waiter = server.client().await;
    waiter.say(json!({"type": "join", "roomId": "r", "requestId": "in"})).await;
    let waiting = json!({"type": "waiting", "roomId": "r", "requestId": "in"});
    assert_eq!(waiter.hear().await, waiting);
    assert_eq!(host.hear().await, knock(&waiter));
    waiter
}

fn knock(waiter: &Client) -> Value {
    json!({
        "type": "knock", "clientId": waiter.id, "userId": null, "displayName": null,
        "metadata": null,
    })
}

fn ended(waiter: &Client, reason: &str) -> Value {
    json!({"type": "knock-ended", "clientId": waiter.id, "reason": reason})
}

#[tokio::test]
async fn who_waits_hears_and_sends_nothing_until_a_host_lets_it_in() {
    let server = TestServer::start();
    let mut host = host(&server).await;
    let mut bob = waiter(&server, &mut host).await;
    let content = json!({"type": "message", "content": 1});
    host.say(content.clone()).await;
    host.say(json!({"type": "offer", "targetId": bob.id, "sdp": 1})).await;
    assert_eq!(short(&host.hear().await), refused("error", "peer-not-found"));
    for request in [
        content.clone(),
        json!({"type": "candidate", "targetId": host.id, "candidate": null}),
        json!({"type": "admit"}),
        json!({"type": "update-room", "lobby": false}),
    ] {
        bob.say(request).await;
        assert_eq!(short(&bob.hear().await), refused("error", "not-in-room"));
    }
    bob.hears_nothing().await;
    host.hears_nothing().await;

    let admit = json!({"type": "admit", "targetId": bob.id});
    assert_eq!(outcome(&mut host, admit).await, done());
    let joined = bob.hear().await;
    assert_eq!((&joined["type"], &joined["requestId"]), (&json!("joined"), &json!("in")));
    assert_eq!(joined["members"], json!([host.id]));
    bob.say(content).await;
    assert_eq!(host.hear().await["content"], 1);
}

#[tokio::test]
async fn who_is_denied_hears_so_and_may_ask_again() {
    let server = TestServer::start();
    let mut host = host(&server).await;
    let mut bob = waiter(&server, &mut host).await;
    host.say(json!({"type": "deny", "targetId": bob.id})).await;
    assert_eq!(host.hear().await, ended(&bob, "denied"));
    assert_eq!(host.hear().await, json!({"type": "done"}));
    let answer = bob.hear().await;
    assert_eq!(
        (short(&answer), &answer["requestId"]),
        (refused("join-error", "denied"), &json!("in"))
    );
    let deny = json!({"type": "deny", "targetId": bob.id});
    assert_eq!(outcome(&mut host, deny).await, refused("error", "peer-not-found"));
    assert_eq!(enter(&mut bob, "r", json!({})).await["type"], "waiting");
}

#[tokio::test]
async fn waiting_ends_with_leaving_moving_and_going() {
    let server = TestServer::start();
    let mut host = host(&server).await;
    let mut bob = waiter(&server, &mut host).await;
    bob.say(json!({"type": "leave", "roomId": "elsewhere"})).await;
    bob.say(json!({"type": "leave", "roomId": "r", "requestId": "out"})).await;
    assert_eq!(bob.hear().await, json!({"type": "left", "roomId": "r", "requestId": "out"}));
    assert_eq!(host.hear().await, ended(&bob, "left"));

    let mut cid = waiter(&server, &mut host).await;
    cid.say(json!({"type": "join", "roomId": "other"})).await;
    assert_eq!(cid.hear().await, json!({"type": "left", "roomId": "r"}));
    assert_eq!(cid.hear().await["type"], "joined");
    assert_eq!(host.hear().await, ended(&cid, "moved"));

    // And from a seat into a lobby.
    cid.say(json!({"type": "join", "roomId": "r"})).await;
    assert_eq!(cid.hear().await, json!({"type": "left", "roomId": "other"}));
    assert_eq!(cid.hear().await, json!({"type": "waiting", "roomId": "r"}));
    assert_eq!(host.hear().await, knock(&cid));
    cid.hears_nothing().await;
    let gone = ended(&cid, "disconnected");
    cid.vanish();
    assert_eq!(host.hear().await, gone);
    host.hears_nothing().await;
}

#[tokio::test]
async fn whoever_asks_again_waits_behind_the_others() {
    let server = TestServer::start();
    let mut host = host(&server).await;
    let mut bob = waiter(&server, &mut host).await;
    let cid = waiter(&server, &mut host).await;
    bob.say(json!({"type": "join", "roomId": "r", "requestId": "again"})).await;
    let waiting = json!({"type": "waiting", "roomId": "r", "requestId": "again"});
    assert_eq!(bob.hear().await, waiting);
    assert_eq!(host.hear().await, ended(&bob, "rejoined"));
    assert_eq!(host.hear().await, knock(&bob));
    host.say(json!({"type": "admit"})).await;
    for admitted in [&cid, &bob] {
        assert_eq!(host.hear().await, ended(admitted, "admitted"));
        assert_eq!(host.hear().await["clientId"], json!(admitted.id));
    }
    assert_eq!(host.hear().await, json!({"type": "done"}));
    assert_eq!(bob.hear().await["requestId"], "again");
}

#[tokio::test]
async fn a_refused_change_of_the_wish_leaves_the_waiting_as_it_was() {
    let server = TestServer::start();
    let mut host = host(&server).await;
    let mut bob = waiter(&server, &mut host).await;
    let answer = enter(&mut bob, "r", json!({"password": "x"})).await;
    assert_eq!(short(&answer), refused("join-error", "password-not-set"));
    host.hears_nothing().await;
    let admit = json!({"type": "admit", "targetId": bob.id});
    assert_eq!(outcome(&mut host, admit).await, done());
    assert_eq!(bob.hear().await["type"], "joined");
}

#[tokio::test]
async fn all_are_admitted_as_far_as_there_is_room() {
    let server = TestServer::with("--max-members 3");
    let mut host = host(&server).await;
    let mut waiters = Vec::new();
    for _ in 0..3 {
        waiters.push(waiter(&server, &mut host).await);
    }
    assert_eq!(outcome(&mut host, json!({"type": "admit"})).await, done());
    for admitted in &mut waiters[..2] {
        assert_eq!(admitted.hear().await["type"], "joined");
    }
    waiters[2].hears_nothing().await;
    let admit = json!({"type": "admit", "targetId": waiters[2].id});
    for admit in [admit, json!({"type": "admit", "targetId": null})] {
        assert_eq!(outcome(&mut host, admit).await, refused("error", "room-full"));
    }
}

#[tokio::test]
async fn a_lifted_lobby_lets_in_whom_there_is_room_for() {
    let server = TestServer::with("--max-members 2");
    let mut host = host(&server).await;
    let mut bob = waiter(&server, &mut host).await;
    let mut cid = waiter(&server, &mut host).await;
    lobby(&mut host, false).await;
    assert_eq!(bob.hear().await["type"], "joined");
    let answer = cid.hear().await;
    assert_eq!(
        (short(&answer), &answer["requestId"]),
        (refused("join-error", "room-full"), &json!("in"))
    );

    bob.say(json!({"type": "leave", "roomId": "r"})).await;
    host.hear_of("user-left").await;
    lobby(&mut host, true).await;
    let mut dan = waiter(&server, &mut host).await;
    let update = json!({"type": "update-room", "lobby": false, "locked": true});
    assert_eq!(outcome(&mut host, update).await, done());
    assert_eq!(short(&dan.hear().await), refused("join-error", "room-locked"));
}

#[tokio::test]
async fn whoever_becomes_host_hears_who_waits() {
    let server = TestServer::start();
    let mut first = server.member("r").await;
    let mut second = server.member("r").await;
    first.hear().await;
    lobby(&mut first, true).await;
    second.hear().await;
    let bob = waiter(&server, &mut first).await;
    let mut cid = waiter(&server, &mut first).await;
    cid.say(json!({"type": "register", "userId": "cid", "displayName": "Cid"})).await;
    assert_eq!(cid.hear().await["type"], "registered");
    let named = json!({
        "type": "knock", "clientId": cid.id, "userId": "cid", "displayName": "Cid", "metadata": null,
    });
    assert_eq!(first.hear().await, named);
    second.hears_nothing().await;

    let make = json!({"type": "set-role", "targetId": second.id, "role": "host"});
    assert_eq!(outcome(&mut first, make).await, done());
    assert_eq!(second.hear().await["type"], "role-changed");
    assert_eq!(second.hear().await, knock(&bob));
    assert_eq!(second.hear().await, named);
}

#[tokio::test]
async fn who_waits_goes_with_the_room_and_stays_connected() {
    let server = TestServer::start();
    let mut host = host(&server).await;
    let mut bob = waiter(&server, &mut host).await;
    host.say(json!({"type": "leave", "roomId": "r"})).await;
    let answer = bob.hear().await;
    assert_eq!(
        (short(&answer), &answer["requestId"]),
        (refused("join-error", "room-closed"), &json!("in"))
    );
    bob.join("r").await;
}

#[tokio::test]
async fn a_room_has_fifty_places_to_wait_and_no_more() {
    let server = TestServer::start();
    let mut host = host(&server).await;
    let mut waiters = Vec::new();
    for _ in 0..50 {
        waiters.push(waiter(&server, &mut host).await);
    }
    let mut late = server.client().await;
    let answer = enter(&mut late, "r", json!({})).await;
    assert_eq!(short(&answer), refused("join-error", "lobby-full"));
    // Who has a place may ask anew.
    assert_eq!(enter(&mut waiters[0], "r", json!({})).await["type"], "waiting");
    drop(waiters.pop());
    host.hear_of("knock-ended").await;
    host.hear_of("knock-ended").await;
    assert_eq!(enter(&mut late, "r", json!({})).await["type"], "waiting");
}

#[tokio::test]
async fn whoever_is_removed_for_a_time_does_not_wait_beside() {
    let server = TestServer::start();
    let mut host = host(&server).await;
    let mut bob = waiter(&server, &mut host).await;
    let admit = json!({"type": "admit", "targetId": bob.id});
    assert_eq!(outcome(&mut host, admit).await, done());
    assert_eq!(bob.hear().await["type"], "joined");
    // From the same address.
    let mut again = waiter(&server, &mut host).await;
    let remove = json!({"type": "remove", "targetId": bob.id, "seconds": 60});
    assert_eq!(outcome(&mut host, remove).await, done());
    let answer = again.hear().await;
    assert_eq!(
        (short(&answer), &answer["requestId"]),
        (refused("join-error", "banned"), &json!("in"))
    );
    again.hears_nothing().await;
}

#[tokio::test]
async fn an_admission_and_a_departure_in_the_same_moment_agree() {
    let server = TestServer::with("--rate-limit 0");
    let mut host = host(&server).await;
    for _ in 0..20 {
        let mut bob = waiter(&server, &mut host).await;
        bob.say(json!({"type": "leave", "roomId": "r", "requestId": "out"})).await;
        let admit = json!({"type": "admit", "targetId": bob.id});
        let answer = outcome(&mut host, admit).await;
        let mut heard = bob.hear().await;
        if answer == done() {
            assert_eq!(heard["type"], "joined");
            assert_eq!(host.hear().await["type"], "user-left");
            heard = bob.hear().await;
        } else {
            assert_eq!(answer, refused("error", "peer-not-found"));
        }
        assert_eq!(heard, json!({"type": "left", "roomId": "r", "requestId": "out"}));
    }
}
