//! The tutorial's messages on one server.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod messages;
#[path = "../support/mod.rs"]
mod support;

use serde_json::json;
use support::{Client, TestServer};

#[tokio::test]
async fn a_client_is_welcomed_under_a_name_of_its_own() {
    let servers = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&servers, "turn:ann:secret@turn.example.org").unwrap();
    let file = servers.path().display();
    let server = TestServer::with(&format!("--ice-server-file {file} --ping-seconds 7"));
    let (a, b) = (server.client().await, Client::connect(&server.url("/ws")).await);
    assert_ne!(a.id, b.id);
    let turn =
        json!({"urls": ["turn:turn.example.org"], "username": "ann", "credential": "secret"});
    assert_eq!(
        a.welcome,
        json!({"type": "welcome", "clientId": a.id, "protocol": 1, "heartbeatMs": 7000, "iceServers": [turn]})
    );
}

/// One server.
struct Servers(TestServer);

impl Servers {
    async fn start() -> Self {
        Self::with("").await
    }

    #[expect(clippy::unused_async, reason = "several take time to start")]
    async fn with(flags: &str) -> Self {
        Self(TestServer::with(flags))
    }

    async fn client(&self) -> Client {
        self.0.client().await
    }

    async fn member(&self, room: &str) -> Client {
        self.0.member(room).await
    }
}
