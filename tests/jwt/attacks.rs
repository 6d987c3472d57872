//! Tokens that somebody has tampered with, or that are for something else. Each is answered in the same words, and the
//! same before an upgrade.

use std::fs;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::{connect_async, tungstenite::Error};

use crate::{
    issuer::{Issuer, SECRET, claims, now},
    support::{TestServer, within},
};

const RSA_PUBLIC: &str = include_str!("../fixtures/jwt/rsa.pub.pem");
const RSA_PRIVATE: &str = include_str!("../fixtures/jwt/rsa.pem");

/// Neither by `register` nor with an upgrade is this token taken, and nothing says why.
async fn is_refused(server: &TestServer, token: &str) {
    let mut client = server.client().await;
    let answer = client.ask(json!({"type": "register", "token": token})).await;
    let same = json!({
        "type": "error", "code": "unauthenticated", "message": "The token is not accepted",
    });
    assert_eq!(answer, same);
    // It is as much a stranger as before.
    let answer = client.ask(json!({"type": "join", "roomId": "r"})).await;
    assert_eq!(answer["code"], "unauthenticated");

    if token.len() > 8192 {
        return;
    }
    let refused = within(connect_async(server.url(&format!("/ws?access_token={token}")))).await;
    let Err(Error::Http(answer)) = refused else { panic!("{refused:?}") };
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["connection"], "close");
    assert_eq!(answer.headers()["www-authenticate"], r#"Bearer error="invalid_token""#);
    assert_eq!(answer.body().as_deref(), Some(&b"The token is not accepted.\n"[..]));
}

async fn is_taken(server: &TestServer, token: &str) {
    let answer = server.client().await.ask(json!({"type": "register", "token": token})).await;
    assert_eq!(answer["type"], "registered", "{answer}");
}

/// A server that knows the issuer's secret, and whether it takes what is made with it.
async fn server() -> (Issuer, TestServer) {
    let issuer = Issuer::new();
    let server = TestServer::with(&issuer.flags());
    is_taken(&server, &issuer.token("ann", json!({}))).await;
    (issuer, server)
}

/// Signed with the secret, whatever it says.
fn signed(header: &str, claims: &str) -> String {
    let encoded = |text| BASE64_URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

const HEADER: &str = r#"{"alg":"HS256"}"#;

async fn refuses_claims(more: Value) {
    let (issuer, server) = server().await;
    is_refused(&server, &issuer.token("ann", more)).await;
}

#[tokio::test]
async fn alg_none_is_refused() {
    let (_issuer, server) = server().await;
    let claims = claims("ann", json!({})).to_string();
    for name in ["none", "None", "NONE", "nOnE", ""] {
        let token = signed(&json!({"alg": name}).to_string(), &claims);
        is_refused(&server, &token).await;
        is_refused(&server, &token[..=token.rfind('.').unwrap()]).await;
    }
}

/// A server that knows a public RSA key, and the key's file.
fn rsa_server() -> (TempDir, TestServer) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    fs::write(&file, RSA_PUBLIC).unwrap();
    let server = TestServer::with(&format!("--jwt-public-key-file {}", file.display()));
    (folder, server)
}

#[tokio::test]
async fn hs_signed_with_an_rsa_public_key_is_refused() {
    let (_folder, server) = rsa_server();
    let key = EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap();
    let honest = encode(&Header::new(Algorithm::RS256), &claims("ann", json!({})), &key).unwrap();
    is_taken(&server, &honest).await;
    let der = pem::parse(RSA_PUBLIC).unwrap();
    for secret in [RSA_PUBLIC.as_bytes(), RSA_PUBLIC.trim().as_bytes(), der.contents()] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let key = EncodingKey::from_secret(secret);
            let token = encode(&Header::new(algorithm), &claims("ann", json!({})), &key).unwrap();
            is_refused(&server, &token).await;
        }
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let (issuer, server) = server().await;
    let other = EncodingKey::from_secret(&SECRET.as_bytes()[1..]);
    let token = encode(&Header::default(), &claims("ann", json!({})), &other).unwrap();
    is_refused(&server, &token).await;

    let token = issuer.token("ann", json!({}));
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let bob = issuer.token("bob", json!({}));
    let others = bob.rsplit_once('.').unwrap().1;
    for token in [
        format!("{signed}."),
        format!("{signed}.{others}"),
        format!("{signed}.{}", &signature[..40]),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!("{token}A"),
        format!("{token}="),
    ] {
        is_refused(&server, &token).await;
    }
}

#[tokio::test]
async fn an_rsa_or_ec_key_of_somebody_else_is_refused() {
    let (_folder, server) = rsa_server();
    let other = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let key = EncodingKey::from_ec_pem(other.serialize_pem().as_bytes()).unwrap();
    let token = encode(&Header::new(Algorithm::ES256), &claims("ann", json!({})), &key).unwrap();
    is_refused(&server, &token).await;
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    refuses_claims(json!({"exp": now() - 31})).await;
}

#[tokio::test]
async fn a_token_without_an_end_is_refused() {
    let (_issuer, server) = server().await;
    is_refused(&server, &signed(HEADER, r#"{"sub":"ann"}"#)).await;
}

#[tokio::test]
async fn exp_as_a_string_is_refused() {
    refuses_claims(json!({"exp": (now() + 60).to_string()})).await;
}

#[tokio::test]
async fn a_token_that_does_not_hold_yet_is_refused() {
    refuses_claims(json!({"nbf": now() + 90})).await;
}

#[tokio::test]
async fn a_wrong_issuer_or_audience_is_refused() {
    let issuer = Issuer::new();
    let server = TestServer::with(&format!("{} --jwt-issuer a --jwt-audience b", issuer.flags()));
    is_taken(&server, &issuer.token("ann", json!({"iss": "a", "aud": ["x", "b"]}))).await;
    for more in [
        json!({"aud": "b"}),
        json!({"iss": "A", "aud": "b"}),
        json!({"iss": "a"}),
        json!({"iss": "a", "aud": "B"}),
        json!({"iss": "a", "aud": []}),
    ] {
        is_refused(&server, &issuer.token("ann", more)).await;
    }
}

#[tokio::test]
async fn an_audience_is_refused_by_who_is_none() {
    refuses_claims(json!({"aud": "somebody else"})).await;
}

#[tokio::test]
async fn an_unknown_kid_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let (x, y) = pair.der_bytes()[1..].split_at(32);
    let part = |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let key = json!({"kty": "EC", "crv": "P-256", "kid": "1", "x": part(x), "y": part(y)});
    fs::write(&file, json!({"keys": [key]}).to_string()).unwrap();
    let server = TestServer::with(&format!("--jwks {}", file.display()));
    let own = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
    let token = |kid: Option<&str>| {
        let kid = kid.map(str::to_owned);
        let header = Header { kid, ..Header::new(Algorithm::ES256) };
        encode(&header, &claims("ann", json!({})), &own).unwrap()
    };
    is_taken(&server, &token(Some("1"))).await;
    is_taken(&server, &token(None)).await;
    is_refused(&server, &token(Some("2"))).await;
    is_refused(&server, &token(Some("../1"))).await;
}

#[tokio::test]
async fn crit_is_refused() {
    let (_issuer, server) = server().await;
    let claims = claims("ann", json!({})).to_string();
    for header in [r#"{"alg":"HS256","crit":["b64"],"b64":true}"#, r#"{"alg":"HS256","crit":[]}"#] {
        is_refused(&server, &signed(header, &claims)).await;
    }
}

#[tokio::test]
async fn names_that_stand_there_twice_are_refused() {
    let (_issuer, server) = server().await;
    let end = now() + 60;
    for (header, claims) in [
        (HEADER, format!(r#"{{"sub":"ann","sub":"bob","exp":{end}}}"#)),
        (HEADER, format!(r#"{{"sub":"ann","s\u0075b":"bob","exp":{end}}}"#)),
        (HEADER, format!(r#"{{"sub":"ann","exp":1,"exp":{end}}}"#)),
        (HEADER, format!(r#"{{"sub":"ann","exp":{end},"x":1,"x":1}}"#)),
        (HEADER, format!(r#"{{"sub":"ann","exp":{end},"metadata":{{"a":1,"\u0061":2}}}}"#)),
        (HEADER, format!(r#"{{"sub":"ann","exp":{end},"x":[{{"y":{{"a":1,"a":1}}}}]}}"#)),
        (r#"{"alg":"HS256","x":{"a":1,"a":1}}"#, format!(r#"{{"sub":"ann","exp":{end}}}"#)),
        (r#"{"alg":"none","alg":"HS256"}"#, format!(r#"{{"sub":"ann","exp":{end}}}"#)),
    ] {
        is_refused(&server, &signed(header, &claims)).await;
    }
    is_taken(&server, &signed(HEADER, &format!(r#"{{"sub":"ann","exp":{end}}}"#))).await;
}

/// Room-mates, and `check-token`, read what it vouches for.
#[tokio::test]
async fn metadata_that_not_every_reader_takes_is_refused() {
    let (_issuer, server) = server().await;
    let end = now() + 60;
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let token = |metadata: &str| {
        signed(HEADER, &format!(r#"{{"sub":"ann","exp":{end},"metadata":{metadata}}}"#))
    };
    for metadata in ["1e999", r#"{"a":1e400}"#, r#""\ud800""#, r#"{"\udfff":1}"#, &nested(300)] {
        is_refused(&server, &token(metadata)).await;
    }
    for metadata in [r#"[1e300,-1,"\ud83d\ude00",true,{"a":[],"b":null}]"#, &nested(100)] {
        is_taken(&server, &token(metadata)).await;
    }
}

#[tokio::test]
async fn a_token_of_16_kib_is_refused() {
    let (issuer, server) = server().await;
    // What it says is right.
    is_refused(&server, &issuer.token("ann", json!({"padding": "x".repeat(12_000)}))).await;
    is_refused(&server, &"x".repeat(16 << 10)).await;
    is_taken(&server, &issuer.token("ann", json!({"padding": "x".repeat(5_900)}))).await;
}

#[tokio::test]
async fn a_sub_beyond_the_limits_is_refused() {
    let (issuer, server) = server().await;
    for sub in [String::new(), "x".repeat(129), "a\u{0}b".to_owned(), "a\r\nb".to_owned()] {
        is_refused(&server, &issuer.token(&sub, json!({}))).await;
    }
    for more in [json!({"sub": null}), json!({"sub": 7}), json!({"sub": ["ann"]})] {
        is_refused(&server, &issuer.token("", more)).await;
    }
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_ignored() {
    let (_issuer, server) = server().await;
    let own = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let (x, y) = own.der_bytes()[1..].split_at(32);
    let part = |bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": part(x), "y": part(y)});
    let oct = json!({"kty": "oct", "k": BASE64_URL_SAFE_NO_PAD.encode("mine")});
    let url = format!("http://{}/keys", server.addresses.http[0]);
    let claims = claims("ann", json!({})).to_string();
    let encoded = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    for more in [
        json!({"alg": "ES256", "jwk": jwk}),
        json!({"alg": "ES256", "jku": url}),
        json!({"alg": "ES256", "x5u": url}),
        json!({"alg": "ES256", "x5c": [BASE64_URL_SAFE_NO_PAD.encode(own.der_bytes())]}),
        json!({"alg": "HS256", "jwk": oct}),
    ] {
        let message = format!("{}.{}", encoded(&more.to_string()), encoded(&claims));
        let (key, algorithm) = match more["alg"].as_str() {
            Some("ES256") => {
                let key = EncodingKey::from_ec_pem(own.serialize_pem().as_bytes()).unwrap();
                (key, Algorithm::ES256)
            }
            _ => (EncodingKey::from_secret(b"mine"), Algorithm::HS256),
        };
        let signature = crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
        is_refused(&server, &format!("{message}.{signature}")).await;
    }
    // Where the server's own key has signed, they say nothing.
    let header = json!({"alg": "HS256", "jwk": jwk, "jku": url, "x5u": url}).to_string();
    is_taken(&server, &signed(&header, &claims)).await;
}

#[tokio::test]
async fn a_token_of_another_room_registers_and_does_not_join() {
    let (issuer, server) = server().await;
    let mut client = server.client().await;
    let token = issuer.token("ann", json!({"rooms": ["a", "team-*"]}));
    let answer = client.ask(json!({"type": "register", "token": token})).await;
    assert_eq!(answer, json!({"type": "registered", "userId": "ann", "role": "member"}));
    for room in ["b", "A", "a ", "team", "Team-1"] {
        let answer = client.ask(json!({"type": "join", "roomId": room})).await;
        assert_eq!((&answer["type"], &answer["code"]), (&json!("join-error"), &json!("forbidden")));
    }
    for room in ["a", "team-1"] {
        client.join(room).await;
    }
    // Whoever is refused stays where it is.
    assert_eq!(client.ask(json!({"type": "join", "roomId": "b"})).await["code"], "forbidden");
    let answer = client.ask(json!({"type": "leave", "roomId": "team-1"})).await;
    assert_eq!(answer["type"], "left");
}
