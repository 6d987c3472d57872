//! What hosts may do, and nobody else.

use serde_json::{Value, json};

use crate::{
    done, outcome, refused, short,
    support::{Client, TestServer},
};

/// A host and two members of room `r`, each of whom has heard all of it.
async fn three(server: &TestServer) -> [Client; 3] {
    let mut host = server.member("r").await;
    let mut bob = server.member("r").await;
    let cid = server.member("r").await;
    for _ in 0..2 {
        assert_eq!(host.hear().await["type"], "user-joined");
    }
    assert_eq!(bob.hear().await["type"], "user-joined");
    [host, bob, cid]
}

/// One of each request, about `target`.
fn orders(target: &str) -> [Value; 7] {
    [
        json!({"type": "update-room", "locked": true}),
        json!({"type": "update-room", "password": "correct horse"}),
        json!({"type": "set-role", "targetId": target, "role": "host"}),
        json!({"type": "remove", "targetId": target, "seconds": 60}),
        json!({"type": "ask-to-mute", "targetId": target}),
        json!({"type": "admit"}),
        json!({"type": "deny", "targetId": target}),
    ]
}

#[tokio::test]
async fn only_a_host_commands_and_only_where_it_sits() {
    let server = TestServer::with("--rate-limit 0");
    let [mut host, mut bob, mut cid] = three(&server).await;
    let mut elsewhere = server.member("other").await;
    let mut nowhere = server.client().await;
    for order in orders(&cid.id) {
        let forbidden = refused("error", "forbidden");
        assert_eq!(outcome(&mut bob, order.clone()).await, forbidden, "{order}");
        assert_eq!(outcome(&mut nowhere, order).await, refused("error", "not-in-room"));
    }
    for (order, answer) in orders(&cid.id).into_iter().zip([
        done(),
        done(),
        refused("error", "peer-not-found"),
        refused("error", "peer-not-found"),
        refused("error", "peer-not-found"),
        done(),
        refused("error", "peer-not-found"),
    ]) {
        assert_eq!(outcome(&mut elsewhere, order.clone()).await, answer, "{order}");
    }
    host.hears_nothing().await;
    cid.hears_nothing().await;
}

#[tokio::test]
async fn a_host_locks_sizes_and_guards_its_room_and_everybody_hears_so() {
    let server = TestServer::start();
    let [mut host, mut bob, _cid] = three(&server).await;
    let update = json!({
        "type": "update-room", "locked": true, "maxMembers": 2, "password": "x", "lobby": true,
        "requestId": "5",
    });
    host.say(update).await;
    let room = json!({
        "locked": true, "maxMembers": 2, "metadata": {}, "hasPassword": true, "lobby": true,
    });
    for client in [&mut host, &mut bob] {
        assert_eq!(client.hear_of("room-updated").await["room"]["lobby"], true);
        assert_eq!(client.hear().await, json!({"type": "room-updated", "room": room}));
    }
    assert_eq!(host.hear().await, json!({"type": "done", "requestId": "5"}));
    let mut late = server.client().await;
    let join = json!({"type": "join", "roomId": "r"});
    assert_eq!(outcome(&mut late, join).await, refused("join-error", "room-full"));
    // Nulls and nothing change nothing.
    for update in
        [json!({}), json!({"locked": null, "maxMembers": null, "lobby": null, "later": 1})]
    {
        let mut update = update;
        update["type"] = json!("update-room");
        assert_eq!(outcome(&mut host, update).await, done());
    }
    bob.hears_nothing().await;
}

#[tokio::test]
async fn bad_fields_are_named() {
    let server = TestServer::with("--rate-limit 0");
    let [mut host, bob, _cid] = three(&server).await;
    let id = &bob.id;
    for (bad, field) in [
        (json!({"type": "update-room", "locked": 1}), "locked"),
        (json!({"type": "update-room", "lobby": "yes"}), "lobby"),
        (json!({"type": "update-room", "maxMembers": 0}), "maxMembers"),
        (json!({"type": "update-room", "maxMembers": 1.5}), "maxMembers"),
        (json!({"type": "update-room", "maxMembers": "2"}), "maxMembers"),
        (json!({"type": "update-room", "maxMembers": 11}), "maxMembers"),
        (json!({"type": "update-room", "maxMembers": 10_001}), "maxMembers"),
        (json!({"type": "update-room", "password": ""}), "password"),
        (json!({"type": "update-room", "password": 1}), "password"),
        (json!({"type": "update-room", "password": "x".repeat(129)}), "password"),
        (json!({"type": "set-role", "targetId": id}), "role"),
        (json!({"type": "set-role", "targetId": id, "role": "guest"}), "role"),
        (json!({"type": "set-role", "targetId": id, "role": null}), "role"),
        (json!({"type": "set-role", "role": "host"}), "targetId"),
        (json!({"type": "remove"}), "targetId"),
        (json!({"type": "remove", "targetId": 1}), "targetId"),
        (json!({"type": "remove", "targetId": id, "seconds": 0}), "seconds"),
        (json!({"type": "remove", "targetId": id, "seconds": -1}), "seconds"),
        (json!({"type": "remove", "targetId": id, "seconds": 86_401}), "seconds"),
        (json!({"type": "ask-to-mute"}), "targetId"),
        (json!({"type": "admit", "targetId": 1}), "targetId"),
        (json!({"type": "deny"}), "targetId"),
        (json!({"type": "join", "roomId": "r", "password": 1}), "password"),
        (json!({"type": "join", "roomId": "r", "password": ""}), "password"),
        (json!({"type": "join", "roomId": "r", "returnToken": {}}), "returnToken"),
        (json!({"type": "join", "roomId": "r", "returnToken": "x".repeat(65)}), "returnToken"),
    ] {
        let answer = host.ask(bad.clone()).await;
        assert_eq!(answer["code"], "bad-message", "{bad}");
        let words = answer["message"].as_str().or_else(|| answer["error"].as_str()).unwrap();
        assert!(words.contains(&format!("`{field}`")), "{bad}: {words}");
    }
    host.say_text(r#"{"type":"admit","seconds":1,"seconds":2}"#).await;
    assert_eq!(short(&host.hear().await), refused("error", "bad-message"));
    host.hears_nothing().await;
}

#[tokio::test]
async fn hosts_are_made_and_unmade_and_there_is_always_one() {
    let server = TestServer::start();
    let [mut host, mut bob, mut cid] = three(&server).await;
    let make = |id: &str, role: &str| json!({"type": "set-role", "targetId": id, "role": role});
    let itself = make(&host.id, "member");
    assert_eq!(outcome(&mut host, itself.clone()).await, refused("error", "last-host"));
    assert_eq!(outcome(&mut host, make(&bob.id, "host")).await, done());
    let changed = json!({"type": "role-changed", "clientId": bob.id, "role": "host"});
    assert_eq!(bob.hear().await, changed);
    assert_eq!(cid.hear().await, changed);
    assert_eq!(outcome(&mut host, itself).await, done());
    let changed = json!({"type": "role-changed", "clientId": host.id, "role": "member"});
    assert_eq!(bob.hear().await, changed);
    assert_eq!(cid.hear().await, changed);
    let order = make(&cid.id, "host");
    assert_eq!(outcome(&mut host, order).await, refused("error", "forbidden"));

    // The longest seated takes over.
    bob.vanish();
    assert_eq!(cid.hear_of("role-changed").await["clientId"], json!(host.id));
}

#[tokio::test]
async fn without_first_hosts_nobody_is_one() {
    let server = TestServer::with("--first-member-is-host=false");
    let mut first = server.client().await;
    assert_eq!(first.join("r").await["role"], "member");
    let lock = json!({"type": "update-room", "locked": true});
    assert_eq!(outcome(&mut first, lock).await, refused("error", "forbidden"));
}

#[tokio::test]
async fn who_is_removed_hears_so_and_may_come_back() {
    let server = TestServer::start();
    let [mut host, mut bob, mut cid] = three(&server).await;
    let remove = json!({"type": "remove", "targetId": bob.id});
    assert_eq!(outcome(&mut host, remove.clone()).await, done());
    let reason = "Removed by a host";
    let removed = json!({"type": "removed", "code": "removed", "reason": reason, "roomId": "r"});
    assert_eq!(bob.hear().await, removed);
    let left =
        json!({"type": "user-left", "userId": null, "clientId": bob.id, "reason": "removed"});
    assert_eq!(cid.hear().await, left);
    assert_eq!(outcome(&mut host, remove).await, refused("error", "peer-not-found"));
    bob.join("r").await;
}

#[tokio::test]
async fn who_is_removed_for_a_time_is_banned_and_nobody_beside_it_goes() {
    let server = TestServer::start();
    let [mut host, mut bob, mut cid] = three(&server).await;
    let remove = json!({"type": "remove", "targetId": bob.id, "seconds": 60});
    assert_eq!(outcome(&mut host, remove).await, done());
    assert_eq!(bob.hear().await["code"], "removed");
    let join = json!({"type": "join", "roomId": "r"});
    let answer = bob.ask(join.clone()).await;
    assert_eq!(short(&answer), refused("join-error", "banned"));
    assert_eq!(answer["error"], "Removed by a host");
    assert_eq!(cid.hear().await["reason"], "removed");
    // They are from the same address here, and go on under any name.
    let register = json!({"type": "register", "userId": "cid"});
    assert_eq!(cid.ask(register).await["type"], "registered");
    assert_eq!(host.hear().await["type"], "user-updated");
    let mut other = server.client().await;
    assert_eq!(outcome(&mut other, join).await, refused("join-error", "banned"));
    other.join("elsewhere").await;
}

#[tokio::test]
async fn whom_hosts_keep_out_of_a_room_may_come_once_it_has_ended() {
    let server = TestServer::start();
    let [mut host, mut bob, cid] = three(&server).await;
    drop(cid);
    host.hear_of("user-left").await;
    bob.hear_of("user-left").await;
    let remove = json!({"type": "remove", "targetId": bob.id, "seconds": 60});
    assert_eq!(outcome(&mut host, remove).await, done());
    assert_eq!(bob.hear().await["code"], "removed");
    let join = json!({"type": "join", "roomId": "r"});
    assert_eq!(outcome(&mut bob, join).await, refused("join-error", "banned"));
    host.say(json!({"type": "leave", "roomId": "r"})).await;
    host.hear_of("left").await;
    bob.join("r").await;
}

#[tokio::test]
async fn a_member_is_asked_to_mute_itself() {
    let server = TestServer::start();
    let [mut host, mut bob, mut cid] = three(&server).await;
    let ask = json!({"type": "ask-to-mute", "targetId": bob.id});
    assert_eq!(outcome(&mut host, ask).await, done());
    assert_eq!(bob.hear().await, json!({"type": "mute-requested", "fromId": host.id}));
    cid.hears_nothing().await;
}

#[tokio::test]
async fn a_host_changes_its_room_no_more_often_than_anybody_joins() {
    let server = TestServer::start();
    let [mut host, bob, _cid] = three(&server).await;
    let mut seen = Vec::new();
    for nth in 0..22 {
        let order = match nth % 3 {
            0 => json!({"type": "update-room", "locked": nth % 2 == 0}),
            1 => json!({"type": "set-role", "targetId": bob.id, "role": "host"}),
            _ => json!({"type": "remove", "targetId": "00000000-0000-4000-8000-000000000000"}),
        };
        let answer = host.ask(order).await;
        seen.push(answer["code"] == "rate-limited" && answer["retryAfterMs"].is_u64());
    }
    // Its join was the first of 20.
    assert_eq!(seen.iter().position(|limited| *limited), Some(19));
    let ask = json!({"type": "ask-to-mute", "targetId": bob.id});
    assert_eq!(outcome(&mut host, ask).await, done());
}

#[tokio::test]
async fn hosts_who_unmake_each_other_leave_one() {
    let server = TestServer::with("--rate-limit 0");
    let [mut host, mut bob, mut cid] = three(&server).await;
    for _ in 0..20 {
        let both = json!({"type": "set-role", "targetId": bob.id, "role": "host"});
        assert_eq!(outcome(&mut host, both).await, done());
        let unmake = |id: &str| json!({"type": "set-role", "targetId": id, "role": "member"});
        let (of_host, of_bob) = (unmake(&bob.id), unmake(&host.id));
        let answers = tokio::join!(outcome(&mut host, of_host), outcome(&mut bob, of_bob));
        let won = [&answers.0, &answers.1].into_iter().filter(|answer| **answer == done()).count();
        assert_eq!(won, 1, "{answers:?}");
        if answers.1 == done() {
            std::mem::swap(&mut host, &mut bob);
        }
    }
    cid.hear_of("role-changed").await;
}

#[tokio::test]
async fn a_removal_and_a_leave_in_the_same_moment_are_one_departure() {
    let server = TestServer::with("--rate-limit 0");
    let [mut host, mut bob, mut cid] = three(&server).await;
    for _ in 0..20 {
        let remove = json!({"type": "remove", "targetId": bob.id});
        bob.say(json!({"type": "leave", "roomId": "r"})).await;
        let (kind, code) = outcome(&mut host, remove).await;
        assert!(kind == "done" || code == "peer-not-found");
        let heard = bob.hear().await;
        assert!(heard["type"] == if kind == "done" { "removed" } else { "left" }, "{heard}");
        bob.hears_nothing().await;
        assert_eq!(cid.hear().await["type"], "user-left");
        cid.hears_nothing().await;
        bob.join("r").await;
        assert_eq!(cid.hear().await["type"], "user-joined");
    }
}
