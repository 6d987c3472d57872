//! Behind proxies: whose address counts.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/running.rs"]
mod running;

use std::{
    io::{ErrorKind, Read, Write},
    sync::Arc,
};

use running::{Running, anywhere};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring, pki_types::ServerName,
};

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Whose client it is that comes with these bytes before its upgrade and these headers in it.
fn address(server: &mut Running, before: &[u8], headers: &str) -> String {
    let mut tcp = server.tcp();
    tcp.write_all(before).unwrap();
    tcp.write_all(format!("{UPGRADE}{headers}\r\n").as_bytes()).unwrap();
    let line = server.logs("a client comes");
    line.split("address=").nth(1).unwrap().to_owned()
}

#[test]
fn a_proxy_is_believed_where_it_is_trusted() {
    let headers = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.7, 10.1.1.1\r\n";
    let trusting = ["--log", "debug", "--trusted-proxy", "127.0.0.0/8,10.0.0.0/8"];
    let mut trusting = Running::start(anywhere().args(trusting));
    assert_eq!(address(&mut trusting, b"", headers), "203.0.113.7");
    assert_eq!(
        address(&mut trusting, b"", "Forwarded: for=\"[2001:db8::7]:80\"\r\n"),
        "2001:db8::7"
    );
    assert_eq!(address(&mut trusting, b"", ""), "127.0.0.1");

    let mut plain = Running::start(anywhere().args(["--log", "debug"]));
    assert_eq!(address(&mut plain, b"", headers), "127.0.0.1");
}

/// Version 2, LOCAL: a balancer's health check.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

#[test]
fn a_balancer_names_its_client_by_the_proxy_protocol() {
    let flags = ["--log", "debug", "--proxy-protocol", "--trusted-proxy", "127.0.0.1,10.0.0.0/8"];
    let mut server = Running::start(anywhere().args(flags));
    let v1 = b"PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\n";
    let v2 = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", &[198, 51, 100, 7, 10, 0, 0, 1][..], &[0; 4]];
    let forged = "X-Forwarded-For: 6.6.6.6\r\n";
    assert_eq!(address(&mut server, v1, forged), "203.0.113.7");
    assert_eq!(address(&mut server, &v2.concat(), forged), "198.51.100.7");
    assert_eq!(address(&mut server, LOCAL, ""), "127.0.0.1");
    assert_eq!(address(&mut server, b"PROXY UNKNOWN\r\n", ""), "127.0.0.1");
    // A TCP balancer in front of a trusted HTTP proxy.
    let v1 = b"PROXY TCP4 10.0.0.2 127.0.0.1 4711 80\r\n";
    assert_eq!(address(&mut server, v1, "X-Forwarded-For: 203.0.113.9\r\n"), "203.0.113.9");
}

#[test]
fn the_proxy_protocol_comes_before_tls() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("both.pem");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&file, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    let flags = ["--proxy-protocol=true", "--trusted-proxy", "127.0.0.1", "--tls-cert"];
    let server = Running::start(anywhere().args(flags).arg(&file).arg("--tls-key").arg(&file));
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tcp = server.tcp();
    tcp.write_all(LOCAL).unwrap();
    let mut tls = StreamOwned::new(ClientConnection::new(Arc::new(tls), name).unwrap(), tcp);
    tls.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut head = [0; 15];
    tls.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
}

#[test]
fn without_the_header_or_from_elsewhere_nobody_is_served() {
    for (proxy, said) in [
        ("127.0.0.1", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("127.0.0.1", "PROXY nonsense\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("192.0.2.1", "PROXY UNKNOWN\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
    ] {
        let server =
            Running::start(anywhere().args(["--proxy-protocol", "--trusted-proxy", proxy]));
        let mut tcp = server.tcp();
        // It may have hung up already.
        let _ = tcp.write_all(said.as_bytes());
        let mut heard = Vec::new();
        match tcp.read_to_end(&mut heard) {
            Ok(_) => {}
            Err(fault) => assert_eq!(fault.kind(), ErrorKind::ConnectionReset),
        }
        assert_eq!(heard, b"", "{said}");
    }
}

#[test]
fn a_proxy_that_nobody_named_is_spoken_of_once_when_its_clients_are_refused() {
    let mut server = Running::start(anywhere().args(["--max-connections-per-address", "1"]));
    let _first = server.tcp();
    let ask = |headers: &str| {
        let mut tcp = server.tcp();
        tcp.write_all(format!("{UPGRADE}{headers}\r\n").as_bytes()).unwrap();
        let mut heard = String::new();
        tcp.read_to_string(&mut heard).unwrap();
        assert!(heard.starts_with("HTTP/1.1 429"), "{heard}");
    };
    // Without the header it is no proxy.
    ask("");
    ask("X-Forwarded-For: 203.0.113.7\r\n");
    ask("X-Forwarded-For: 203.0.113.7\r\n");
    server.signal("-TERM");
    let log: Vec<_> = std::iter::from_fn(|| server.next_log()).collect();
    let said = log.iter().filter(|line| line.contains("name the proxy with --trusted-proxy"));
    assert_eq!(said.count(), 1, "{log:?}");
}
