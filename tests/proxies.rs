//! Behind proxies: whose address counts.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/running.rs"]
mod running;

use std::io::Write;

use running::{Running, anywhere};

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
