//! Clients: looked at, removed from their rooms, disconnected.

use futures_util::StreamExt;
use serde_json::json;
use signalpost::admin::pb::{
    Ban, Client, DisconnectClientRequest, GetClientRequest, RemoveClientRequest, ban::Subject,
    disconnect_client_request::BanOptions,
};

use super::{
    NOBODY, come, fails, from, seconds,
    support::{self, TestServer, events::Events, within},
};
use tokio_tungstenite::tungstenite::Message;

fn remove(client_id: &str, room_id: &str, reason: &str) -> RemoveClientRequest {
    let [client_id, room_id, reason] = [client_id, room_id, reason].map(str::to_owned);
    RemoveClientRequest { client_id, room_id, reason }
}

fn disconnect(client_id: &str, reason: &str, ban: Option<BanOptions>) -> DisconnectClientRequest {
    let (client_id, reason) = (client_id.to_owned(), reason.to_owned());
    DisconnectClientRequest { client_id, reason, ban, ..Default::default() }
}

#[tokio::test]
async fn a_client_is_shown_with_what_it_sent_and_got() {
    let server = TestServer::with("--trusted-proxy 127.0.0.1 --ping-seconds 1 --pong-seconds 60");
    let mut admin = server.admin().await;
    let url = server.url("/");
    let (socket, _) =
        within(tokio_tungstenite::connect_async(from(&url, "192.0.2.7"))).await.unwrap();
    let mut ann = support::Client { id: String::new(), welcome: json!(null), socket };
    let welcome = ann.hear_text().await;
    let id = ann.welcome_of(&welcome);
    ann.ask(json!({"type": "register", "userId": "ann", "displayName": "Ann"})).await;
    ann.join("r").await;
    ann.ask(json!({"type": "ping"})).await;

    let get = GetClientRequest { client_id: id.clone() };
    let shown = admin.get_client(get.clone()).await.unwrap().into_inner();
    let Client { client_id, user_id, display_name, room_id, address, user_agent, .. } = &shown;
    assert_eq!((&**client_id, &**room_id, &**address, &**user_agent), (&*id, "r", "192.0.2.7", ""));
    assert_eq!((user_id.as_deref(), display_name.as_deref()), (Some("ann"), Some("Ann")));
    assert_eq!((shown.messages_in, shown.messages_out), (3, 4));
    assert!((100..1000).contains(&shown.bytes_in) && (200..2000).contains(&shown.bytes_out));
    assert_eq!((shown.queue_messages, shown.queue_bytes), (0, 0));
    assert!(shown.connect_time.is_some());

    // The library answers a ping when something is said after it.
    while !matches!(within(ann.socket.next()).await, Some(Ok(Message::Ping(_)))) {}
    ann.ask(json!({"type": "ping"})).await;
    ann.ask(json!({"type": "ping"})).await;
    let shown = admin.get_client(get.clone()).await.unwrap().into_inner();
    let took = shown.round_trip.unwrap();
    assert!(took.seconds < 2 && took.seconds + i64::from(took.nanos) > 0, "{took:?}");

    ann.vanish();
    for (client_id, reason, fault) in
        [(NOBODY, "CLIENT_NOT_FOUND", ""), ("x", "BAD_REQUEST", "client_id")]
    {
        let get = GetClientRequest { client_id: client_id.into() };
        fails(admin.get_client(get).await, reason, fault);
    }
}

impl support::Client {
    fn welcome_of(&mut self, text: &str) -> String {
        self.welcome = serde_json::from_str(text).unwrap();
        self.welcome["clientId"].as_str().unwrap().clone_into(&mut self.id);
        self.id.clone()
    }
}

#[tokio::test]
async fn who_is_removed_from_its_room_stays_connected_and_may_join_again() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let (mut a, mut b) = (server.member("r").await, server.member("r").await);
    a.hear_of("user-joined").await;
    let mut events = Events::all(&mut admin).await;
    let shown = admin.remove_client(remove(&b.id, "r", "Calm down")).await.unwrap().into_inner();
    assert_eq!((&shown.client_id, &*shown.room_id), (&b.id, ""));
    let removed =
        json!({"type": "removed", "code": "removed", "reason": "Calm down", "roomId": "r"});
    assert_eq!(b.hear().await, removed);
    let left = json!({"type": "user-left", "userId": null, "clientId": b.id, "reason": "removed"});
    assert_eq!(a.hear().await, left);
    assert_eq!(b.ask(json!({"type": "message", "content": 1})).await["code"], "not-in-room");
    assert_eq!(b.join("r").await["members"], json!([a.id]));
    come(&mut events, &["r left removed by administrator", "r joined by client"]).await;

    // Whichever room it is; the last member takes the room along.
    admin.remove_client(remove(&b.id, "", "")).await.unwrap();
    assert_eq!(b.hear_of("removed").await["reason"], "Removed by an administrator");
    admin.remove_client(remove(&a.id, "", "")).await.unwrap();
    come(
        &mut events,
        &[
            "r left removed by administrator",
            "r left removed by administrator",
            "r closed by administrator",
        ],
    )
    .await;

    b.join("s").await;
    for (request, reason, fault) in [
        (remove(&a.id, "", ""), "NOT_IN_ROOM", ""),
        (remove(&b.id, "r", ""), "NOT_IN_ROOM", ""),
        (remove(NOBODY, "", ""), "CLIENT_NOT_FOUND", ""),
        (remove("x", "", ""), "BAD_REQUEST", "client_id"),
        (remove(&b.id, &"x".repeat(129), ""), "BAD_REQUEST", "room_id"),
        (remove(&b.id, "", &"x".repeat(257)), "BAD_REQUEST", "reason"),
    ] {
        fails(admin.remove_client(request).await, reason, fault);
    }
}

#[tokio::test]
async fn who_is_disconnected_may_come_back() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let (mut a, mut b) = (server.member("r").await, server.member("r").await);
    a.hear_of("user-joined").await;
    let mut events = Events::all(&mut admin).await;
    let answer = admin.disconnect_client(disconnect(&b.id, "", None)).await.unwrap();
    assert_eq!(answer.into_inner().bans, []);
    // Its seat is free by now.
    come(&mut events, &["r left removed by administrator"]).await;
    let usual = "Removed by an administrator";
    let removed = json!({"type": "removed", "code": "removed", "reason": usual, "roomId": "r"});
    assert_eq!(b.hear().await, removed);
    assert_eq!(b.closed().await, Some(4501));
    assert_eq!(a.hear().await["reason"], "removed");
    let mut b = server.member("r").await;

    // One in no room, too.
    b.ask(json!({"type": "leave", "roomId": "r"})).await;
    admin.disconnect_client(disconnect(&b.id, "So long", None)).await.unwrap();
    let removed =
        json!({"type": "removed", "code": "removed", "reason": "So long", "roomId": null});
    assert_eq!(b.hear().await, removed);
    assert_eq!(b.closed().await, Some(4501));
}

#[tokio::test]
async fn who_is_disconnected_and_banned_may_not() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut twin = server.client().await;
    twin.ask(json!({"type": "register", "userId": "eve"})).await;
    let mut eve = server.member("r").await;
    eve.ask(json!({"type": "register", "userId": "eve"})).await;
    let options = BanOptions { user_id: true, ttl: seconds(600), ..Default::default() };
    let answer = admin.disconnect_client(disconnect(&eve.id, "Spam", Some(options))).await;
    let bans = answer.unwrap().into_inner().bans;
    let [Ban { room_id, subject: Some(Subject::UserId(user_id)), reason, .. }] = &*bans else {
        panic!("{bans:?}");
    };
    assert_eq!((&**room_id, &**user_id, &**reason), ("", "eve", "Spam"));
    for (client, room) in [(&mut eve, json!("r")), (&mut twin, json!(null))] {
        let removed =
            json!({"type": "removed", "code": "banned", "reason": "Spam", "roomId": room});
        assert_eq!(client.hear().await, removed);
        assert_eq!(client.closed().await, Some(4501));
    }
    let mut back = server.client().await;
    let refused = back.ask(json!({"type": "register", "userId": "eve"})).await;
    assert_eq!(refused, json!({"type": "error", "code": "banned", "message": "Spam"}));

    // From the room only, by both.
    back.ask(json!({"type": "register", "userId": "max"})).await;
    back.join("r").await;
    let both = BanOptions { user_id: true, address: true, room_only: true, ttl: None };
    let answer = admin.disconnect_client(disconnect(&back.id, "", Some(both))).await;
    let bans = answer.unwrap().into_inner().bans;
    let subjects: Vec<_> = bans.iter().map(|ban| ban.subject.clone().unwrap()).collect();
    let expected = [Subject::UserId("max".into()), Subject::Address("127.0.0.1".into())];
    assert_eq!(subjects, expected);
    assert!(bans.iter().all(|ban| ban.room_id == "r" && ban.expiration.is_none()));
    assert_eq!(back.hear().await["code"], "banned");
    assert_eq!(back.closed().await, Some(4501));
    let mut back = server.client().await;
    assert_eq!(back.ask(json!({"type": "join", "roomId": "r"})).await["code"], "banned");
    back.join("elsewhere").await;
}

#[tokio::test]
async fn a_disconnect_that_cannot_be_done_is_not_done() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut a = server.client().await;
    let by_user = BanOptions { user_id: true, ..Default::default() };
    let room_only = BanOptions { address: true, room_only: true, ..Default::default() };
    let never = BanOptions { address: true, ttl: seconds(0), ..Default::default() };
    for (request, reason, fault) in [
        (disconnect(NOBODY, "", None), "CLIENT_NOT_FOUND", ""),
        (disconnect("x", "", None), "BAD_REQUEST", "client_id"),
        (disconnect(&a.id, &"x".repeat(257), None), "BAD_REQUEST", "reason"),
        (disconnect(&a.id, "", Some(BanOptions::default())), "BAD_REQUEST", "ban"),
        (disconnect(&a.id, "", Some(never)), "BAD_REQUEST", "ban.ttl"),
        (disconnect(&a.id, "", Some(by_user)), "NO_USER_ID", ""),
        (disconnect(&a.id, "", Some(room_only)), "NOT_IN_ROOM", ""),
    ] {
        fails(admin.disconnect_client(request).await, reason, fault);
    }
    a.hears_nothing().await;
}
