//! Who is kept out, from where, and for how long.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use signalpost::admin::pb::{
    Ban, CreateBanRequest, DeleteBanRequest, DisconnectClientRequest, GetBanRequest,
    ban::{Expiration, Subject},
    disconnect_client_request::BanOptions,
};

use super::{
    Admin, NOBODY, come, fails, from, seconds,
    support::{Client, TestServer, events::Events, within},
};

fn user(user_id: &str) -> Option<Subject> {
    Some(Subject::UserId(user_id.into()))
}

fn address(address: &str) -> Option<Subject> {
    Some(Subject::Address(address.into()))
}

async fn ban(admin: &mut Admin, ban: Ban) -> Ban {
    let request = CreateBanRequest { ban: Some(ban), ..Default::default() };
    admin.create_ban(request).await.unwrap().into_inner()
}

async fn lift(admin: &mut Admin, ban: &Ban) {
    admin.delete_ban(DeleteBanRequest { ban_id: ban.ban_id.clone() }).await.unwrap();
}

async fn register(client: &mut Client, user_id: &str) -> Value {
    client.ask(json!({"type": "register", "userId": user_id})).await
}

#[tokio::test]
async fn who_is_banned_by_name_cannot_come_back_under_it() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let (mut ann, mut eve) = (server.member("r").await, server.member("r").await);
    register(&mut eve, "eve").await;
    let mut events = Events::all(&mut admin).await;
    let made =
        ban(&mut admin, Ban { subject: user("eve"), reason: "Spam".into(), ..Default::default() })
            .await;
    assert!(made.create_time.is_some() && made.expiration.is_none());
    let removed = json!({"type": "removed", "code": "banned", "reason": "Spam", "roomId": "r"});
    assert_eq!(eve.hear().await, removed);
    assert_eq!(eve.closed().await, Some(4501));
    assert_eq!(ann.hear_of("user-left").await["reason"], "banned");
    come(&mut events, &["ban-created by administrator", "r left banned by administrator"]).await;

    let refused = json!({"type": "error", "code": "banned", "message": "Spam"});
    let mut back = server.member("r").await;
    for _ in 0..2 {
        assert_eq!(register(&mut back, "eve").await, refused);
    }
    // It is as it was before.
    back.hears_nothing().await;
    assert_eq!(register(&mut back, "Eve").await["userId"], "Eve");
    come(&mut events, &["r joined by client", "r updated by client"]).await;

    let get = GetBanRequest { ban_id: made.ban_id.clone() };
    assert_eq!(admin.get_ban(get.clone()).await.unwrap().into_inner(), made);
    lift(&mut admin, &made).await;
    come(&mut events, &["ban-deleted by administrator"]).await;
    assert_eq!(register(&mut back, "eve").await["type"], "registered");
    fails(admin.get_ban(get).await, "BAN_NOT_FOUND", "");
}

#[tokio::test]
async fn a_ban_from_a_room_frees_the_seat_in_it_and_nothing_else() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut eve = server.member("r").await;
    register(&mut eve, "eve").await;
    let mut elsewhere = server.member("s").await;
    register(&mut elsewhere, "eve").await;
    let mut events = Events::all(&mut admin).await;
    let from_r = Ban { room_id: "r".into(), subject: user("eve"), ..Default::default() };
    let made = ban(&mut admin, from_r.clone()).await;
    let usual = "Banned by an administrator";
    let removed = json!({"type": "removed", "code": "banned", "reason": usual, "roomId": "r"});
    assert_eq!(eve.hear().await, removed);
    elsewhere.hears_nothing().await;
    let refused = json!({"type": "join-error", "error": usual, "code": "banned"});
    for client in [&mut eve, &mut elsewhere] {
        assert_eq!(client.ask(json!({"type": "join", "roomId": "r"})).await, refused);
    }
    elsewhere.hears_nothing().await;
    eve.join("s").await;

    // Under another name it may come in, and not take that name there.
    let mut mallory = server.member("r").await;
    assert_eq!(register(&mut mallory, "eve").await["code"], "banned");
    mallory.ask(json!({"type": "leave", "roomId": "r"})).await;
    assert_eq!(register(&mut mallory, "eve").await["type"], "registered");
    come(
        &mut events,
        &[
            "r ban-created by administrator",
            "r left banned by administrator",
            "r closed by administrator",
            "s joined by client",
        ],
    )
    .await;
    lift(&mut admin, &made).await;
    mallory.join("r").await;
}

#[tokio::test]
async fn a_ban_ends_with_its_time() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut events = Events::all(&mut admin).await;
    let mut eve = server.client().await;
    for by_ttl in [true, false] {
        let end = SystemTime::now() + Duration::from_secs(1);
        let ttl = Expiration::Ttl(seconds(1).unwrap());
        let expiration = Some(if by_ttl { ttl } else { Expiration::ExpireTime(end.into()) });
        let made = ban(
            &mut admin,
            Ban { room_id: "r".into(), subject: user("eve"), expiration, ..Default::default() },
        )
        .await;
        let Some(Expiration::ExpireTime(end)) = made.expiration else { panic!("{made:?}") };
        assert!(end.seconds - made.create_time.unwrap().seconds <= 1);
        come(&mut events, &["r ban-created by administrator"]).await;
        come(&mut events, &["r ban-deleted by timer"]).await;
        let gone = GetBanRequest { ban_id: made.ban_id };
        fails(admin.get_ban(gone).await, "BAN_NOT_FOUND", "");
    }
    register(&mut eve, "eve").await;
    eve.join("r").await;
}

#[tokio::test]
async fn an_address_is_kept_out_with_its_whole_network() {
    let server = TestServer::with("--trusted-proxy 127.0.0.1");
    let mut admin = server.admin().await;
    let url = server.url("/");
    let connect = async |address: &str| {
        let (socket, _) =
            within(tokio_tungstenite::connect_async(from(&url, address))).await.unwrap();
        let mut client = Client { id: String::new(), welcome: json!(null), socket };
        client.welcome = client.hear().await;
        client
    };
    for (banned, shown, met, not_met) in [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("192.0.2.7/24", "192.0.2.0/24", "192.0.2.200", "192.0.3.1"),
        ("2001:db8::1", "2001:db8::/64", "2001:db8::ffff:1", "2001:db8:0:1::1"),
        ("2001:db8::1/128", "2001:db8::1", "2001:db8::1", "2001:db8::2"),
        ("2001:db8::/32", "2001:db8::/32", "2001:db8:7::1", "2001:db9::1"),
    ] {
        let (mut met_before, mut other) = (connect(met).await, connect(not_met).await);
        let made = ban(&mut admin, Ban { subject: address(banned), ..Default::default() }).await;
        assert_eq!(made.subject, address(shown));
        assert_eq!(met_before.hear().await["code"], "banned");
        assert_eq!(met_before.closed().await, Some(4501));
        let mut met_later = connect(met).await;
        let usual = "Banned by an administrator";
        let removed = json!({"type": "removed", "code": "banned", "reason": usual, "roomId": null});
        assert_eq!(met_later.hear().await, removed);
        assert_eq!(met_later.closed().await, Some(4501));
        other.hears_nothing().await;
        other.join("r").await;
        lift(&mut admin, &made).await;
        connect(met).await.join("r").await;
    }

    // From a room: it may be elsewhere.
    let from_r = Ban { room_id: "r".into(), subject: address("192.0.2.7"), ..Default::default() };
    ban(&mut admin, from_r).await;
    let mut client = connect("192.0.2.7").await;
    assert_eq!(client.ask(json!({"type": "join", "roomId": "r"})).await["code"], "banned");
    client.join("s").await;
    connect("192.0.2.8").await.join("r").await;
}

fn odd(seconds: i64, nanos: i32) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos }
}

#[tokio::test]
async fn a_ban_that_makes_no_sense_is_not_made() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let eve = Ban { subject: user("eve"), ..Default::default() };
    let past = SystemTime::now() - Duration::from_secs(1);
    let far = SystemTime::now() + Duration::from_secs(3654 * 24 * 60 * 60);
    for (ban, fault) in [
        (None, "ban"),
        (Some(Ban::default()), "ban.subject"),
        (Some(Ban { subject: user(""), ..Default::default() }), "ban.user_id"),
        (Some(Ban { subject: user(&"x".repeat(129)), ..Default::default() }), "ban.user_id"),
        (Some(Ban { subject: address("192.0.2"), ..Default::default() }), "ban.address"),
        (Some(Ban { room_id: "x".repeat(129), ..eve.clone() }), "ban.room_id"),
        (Some(Ban { reason: "x".repeat(257), ..eve.clone() }), "ban.reason"),
        (
            Some(Ban { expiration: Some(Expiration::Ttl(seconds(0).unwrap())), ..eve.clone() }),
            "ban.ttl",
        ),
        // No duration has a part of a second that is negative beside a whole one, or that is a second.
        (Some(Ban { expiration: Some(Expiration::Ttl(odd(1, -1))), ..eve.clone() }), "ban.ttl"),
        (
            Some(Ban { expiration: Some(Expiration::Ttl(odd(0, 1_500_000_000))), ..eve.clone() }),
            "ban.ttl",
        ),
        (
            Some(Ban { expiration: Some(Expiration::ExpireTime(past.into())), ..eve.clone() }),
            "ban.expire_time",
        ),
        (
            Some(Ban { expiration: Some(Expiration::ExpireTime(far.into())), ..eve.clone() }),
            "ban.expire_time",
        ),
    ] {
        let request = CreateBanRequest { ban, ..Default::default() };
        fails(admin.create_ban(request).await, "BAD_REQUEST", fault);
    }
    for (ban_id, reason, fault) in [(NOBODY, "BAN_NOT_FOUND", ""), ("x", "BAD_REQUEST", "ban_id")] {
        let ban_id = ban_id.to_owned();
        fails(admin.get_ban(GetBanRequest { ban_id: ban_id.clone() }).await, reason, fault);
        fails(admin.delete_ban(DeleteBanRequest { ban_id }).await, reason, fault);
    }
}

#[tokio::test]
async fn no_more_bans_stand_than_may() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let request = |n: usize| {
        let ban = Some(Ban { subject: user(&n.to_string()), ..Default::default() });
        CreateBanRequest { ban, ..Default::default() }
    };
    let calls: Vec<_> = (0..100)
        .map(|caller| {
            let mut admin = admin.clone();
            tokio::spawn(async move {
                for n in 0..100 {
                    admin.create_ban(request(100 * caller + n)).await.unwrap();
                }
            })
        })
        .collect();
    for call in calls {
        within(call).await.unwrap();
    }
    fails(admin.create_ban(request(10_000)).await, "TOO_MANY_BANS", "");
    let mut client = server.client().await;
    let options = BanOptions { address: true, ..Default::default() };
    let end = DisconnectClientRequest {
        client_id: client.id.clone(),
        ban: Some(options),
        ..Default::default()
    };
    fails(admin.disconnect_client(end).await, "TOO_MANY_BANS", "");
    client.hears_nothing().await;
}
