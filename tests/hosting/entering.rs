//! Passwords: what opens a room, and what does not.

use serde_json::{Value, json};

use crate::{
    done, enter, outcome, refused, short,
    support::{Client, TestServer},
};

const PASSWORD: &str = "correct horse";

async fn password_room(server: &TestServer) -> (Client, Value) {
    let mut host = server.client().await;
    let joined = enter(&mut host, "r", json!({"password": PASSWORD})).await;
    assert_eq!(joined["type"], "joined", "{joined}");
    (host, joined)
}

#[tokio::test]
async fn a_password_given_at_birth_is_asked_of_all_others() {
    let server = TestServer::start();
    let (mut host, joined) = password_room(&server).await;
    assert_eq!((&joined["role"], &joined["room"]["hasPassword"]), (&json!("host"), &json!(true)));
    let mut guest = server.client().await;
    for (shown, code) in [
        (json!({}), "password-required"),
        (json!({"password": null}), "password-required"),
        (json!({"password": "wrong"}), "wrong-password"),
    ] {
        let answer = enter(&mut guest, "r", shown).await;
        assert_eq!(short(&answer), refused("join-error", code));
    }
    host.hears_nothing().await;
    let joined = enter(&mut guest, "r", json!({"password": PASSWORD})).await;
    assert_eq!((&joined["type"], &joined["role"]), (&json!("joined"), &json!("member")));
    assert_eq!(host.hear().await["type"], "user-joined");
}

#[tokio::test]
async fn whoever_sits_there_needs_no_password_to_sit_down_anew() {
    let server = TestServer::start();
    let (mut host, _) = password_room(&server).await;
    for shown in [json!({}), json!({"password": "wrong"})] {
        let joined = enter(&mut host, "r", shown).await;
        assert_eq!((&joined["type"], &joined["role"]), (&json!("joined"), &json!("host")));
    }
}

#[tokio::test]
async fn a_room_without_a_password_does_not_look_protected() {
    let server = TestServer::start();
    let _squatter = server.member("r").await;
    let mut guest = server.member("elsewhere").await;
    let answer = enter(&mut guest, "r", json!({"password": PASSWORD})).await;
    assert_eq!(short(&answer), refused("join-error", "password-not-set"));
    let message = json!({"type": "message", "content": 1});
    guest.say(message).await;
    guest.hears_nothing().await;
}

#[tokio::test]
async fn a_host_sets_and_changes_and_lifts_a_password() {
    let server = TestServer::start();
    let mut host = server.member("r").await;
    let mut guest = server.client().await;
    for (set, shown, code) in [
        (json!("one"), json!("two"), "wrong-password"),
        (json!("two"), json!("one"), "wrong-password"),
        (Value::Null, json!("two"), "password-not-set"),
    ] {
        let update = json!({"type": "update-room", "password": set});
        assert_eq!(outcome(&mut host, update).await, done());
        let answer = enter(&mut guest, "r", json!({"password": shown})).await;
        assert_eq!(short(&answer), refused("join-error", code), "{set}");
    }
    guest.join("r").await;
}

#[tokio::test]
async fn where_rooms_have_no_passwords_nobody_gives_one() {
    let server = TestServer::with("--room-passwords=false");
    let mut client = server.client().await;
    let answer = enter(&mut client, "r", json!({"password": PASSWORD})).await;
    assert_eq!(short(&answer), refused("join-error", "passwords-off"));
    client.join("r").await;
    let update = json!({"type": "update-room", "password": PASSWORD});
    assert_eq!(outcome(&mut client, update).await, refused("error", "passwords-off"));
    let update = json!({"type": "update-room", "password": null, "locked": true});
    assert_eq!(outcome(&mut client, update).await, done());
}

#[tokio::test]
async fn whoever_guesses_is_told_when_it_may_go_on() {
    let server = TestServer::start();
    let _host = password_room(&server).await;
    let mut guesser = server.client().await;
    for _ in 0..5 {
        let answer = enter(&mut guesser, "r", json!({"password": "guess"})).await;
        assert_eq!(short(&answer), refused("join-error", "wrong-password"));
    }
    // On a slow machine another one may be due by now.
    let answer = loop {
        let answer = enter(&mut guesser, "r", json!({"password": "guess"})).await;
        if short(&answer) != refused("join-error", "wrong-password") {
            break answer;
        }
    };
    assert_eq!(short(&answer), refused("join-error", "rate-limited"));
    let wait = answer["retryAfterMs"].as_u64().unwrap();
    assert!((1..=5000).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_member_moves_only_with_the_right_password() {
    let server = TestServer::start();
    let (_host, _) = password_room(&server).await;
    let mut mate = server.member("old").await;
    let mut mover = server.member("old").await;
    assert_eq!(mate.hear().await["type"], "user-joined");
    let answer = enter(&mut mover, "r", json!({"password": "wrong"})).await;
    assert_eq!(short(&answer), refused("join-error", "wrong-password"));
    mate.hears_nothing().await;
    mover.say(json!({"type": "join", "roomId": "r", "password": PASSWORD})).await;
    assert_eq!(mover.hear().await, json!({"type": "left", "roomId": "old"}));
    assert_eq!(mover.hear().await["type"], "joined");
    assert_eq!(mate.hear().await["reason"], "moved");
}
