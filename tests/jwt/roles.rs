//! What `--auth` asks of whom.

use serde_json::json;

use crate::{issuer::Issuer, support::TestServer};

#[tokio::test]
async fn where_tokens_are_optional_guests_come_in_beside() {
    let issuer = Issuer::new();
    let server = TestServer::with(&format!("{} --auth optional", issuer.flags()));
    let mut guest = server.client().await;
    guest.join("r").await;
    let answer = guest.ask(json!({"type": "register", "userId": "gus"})).await;
    assert_eq!(answer, json!({"type": "registered", "userId": "gus", "role": "guest"}));

    let token = issuer.token("ann", json!({}));
    let answer = guest.ask(json!({"type": "register", "token": token})).await;
    assert_eq!(answer, json!({"type": "registered", "userId": "ann", "role": "member"}));
    // It does not become a guest again.
    let answer = guest.ask(json!({"type": "register", "userId": "gus"})).await;
    assert_eq!(answer, json!({"type": "registered", "userId": "ann", "role": "member"}));

    let answer = server.client().await.ask(json!({"type": "register", "token": "x"})).await;
    assert_eq!(answer["code"], "unauthenticated");
}

#[tokio::test]
async fn where_nobody_is_asked_a_token_says_nothing() {
    let server = TestServer::start();
    let mut client = server.client().await;
    let answer = client.ask(json!({"type": "register", "userId": "ann", "token": "x"})).await;
    assert_eq!(answer, json!({"type": "registered", "userId": "ann"}));
    client.join("r").await;
    let url = server.url("/ws?access_token=x");
    crate::support::Client::connect(&url).await;
}

#[tokio::test]
async fn a_token_that_is_no_text_is_a_fault_of_the_message() {
    let issuer = Issuer::new();
    let server = TestServer::with(&issuer.flags());
    let mut client = server.client().await;
    for (token, code) in [
        (json!(7), "bad-message"),
        (json!({}), "bad-message"),
        (json!(""), "unauthenticated"),
        (json!(null), "unauthenticated"),
    ] {
        let answer = client.ask(json!({"type": "register", "token": token})).await;
        assert_eq!(answer["code"], code, "{token}");
    }
}
