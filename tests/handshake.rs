//! HTTP and WebSocket handshakes: every legal spelling is understood, and what is none is refused.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use support::{TestServer, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";

/// The head of the answer to one request on a connection of its own.
async fn answer(server: &TestServer, request: &str) -> String {
    let mut tcp = server.tcp().await;
    within(tcp.write_all(request.as_bytes())).await.unwrap();
    let mut heard = Vec::new();
    loop {
        assert_ne!(within(tcp.read_buf(&mut heard)).await.unwrap(), 0, "{request}");
        let text = String::from_utf8_lossy(&heard);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            return format!("{}\r\n", head.to_ascii_lowercase());
        }
    }
}

fn status(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

#[tokio::test]
async fn every_legal_spelling_of_an_upgrade_is_one() {
    let server = TestServer::start();
    for upgrade in [
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "connection: upgrade\r\nUPGRADE: WebSocket\r\n",
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade,keep-alive\r\nUpgrade: websocket\r\n",
        "Connection:\tkeep-alive\t,\tUPGRADE\t\r\nUpgrade:\twebsocket\t\r\n",
        "Connection: , ,Upgrade,,\r\nUpgrade: ,websocket,\r\n",
        "Connection: keep-alive\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade\r\nConnection: keep-alive\r\nUpgrade: websocket\r\n",
        "Upgrade: h2c, websocket\r\nConnection: Upgrade\r\n",
        "Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
        "Connection: close, Upgrade\r\nUpgrade: websocket\r\n",
        "Connection: Upgrade, x\u{e9}\r\nUpgrade: websocket\r\n",
    ] {
        let request = format!("GET /ws HTTP/1.1\r\nHost: x\r\n{upgrade}{VERSION}{KEY}\r\n");
        let head = answer(&server, &request).await;
        assert_eq!(status(&head), "101", "{upgrade}");
        // Where the request says `close`, so does the answer.
        assert!(head.contains("\r\nconnection: upgrade"), "{upgrade}{head}");
        assert!(head.contains("\r\nupgrade: websocket\r\n"), "{upgrade}{head}");
        assert!(head.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"));
    }
    for target in ["/", "/ws?x=y", "http://x/ws"] {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version:13\r\nSec-WebSocket-Key:  AAAAAAAAAAAAAAAAAAAAAB==  \r\n\r\n"
        );
        assert_eq!(status(&answer(&server, &request).await), "101", "{target}");
    }
}

#[tokio::test]
async fn what_is_no_proper_upgrade_is_refused() {
    let server = TestServer::start();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    for (headers, expected) in [
        (String::new(), "426"),
        ("Connection: Upgrade\r\n".into(), "426"),
        (format!("Upgrade: websocket\r\n{VERSION}{KEY}"), "426"),
        (format!("Connection: Upgrade\r\nUpgrade: h2c\r\n{VERSION}{KEY}"), "426"),
        (format!("Connection: Upgrades\r\nUpgrade: websocket\r\n{VERSION}{KEY}"), "426"),
        (format!("Connection: Upgrade\r\nUpgrade: websocket/13\r\n{VERSION}{KEY}"), "426"),
        (format!("{upgrade}{KEY}"), "426"),
        (format!("{upgrade}{KEY}Sec-WebSocket-Version: 8\r\n"), "426"),
        (format!("{upgrade}{KEY}Sec-WebSocket-Version: 13, 8\r\n"), "426"),
        (format!("{upgrade}{KEY}{VERSION}{VERSION}"), "400"),
        (format!("{upgrade}{VERSION}"), "400"),
        (format!("{upgrade}{VERSION}{KEY}{KEY}"), "400"),
        (format!("{upgrade}{VERSION}Sec-WebSocket-Key: \r\n"), "400"),
        (format!("{upgrade}{VERSION}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n"), "400"),
        (format!("{upgrade}{VERSION}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n"), "400"),
        (format!("{upgrade}{VERSION}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSEh\r\n"), "400"),
        (format!("{upgrade}{VERSION}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q==\r\n"), "400"),
        (format!("{upgrade}{VERSION}{KEY}Origin: http://a\r\nOrigin: http://a\r\n"), "400"),
        (format!("{upgrade}{VERSION}{KEY}Content-Length: 9\r\n"), "400"),
        (format!("{upgrade}{VERSION}{KEY}Transfer-Encoding: chunked\r\n"), "400"),
    ] {
        let request = format!("GET /ws HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        let head = answer(&server, &request).await;
        assert_eq!(status(&head), expected, "{headers}");
        if expected == "426" {
            for line in ["connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13"] {
                assert!(head.contains(&format!("\r\n{line}\r\n")), "{headers}{head}");
            }
        }
    }
    let all = format!("Host: x\r\n{upgrade}{VERSION}{KEY}\r\n");
    for (line, expected) in [
        ("POST /ws HTTP/1.1", "400"),
        ("GET /healthz HTTP/1.1", "200"),
        // There the upgrade's headers say nothing (RFC 9110, section 7.8).
        ("GET / HTTP/1.0", "200"),
        ("GET /ws HTTP/1.0", "426"),
    ] {
        let head = answer(&server, &format!("{line}\r\n{all}")).await;
        assert_eq!(status(&head), expected, "{line}");
    }
}

#[tokio::test]
async fn a_request_names_its_host_once() {
    let server = TestServer::start();
    let upgrade = format!("Connection: Upgrade\r\nUpgrade: websocket\r\n{VERSION}{KEY}");
    for (line, headers, expected) in [
        ("GET /healthz HTTP/1.1", "Host: x\r\n", "200"),
        ("GET /healthz HTTP/1.1", "Host:\r\n", "200"),
        ("GET /healthz HTTP/1.0", "", "200"),
        ("GET /healthz HTTP/1.1", "", "400"),
        ("GET http://x/healthz HTTP/1.1", "", "400"),
        ("GET /healthz HTTP/1.1", "Host: x\r\nHost: x\r\n", "400"),
        ("GET /healthz HTTP/1.0", "Host: x\r\nHost: y\r\n", "400"),
        ("GET /healthz HTTP/1.1", "Host: a b\r\n", "400"),
        ("POST / HTTP/1.1", "", "400"),
        ("GET /ws HTTP/1.1", &upgrade, "400"),
        ("GET /ws HTTP/1.1", &format!("Host: x\r\nHost: x\r\n{upgrade}"), "400"),
    ] {
        let head = answer(&server, &format!("{line}\r\n{headers}\r\n")).await;
        assert_eq!(status(&head), expected, "{line}, {headers}");
        assert_eq!(head.contains("\r\nconnection: close\r\n"), expected == "400", "{head}");
    }
}

#[tokio::test]
async fn a_client_that_names_subprotocols_is_answered_with_one_of_them() {
    let server = TestServer::start();
    let upgrade = format!("Connection: Upgrade\r\nUpgrade: websocket\r\n{VERSION}{KEY}");
    const NAME: &str = "Sec-WebSocket-Protocol";
    for (lines, expected) in [
        (String::new(), None),
        (format!("{NAME}: signalpost.v1\r\n"), Some("signalpost.v1")),
        (format!("{NAME}: json, signalpost.v1\r\n"), Some("signalpost.v1")),
        (format!("{NAME}: json\r\n{NAME}: signalpost.v1\r\n"), Some("signalpost.v1")),
        (format!("{NAME}: json\r\n"), Some("json")),
        (format!("{NAME}: signalpost.v9 ,json\r\n"), Some("signalpost.v9")),
        (format!("{NAME}: ,, b!x,c\r\n"), Some("b!x")),
        (format!("{NAME}: no token, \"q\", a/b, json\r\n"), Some("json")),
        (format!("{NAME}: no token\r\n"), None),
        (format!("{NAME}:\r\n"), None),
    ] {
        let request = format!("GET /ws HTTP/1.1\r\nHost: x\r\n{upgrade}{lines}\r\n");
        let head = answer(&server, &request).await;
        assert_eq!(status(&head), "101", "{lines}");
        let mut agreed = head.lines().filter_map(|l| l.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(agreed.next(), expected, "{lines}");
        assert_eq!(agreed.next(), None, "{lines}");
    }
}

#[tokio::test]
async fn an_origin_is_allowed_as_browsers_spell_it() {
    let server = TestServer::with(
        "--allowed-origin https://Bücher.example:443 --allowed-origin capacitor://localhost",
    );
    let upgrade = format!("Connection: Upgrade\r\nUpgrade: websocket\r\n{VERSION}{KEY}");
    for (origin, expected) in [
        ("https://xn--bcher-kva.example", "101"),
        ("capacitor://localhost", "101"),
        ("http://xn--bcher-kva.example", "403"),
        ("https://xn--bcher-kva.example:8443", "403"),
        ("ionic://localhost", "403"),
        ("null", "403"),
        ("", "403"),
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\n{upgrade}Origin: {origin}\r\n\r\n");
        assert_eq!(status(&answer(&server, &request).await), expected, "{origin}");
    }
}
