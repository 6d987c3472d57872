//! Hosts on one node, those whom they let in or send away on others.

use serde_json::{Value, json};
use signalpost::admin::pb::{
    AdmitClientRequest, DenyClientRequest, ListWaitingRequest, Role, SetRoleRequest,
};

use crate::{fleet::Fleet, redis::Kind, support::Client};

on_both_kinds![
    a_password_holds_on_every_node,
    a_lobby_is_one_for_all_nodes,
    administrators_let_in_and_send_away_at_any_node,
    roles_are_given_and_passed_on_across_nodes,
    a_host_removes_bans_and_asks_to_mute_on_other_nodes,
    whoever_lost_its_seat_comes_back_by_another_node,
    a_seat_that_still_stands_is_taken_over_by_another_node,
];

async fn a_password_holds_on_every_node(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let mut host = fleet.client(0).await;
    enter(&mut host, json!({"password": "first"})).await;
    let mut guests = [fleet.client(1).await, fleet.client(2).await];
    for (password, code) in [
        (json!(null), json!("password-required")),
        (json!("wrong"), json!("wrong-password")),
        (json!("first"), Value::Null),
    ] {
        for guest in &mut guests {
            assert_eq!(enter(guest, json!({"password": password})).await["code"], code);
        }
    }
    let mut late = [fleet.client(1).await, fleet.client(2).await];
    for password in [json!("second"), json!("third")] {
        done(&mut host, json!({"type": "update-room", "password": password})).await;
        for guest in &mut late {
            let old = enter(guest, json!({"password": "first"})).await;
            assert_eq!(old["code"], "wrong-password");
            assert_eq!(enter(guest, json!({"password": password})).await["type"], "joined");
            guest.ask(json!({"type": "leave", "roomId": "r"})).await;
        }
    }
    done(&mut host, json!({"type": "update-room", "password": null})).await;
    for guest in &mut late {
        assert_eq!(enter(guest, json!({})).await["room"]["hasPassword"], false);
    }
}

async fn a_lobby_is_one_for_all_nodes(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let mut host = fleet.member(0, "r").await;
    done(&mut host, json!({"type": "update-room", "lobby": true})).await;
    let mut bob = fleet.client(1).await;
    bob.ask(json!({"type": "register", "userId": "bob"})).await;
    assert_eq!(enter(&mut bob, json!({"metadata": 7})).await["type"], "waiting");
    let knock = host.hear_of("knock").await;
    assert_eq!((&knock["clientId"], &knock["userId"]), (&json!(bob.id), &json!("bob")));
    assert_eq!(knock["metadata"], 7);

    host.say(json!({"type": "message", "content": "not for who waits"})).await;
    done(&mut host, json!({"type": "admit", "targetId": bob.id})).await;
    assert_eq!(bob.hear().await["members"], json!([host.id]));

    let mut cid = fleet.client(2).await;
    assert_eq!(enter(&mut cid, json!({})).await["type"], "waiting");
    host.hear_of("knock").await;
    done(&mut host, json!({"type": "deny", "targetId": cid.id})).await;
    assert_eq!(cid.hear().await["code"], "denied");

    // Whoever becomes host on another node hears who waits, and may decide.
    assert_eq!(enter(&mut cid, json!({})).await["type"], "waiting");
    let mut dan = fleet.client(0).await;
    assert_eq!(enter(&mut dan, json!({})).await["type"], "waiting");
    done(&mut host, json!({"type": "set-role", "targetId": bob.id, "role": "host"})).await;
    for waiting in [&cid, &dan] {
        assert_eq!(bob.hear_of("knock").await["clientId"], waiting.id);
    }
    done(&mut bob, json!({"type": "admit"})).await;
    assert_eq!(cid.hear().await["members"], json!([host.id, bob.id]));
    assert_eq!(dan.hear().await["members"], json!([host.id, bob.id, cid.id]));
    fleet.agrees_on("r", &[&host, &bob, &cid, &dan]).await;

    // Who goes while it waits, waits no longer.
    let mut eve = fleet.client(2).await;
    assert_eq!(enter(&mut eve, json!({})).await["type"], "waiting");
    let gone = eve.id.clone();
    eve.vanish();
    for host in [&mut host, &mut bob] {
        while host.hear_of("knock-ended").await["clientId"] != gone {}
    }
}

async fn administrators_let_in_and_send_away_at_any_node(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let mut host = fleet.member(0, "r").await;
    done(&mut host, json!({"type": "update-room", "lobby": true})).await;
    let mut waiting = Vec::new();
    for node in [1, 2, 1, 0] {
        let mut client = fleet.client(node).await;
        assert_eq!(enter(&mut client, json!({})).await["type"], "waiting");
        waiting.push(client);
    }
    for node in 0..3 {
        let mut admin = fleet.admin(node).await;
        let mut shown = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListWaitingRequest { room_id: "r".into(), page_size: 3, page_token };
            let page = admin.list_waiting(request).await.unwrap().into_inner();
            shown.extend(page.waiting.into_iter().map(|waiting| waiting.client_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert!(shown.iter().eq(waiting.iter().map(|client| &client.id)), "node {node}");
    }
    for (nth, client) in waiting.iter_mut().enumerate() {
        let (client_id, room_id) = (client.id.clone(), "r".to_owned());
        let mut admin = fleet.admin((nth + 2) % 3).await;
        if nth % 2 == 0 {
            let admit = AdmitClientRequest { client_id, room_id };
            let admitted = admin.admit_client(admit).await.unwrap().into_inner();
            assert_eq!((&*admitted.client_id, &*admitted.room_id), (&*client.id, "r"));
            assert_eq!(client.hear_of("joined").await["roomId"], "r");
        } else {
            let deny = DenyClientRequest { client_id, room_id };
            let denied = admin.deny_client(deny).await.unwrap().into_inner();
            assert_eq!(denied.waiting_room_id, "");
            assert_eq!(client.hear().await["code"], "denied");
        }
    }
    fleet.agrees_on("r", &[&host, &waiting[0], &waiting[2]]).await;
}

async fn roles_are_given_and_passed_on_across_nodes(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let (mut a, mut b) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    let mut c = fleet.member(2, "r").await;
    let lock = |locked| json!({"type": "update-room", "locked": locked});
    assert_eq!(b.ask(lock(true)).await["code"], "forbidden");
    done(&mut a, json!({"type": "set-role", "targetId": b.id, "role": "host"})).await;
    let changed = json!({"type": "role-changed", "clientId": b.id, "role": "host"});
    for member in [&mut b, &mut c] {
        assert_eq!(member.hear_of("role-changed").await, changed);
    }
    done(&mut b, lock(true)).await;
    assert_eq!(c.hear_of("room-updated").await["room"]["locked"], true);

    let role = |id: &str, role: Role| SetRoleRequest {
        client_id: id.to_owned(),
        role: role.into(),
        ..Default::default()
    };
    let made = fleet.admin(0).await.set_role(role(&c.id, Role::Host)).await.unwrap().into_inner();
    assert_eq!(made.role(), Role::Host);
    done(&mut c, lock(false)).await;
    let made = fleet.admin(1).await.set_role(role(&c.id, Role::Member)).await.unwrap();
    assert_eq!(made.into_inner().role(), Role::Member);
    assert_eq!(c.ask(lock(true)).await["code"], "forbidden");

    // With the last host gone, whoever has sat there for longest becomes one.
    for host in [&mut a, &mut b] {
        host.ask(json!({"type": "leave", "roomId": "r"})).await;
    }
    while c.hear_of("role-changed").await["clientId"] != c.id {}
    done(&mut c, lock(true)).await;
}

async fn a_host_removes_bans_and_asks_to_mute_on_other_nodes(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let (mut host, mut bob) = (fleet.member(0, "r").await, fleet.member(1, "r").await);
    let mut cid = fleet.member(2, "r").await;
    bob.hear_of("user-joined").await;
    done(&mut host, json!({"type": "ask-to-mute", "targetId": bob.id})).await;
    assert_eq!(bob.hear().await, json!({"type": "mute-requested", "fromId": host.id}));

    done(&mut host, json!({"type": "remove", "targetId": bob.id})).await;
    let removed = bob.hear().await;
    assert_eq!((&removed["type"], &removed["code"]), (&json!("removed"), &json!("removed")));
    assert_eq!(cid.hear().await["reason"], "removed");
    assert_eq!(enter(&mut bob, json!({})).await["type"], "joined");

    done(&mut host, json!({"type": "remove", "targetId": bob.id, "seconds": 60})).await;
    bob.hear_of("removed").await;
    for node in 0..3 {
        let mut again = fleet.client(node).await;
        assert_eq!(enter(&mut again, json!({})).await["code"], "banned", "node {node}");
    }
    fleet.agrees_on("r", &[&host, &cid]).await;
}

async fn whoever_lost_its_seat_comes_back_by_another_node(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let mut host = fleet.member(0, "r").await;
    let mut bob = fleet.client(1).await;
    let token = bob.join("r").await["returnToken"].clone();
    for (node, guard) in [json!({"locked": true}), json!({"password": "x"}), json!({"lobby": true})]
        .iter()
        .enumerate()
    {
        let mut update = guard.clone();
        update["type"] = json!("update-room");
        done(&mut host, update).await;
        bob.vanish();
        assert_eq!(host.hear_of("user-left").await["reason"], "disconnected");
        let mut stranger = fleet.client(node).await;
        assert_ne!(enter(&mut stranger, json!({})).await["type"], "joined", "{guard}");
        bob = fleet.client(node).await;
        let joined = enter(&mut bob, json!({"returnToken": token})).await;
        assert_eq!(joined["type"], "joined", "{guard}");
        assert_eq!(joined["returnToken"], token);
    }
    fleet.agrees_on("r", &[&host, &bob]).await;
}

async fn a_seat_that_still_stands_is_taken_over_by_another_node(kind: Kind) {
    let fleet = Fleet::start(kind).await;
    let mut host = fleet.member(0, "r").await;
    let mut old = fleet.client(1).await;
    let token = old.join("r").await["returnToken"].clone();
    assert_eq!(host.hear().await["clientId"], old.id);
    let mut new = fleet.client(2).await;
    assert_eq!(enter(&mut new, json!({"returnToken": token})).await["type"], "joined");
    assert_eq!(old.closed().await, Some(4002));
    let left = host.hear().await;
    assert_eq!((&left["clientId"], &left["reason"]), (&json!(old.id), &json!("rejoined")));
    assert_eq!(host.hear().await["clientId"], new.id);
    fleet.agrees_on("r", &[&host, &new]).await;
}

/// Asks for a seat in room `r`, with these fields more.
async fn enter(client: &mut Client, mut more: Value) -> Value {
    more["type"] = json!("join");
    more["roomId"] = json!("r");
    client.ask(more).await
}

async fn done(host: &mut Client, order: Value) {
    let answer = host.ask(order).await;
    assert_eq!(answer, json!({"type": "done"}));
}
