//! How somebody comes in with a token, and what those may do who have none.

use std::fs;

use serde_json::json;
use signalpost::{
    admin::pb::{DisconnectClientRequest, disconnect_client_request::BanOptions},
    config::limits,
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, client::IntoClientRequest, http::HeaderValue},
};

use crate::{
    issuer::Issuer,
    support::{Client, TestServer, within},
};

#[tokio::test]
async fn without_a_token_one_may_register_and_ping() {
    let issuer = Issuer::new();
    let server = TestServer::with(&issuer.flags());
    let mut client = server.client().await;
    assert_eq!(client.ask(json!({"type": "ping"})).await["type"], "pong");
    let id = client.id.clone();
    for (request, answer) in [
        (json!({"type": "register", "userId": "ann"}), "error"),
        (json!({"type": "join", "roomId": "r"}), "join-error"),
        (json!({"type": "leave", "roomId": "r"}), "error"),
        (json!({"type": "message", "content": 1}), "error"),
        (json!({"type": "offer", "targetId": id, "sdp": 1}), "error"),
        (json!({"type": "candidate", "targetId": id, "candidate": 1}), "error"),
        (json!({"type": "update-room", "locked": true}), "error"),
        (json!({"type": "set-role", "targetId": id, "role": "host"}), "error"),
        (json!({"type": "remove", "targetId": id}), "error"),
        (json!({"type": "ask-to-mute", "targetId": id}), "error"),
        (json!({"type": "admit", "targetId": id}), "error"),
        (json!({"type": "deny", "targetId": id}), "error"),
        (json!({"type": "offer", "targetId": "nobody", "sdp": 1}), "error"),
        (json!({"type": "join"}), "join-error"),
        (json!({"type": "dance"}), "error"),
        (json!({"metadata": 1}), "error"),
    ] {
        let refused = client.ask(request.clone()).await;
        assert_eq!(refused["type"], answer, "{request}");
        assert_eq!(refused["code"], "unauthenticated", "{request}");
        let text = refused.get("message").or_else(|| refused.get("error"));
        assert_eq!(text, Some(&json!("Register with a token first")), "{request}");
    }
    for malformed in
        [json!({"type": "register", "userId": 7}), json!({"type": "register", "token": 7})]
    {
        assert_eq!(client.ask(malformed).await["code"], "bad-message");
    }
    let token = issuer.token("ann", json!({}));
    assert_eq!(client.ask(json!({"type": "register", "token": token})).await["userId"], "ann");
    client.join("r").await;
    assert_eq!(client.ask(json!({"type": "dance"})).await["code"], "unknown-type");
}

#[tokio::test]
async fn a_token_says_the_names_and_a_client_may_add_what_it_leaves_out() {
    let issuer = Issuer::new();
    let server = TestServer::with(&issuer.flags());
    let mut client = server.client().await;
    let mut other = server.client().await;
    other.say(json!({"type": "register", "token": issuer.token("bob", json!({}))})).await;
    other.join("r").await;

    let token = issuer.token("ann", json!({"role": "host"}));
    let request = json!({
        "type": "register", "token": token, "userId": "bob", "displayName": "Ann",
    });
    let registered = json!({"type": "registered", "userId": "ann", "role": "host"});
    assert_eq!(client.ask(request).await, registered);
    client.join("r").await;
    let joined = other.hear_of("user-joined").await;
    assert_eq!((&joined["userId"], &joined["displayName"]), (&json!("ann"), &json!("Ann")));

    // Without a token, it changes what the token left open.
    let request = json!({"type": "register", "userId": "bob", "displayName": "Anna"});
    assert_eq!(client.ask(request).await, registered);
    let updated = other.hear_of("user-updated").await;
    assert_eq!((&updated["userId"], &updated["displayName"]), (&json!("ann"), &json!("Anna")));

    let token = issuer.token("ann", json!({"name": "Ann Example"}));
    let request = json!({"type": "register", "token": token, "displayName": "Boss"});
    assert_eq!(client.ask(request).await["role"], "member");
    assert_eq!(other.hear_of("user-updated").await["displayName"], "Ann Example");
    assert_eq!(other.hear_of("role-changed").await["role"], "member", "as its token says now");
    client.ask(json!({"type": "register", "displayName": "Boss"})).await;
    other.hears_nothing().await;
}

#[tokio::test]
async fn a_renewal_is_of_the_same_user_and_for_the_same_room() {
    let issuer = Issuer::new();
    let server = TestServer::with(&issuer.flags());
    let mut client = server.client().await;
    let mut register = async |sub: &str, more| {
        let token = issuer.token(sub, more);
        client.ask(json!({"type": "register", "token": token})).await
    };
    assert_eq!(register("ann", json!({"role": "host"})).await["role"], "host");
    assert_eq!(register("bob", json!({})).await["code"], "forbidden");
    client.join("r").await;
    let mut register = async |sub: &str, more| {
        let token = issuer.token(sub, more);
        client.ask(json!({"type": "register", "token": token})).await
    };
    assert_eq!(register("ann", json!({"rooms": ["s"]})).await["code"], "forbidden");
    // What was refused changed nothing.
    let answer = register("ann", json!({"exp": 1})).await;
    assert_eq!(answer["code"], "unauthenticated");
    let answer = client.ask(json!({"type": "register"})).await;
    assert_eq!(answer, json!({"type": "registered", "userId": "ann", "role": "host"}));
    let token = issuer.token("ann", json!({"rooms": ["r"]}));
    let answer = client.ask(json!({"type": "register", "token": token})).await;
    assert_eq!(answer["role"], "member");
    assert_eq!(client.ask(json!({"type": "join", "roomId": "s"})).await["code"], "forbidden");
}

/// The answer to an upgrade with these headers, or a client.
async fn come(server: &TestServer, path: &str, authorization: &[&str]) -> Result<Client, u16> {
    let mut request = server.url(path).into_client_request().unwrap();
    for value in authorization {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().append("authorization", value);
    }
    match within(connect_async(request)).await {
        Ok((socket, _)) => {
            let mut client = Client { id: String::new(), welcome: json!(null), socket };
            client.welcome = client.hear().await;
            assert_eq!(client.welcome["type"], "welcome");
            Ok(client)
        }
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_token_may_come_with_the_upgrade() {
    let issuer = Issuer::new();
    let server = TestServer::with(&format!("{} --base-path /chat", issuer.flags()));
    let token = issuer.token("ann", json!({"name": "Ann"}));
    for (path, authorization) in [
        ("/ws", vec![format!("Bearer {token}")]),
        ("/", vec![format!("bearer {token}")]),
        ("/chat/ws", vec!["Basic YTpi".to_owned(), format!("Bearer {token}")]),
        (&format!("/ws?access_token={token}"), vec![]),
        (&format!("/chat/?x=y&access_token={token}"), vec!["Basic YTpi".to_owned()]),
    ] {
        let headers: Vec<_> = authorization.iter().map(|value| &**value).collect();
        let mut client = come(&server, path, &headers).await.unwrap();
        // `welcome` is all it hears, and it is registered.
        client.hears_nothing().await;
        client.join("r").await;
        let answer = client.ask(json!({"type": "register", "displayName": "Boss"})).await;
        assert_eq!(answer, json!({"type": "registered", "userId": "ann", "role": "member"}));
    }
    let twice = format!("/ws?access_token={token}&access_token={token}");
    let both = format!("/ws?access_token={token}");
    let bearer = format!("Bearer {token}");
    for (path, authorization) in [
        ("/ws", &["Bearer x"][..]),
        ("/ws", &["Bearer "]),
        ("/ws?access_token=", &[]),
        ("/ws?access_token=x", &[]),
        (&twice, &[]),
        (&both, &[&bearer]),
        ("/ws", &[&bearer, "Bearer x"]),
    ] {
        assert_eq!(come(&server, path, authorization).await.err(), Some(401), "{path}");
    }
    // A stranger may still come, and show a token later.
    assert!(come(&server, "/ws", &["Basic YTpi"]).await.is_ok());
}

#[tokio::test]
async fn an_address_has_200_refused_tokens_at_once_and_good_ones_cost_nothing() {
    let issuer = Issuer::new();
    let server = TestServer::with(&format!("{} --rate-limit 0", issuer.flags()));
    let mut client = server.client().await;
    let good = json!({"type": "register", "token": issuer.token("ann", json!({}))});
    let bad = json!({"type": "register", "token": issuer.token("ann", json!({"exp": 1}))});
    let most = usize::try_from(limits::REFUSED_TOKENS).unwrap();
    for _ in 0..most + 100 {
        assert_eq!(client.ask(good.clone()).await["type"], "registered");
    }
    let mut refused = 0;
    let limited = loop {
        let answer = client.ask(bad.clone()).await;
        if answer["code"] != "unauthenticated" {
            break answer;
        }
        refused += 1;
    };
    // Some may have come back meanwhile.
    assert!((most..2 * most).contains(&refused), "{refused}");
    assert_eq!((&limited["code"], &limited["retryAfterMs"]), (&json!("rate-limited"), &json!(250)));

    // Until one comes back, no token is looked at, and each that is refused takes it again.
    let refusal = loop {
        client.ask(bad.clone()).await;
        let url = server.url("/ws?access_token=x");
        match within(connect_async(url)).await {
            Err(Error::Http(answer)) if answer.status() == 401 => {}
            Err(Error::Http(answer)) => break answer,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refusal.status(), 429);
    assert_eq!(refusal.headers()["retry-after"], "1");
    assert_eq!(refusal.headers()["connection"], "close");
    // Without one, nobody is kept out.
    server.client().await;
}

#[tokio::test]
async fn a_handshake_that_is_none_is_told_so_whatever_its_token() {
    let issuer = Issuer::new();
    let server = TestServer::with(&format!("{} --allowed-origin https://a", issuer.flags()));
    let mut request = server.url("/ws?access_token=x").into_client_request().unwrap();
    request.headers_mut().insert("origin", HeaderValue::from_static("https://b"));
    let refused = within(connect_async(request)).await;
    assert!(matches!(refused, Err(Error::Http(answer)) if answer.status() == 403));
}

#[tokio::test]
async fn whom_a_ban_meets_does_not_come_in_by_a_token() {
    let issuer = Issuer::new();
    let server = TestServer::with(&issuer.flags());
    let token = issuer.token("ann", json!({}));
    let mut first = come(&server, &format!("/ws?access_token={token}"), &[]).await.unwrap();
    let id = first.welcome["clientId"].as_str().unwrap().to_owned();
    let ban = BanOptions { user_id: true, ..Default::default() };
    let request = DisconnectClientRequest { client_id: id, ban: Some(ban), ..Default::default() };
    server.admin().await.disconnect_client(request).await.unwrap();
    assert_eq!(first.closed().await, Some(4501));

    let mut again = come(&server, &format!("/ws?access_token={token}"), &[]).await.unwrap();
    assert_eq!(again.hear().await["code"], "banned");
    assert_eq!(again.closed().await, Some(4501));
    let mut client = server.client().await;
    let answer = client.ask(json!({"type": "register", "token": token})).await;
    assert_eq!(answer["code"], "banned");
    assert_eq!(client.ask(json!({"type": "join", "roomId": "r"})).await["code"], "unauthenticated");
}

#[tokio::test]
async fn a_key_that_changes_counts_from_then_on_and_a_bad_one_does_not() {
    let issuer = Issuer::new();
    let server = TestServer::with(&issuer.flags());
    let mut seated = server.client().await;
    let token = issuer.token("ann", json!({}));
    seated.say(json!({"type": "register", "token": token})).await;
    seated.join("r").await;
    let taken = async |renewal: &signalpost::server::Renewal| {
        renewal.reload();
        let answer = server.client().await.ask(json!({"type": "register", "token": token})).await;
        answer["type"] == "registered"
    };
    let renewal = server.renewal.clone();
    fs::write(&issuer.file, "changeme").unwrap();
    assert!(taken(&renewal).await, "the key of before stays");
    fs::write(&issuer.file, "Xq5bN8wZ2kL7vR4mT9cJ6hF3dS1gP0yA").unwrap();
    assert!(!taken(&renewal).await);
    seated.hears_nothing().await;
}
