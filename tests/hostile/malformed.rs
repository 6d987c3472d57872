//! Input that no browser sends: each gets a clear error or a proper close code, and nobody else suffers.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream,
    tungstenite::{
        Message,
        protocol::frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use crate::support::{Client, TestServer, within};

/// Two members who look on, and must notice nothing.
struct Witnesses(Client, Client);

impl Witnesses {
    async fn new(server: &TestServer) -> Self {
        let mut a = server.member("witnesses").await;
        let b = server.member("witnesses").await;
        a.hear_of("user-joined").await;
        Self(a, b)
    }

    async fn are_undisturbed(mut self) {
        let signal = json!({"type": "offer", "targetId": self.1.id, "sdp": "x"});
        self.0.say(signal).await;
        assert_eq!(self.1.hear().await["sdp"], "x");
        self.0.hears_nothing().await;
        self.1.hears_nothing().await;
    }
}

#[tokio::test]
async fn bad_messages_get_an_error_and_the_connection_lives_on() {
    let server = TestServer::start();
    let witnesses = Witnesses::new(&server).await;
    let mut client = server.member("r").await;
    let elsewhere = server.member("elsewhere").await;
    let long = "x".repeat(10_000);
    let stranger = elsewhere.id.clone();
    let error = |code: &str| json!({"type": "error", "code": code});
    let refused = |code: &str| json!({"type": "join-error", "code": code});
    let cases = [
        // No JSON object.
        (String::new(), error("bad-message")),
        ("not json".into(), error("bad-message")),
        ("[1,2]".into(), error("bad-message")),
        (r#"["ping"]"#.into(), error("bad-message")),
        ("null".into(), error("bad-message")),
        ("5".into(), error("bad-message")),
        (r#"{"type":"ping"} x"#.into(), error("bad-message")),
        (r#"{"type":"ping","type":"ping"}"#.into(), error("bad-message")),
        ("{".repeat(100_000), error("bad-message")),
        ("[".repeat(100_000), error("bad-message")),
        // Types.
        ("{}".into(), error("bad-message")),
        (r#"{"type":5}"#.into(), error("bad-message")),
        (r#"{"type":null}"#.into(), error("bad-message")),
        (r#"{"type":{}}"#.into(), error("bad-message")),
        (r#"{"type":""}"#.into(), error("unknown-type")),
        (r#"{"type":"welcome"}"#.into(), error("unknown-type")),
        (format!(r#"{{"type":"{long}"}}"#), error("unknown-type")),
        // Names.
        (r#"{"type":"join"}"#.into(), refused("bad-room-id")),
        (r#"{"type":"join","roomId":{}}"#.into(), refused("bad-room-id")),
        (r#"{"type":"join","roomId":null}"#.into(), refused("bad-room-id")),
        (r#"{"type":"join","roomId":5}"#.into(), refused("bad-room-id")),
        (r#"{"type":"join","roomId":""}"#.into(), refused("bad-room-id")),
        (r#"{"type":"join","roomId":"\ud800"}"#.into(), refused("bad-room-id")),
        (format!(r#"{{"type":"join","roomId":"{long}"}}"#), refused("bad-room-id")),
        (format!(r#"{{"type":"join","roomId":"r2","metadata":"{long}"}}"#), refused("bad-message")),
        (r#"{"type":"leave","roomId":[]}"#.into(), error("bad-room-id")),
        (r#"{"type":"leave"}"#.into(), error("bad-room-id")),
        (r#"{"type":"register","userId":5}"#.into(), error("bad-message")),
        (format!(r#"{{"type":"register","userId":"{long}"}}"#), error("bad-message")),
        (r#"{"type":"register","displayName":[]}"#.into(), error("bad-message")),
        (r#"{"type":"ping","requestId":7}"#.into(), error("bad-message")),
        (format!(r#"{{"type":"ping","requestId":"{long}"}}"#), error("bad-message")),
        // Targets.
        (r#"{"type":"offer","sdp":1}"#.into(), error("bad-message")),
        (r#"{"type":"offer","targetId":null,"sdp":1}"#.into(), error("bad-message")),
        (r#"{"type":"offer","targetId":7,"sdp":1}"#.into(), error("bad-message")),
        (r#"{"type":"message","targetId":"","content":1}"#.into(), error("bad-message")),
        (format!(r#"{{"type":"offer","targetId":"{long}","sdp":1}}"#), error("bad-message")),
        (r#"{"type":"offer","targetId":"nobody","sdp":1}"#.into(), error("peer-not-found")),
        (
            format!(r#"{{"type":"answer","targetId":"{stranger}","sdp":1}}"#),
            error("peer-not-found"),
        ),
        (
            format!(r#"{{"type":"message","targetId":"{stranger}","content":1}}"#),
            error("peer-not-found"),
        ),
        (format!(r#"{{"type":"offer","targetId":"{stranger}"}}"#), error("bad-message")),
        (r#"{"type":"message"}"#.into(), error("bad-message")),
    ];
    for (sent, expected) in cases {
        client.say_text(&sent).await;
        let heard = client.hear().await;
        let shown = &sent[..sent.len().min(80)];
        assert_eq!(heard["type"], expected["type"], "{shown} -> {heard}");
        assert_eq!(heard["code"], expected["code"], "{shown} -> {heard}");
        let words = heard["message"].as_str().or_else(|| heard["error"].as_str()).unwrap();
        assert!(words.len() > 10 && !words.contains("xxxx"), "{shown} -> {heard}");
        if shown == "not json" {
            assert_eq!(words, "Invalid message format");
        }
    }
    let mut alone = server.client().await;
    let refused = alone.ask(json!({"type": "message", "content": 1})).await;
    assert_eq!(refused["code"], "not-in-room");
    client.hears_nothing().await;
    witnesses.are_undisturbed().await;
}

#[tokio::test]
async fn deep_nesting_is_relayed_as_it_came() {
    let server = TestServer::start();
    let (mut a, mut b) = (server.member("r").await, server.member("r").await);
    a.hear_of("user-joined").await;
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    a.say_text(&format!(r#"{{"type":"message","content":{deep}}}"#)).await;
    assert!(b.hear_text().await.ends_with(&format!(r#""content":{deep}}}"#)));
    a.hears_nothing().await;
}

/// A frame as a client sends it, its payload masked with zeros.
fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first_byte];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        long => {
            bytes.push(0xff);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

#[tokio::test]
async fn faults_of_the_protocol_close_with_their_code() {
    let server = TestServer::start();
    let witnesses = Witnesses::new(&server).await;
    let mut unmasked = frame(0x81, b"{}");
    unmasked.truncate(2);
    unmasked[1] &= 0x7f;
    unmasked.extend_from_slice(b"{}");
    let mut huge = vec![0x81, 0xff];
    huge.extend_from_slice(&u64::MAX.to_be_bytes());
    huge.extend_from_slice(&[0; 4]);
    let fragments = {
        let mut bytes = frame(0x01, &[b'x'; 4096]);
        (0..100).for_each(|_| bytes.extend_from_slice(&frame(0x00, &[b'x'; 4096])));
        bytes
    };
    for (what, bytes, code) in [
        ("binary", frame(0x82, b"{}"), 1003),
        ("invalid UTF-8", frame(0x81, b"\xff\xfe"), 1007),
        (
            "invalid UTF-8 over two frames",
            [frame(0x01, b"\xe2\x82"), frame(0x80, b"A")].concat(),
            1007,
        ),
        ("2 MB", frame(0x81, &vec![b'x'; 2 << 20]), 1009),
        ("a length of 2^64", huge, 1009),
        ("fragments without end", fragments, 1009),
        ("unmasked", unmasked, 1002),
        ("reserved bits", frame(0xf1, b"{}"), 1002),
        ("unknown opcode", frame(0x83, b"{}"), 1002),
        ("continuation of nothing", frame(0x80, b"{}"), 1002),
        ("fragmented ping", frame(0x09, b""), 1002),
        ("ping of 126 bytes", frame(0x89, &[b'x'; 126]), 1002),
        ("close of one byte", frame(0x88, b"x"), 1002),
        ("close with a bad code", frame(0x88, &999_u16.to_be_bytes()), 1002),
    ] {
        let mut room_mate = server.member("r").await;
        let mut client = server.member("r").await;
        let id = client.id.clone();
        room_mate.hear_of("user-joined").await;
        let MaybeTlsStream::Plain(tcp) = client.socket.get_mut() else { unreachable!() };
        // The server may hang up on the rest.
        let _ = within(tcp.write_all(&bytes)).await;
        assert_eq!(client.closed().await, Some(code), "{what}");
        let left = room_mate.hear_of("user-left").await;
        assert_eq!(left["clientId"], json!(id), "{what}");
    }
    witnesses.are_undisturbed().await;
}

#[tokio::test]
async fn fragments_with_pings_between_are_one_message() {
    let server = TestServer::start();
    let mut client = server.client().await;
    for (opcode, text, last) in [
        (Data::Text, r#"{"type":"#, false),
        (Data::Continue, r#""pi"#, false),
        (Data::Continue, "", false),
        (Data::Continue, r#"ng"}"#, true),
    ] {
        let fragment = Frame::message(text.to_owned(), OpCode::Data(opcode), last);
        client.socket.send(Message::Frame(fragment)).await.unwrap();
        client.socket.send(Message::Ping("between".into())).await.unwrap();
    }
    let mut pongs = 0;
    loop {
        match within(client.socket.next()).await.unwrap().unwrap() {
            Message::Text(text) => {
                assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!({"type": "pong"}));
                break;
            }
            Message::Pong(_) => pongs += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(pongs >= 1);
}

#[tokio::test]
async fn bytes_that_come_one_by_one_are_a_message_too() {
    let server = TestServer::start();
    let mut client = server.client().await;
    let MaybeTlsStream::Plain(tcp) = client.socket.get_mut() else { unreachable!() };
    tcp.set_nodelay(true).unwrap();
    for byte in frame(0x81, br#"{"type":"ping","requestId":"slow"}"#) {
        tcp.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(client.hear().await, json!({"type": "pong", "requestId": "slow"}));
}

#[tokio::test]
async fn messages_that_come_with_the_handshake_are_not_lost() {
    let server = TestServer::start();
    let mut tcp = server.tcp().await;
    let mut burst =
        b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            .to_vec();
    burst.extend(frame(0x81, br#"{"type":"ping","requestId":"early"}"#));
    tcp.write_all(&burst).await.unwrap();
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains(r#"{"type":"pong","requestId":"early"}"#) {
        assert_ne!(within(tcp.read_buf(&mut heard)).await.unwrap(), 0);
    }
    let heard = String::from_utf8_lossy(&heard);
    assert!(heard.starts_with("HTTP/1.1 101 "), "{heard}");
    assert!(heard.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{heard}");
}

#[tokio::test]
async fn a_client_that_never_reads_is_closed_and_costs_nobody_a_message() {
    let server = TestServer::with("--outbox-bytes 1000000 --outbox-messages 100 --max-members 3");
    let witnesses = Witnesses::new(&server).await;
    let mut speaker = server.member("r").await;
    let mut listener = server.member("r").await;
    let mut deaf = server.member("r").await;

    let chunk = "x".repeat(100_000);
    let mut left = None;
    for said in 0.. {
        assert!(said < 1000, "100 MB are more than any socket holds");
        speaker.say(json!({"type": "message", "content": [said, chunk]})).await;
        loop {
            let heard = listener.hear().await;
            match heard["type"].as_str().unwrap() {
                "message" => {
                    assert_eq!(heard["content"][0], said);
                    break;
                }
                "user-left" => left = Some(heard),
                _ => {}
            }
        }
        if left.is_some() {
            break;
        }
    }
    let left = left.unwrap();
    assert_eq!(left["reason"], "slow-consumer");
    assert_eq!(left["clientId"], json!(deaf.id));
    assert_eq!(deaf.closed().await, Some(4001));
    witnesses.are_undisturbed().await;
}

#[tokio::test]
async fn handshakes_that_are_none_are_refused_with_a_status() {
    let server = TestServer::with("--allowed-origin https://chat.example.org --max-connections 1");
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
    for (headers, status) in [
        (String::new(), 426),
        (format!("{UPGRADE}{KEY}"), 426),
        (format!("{UPGRADE}{KEY}Sec-WebSocket-Version: 8\r\n"), 426),
        (format!("{UPGRADE}{VERSION}"), 400),
        (format!("{UPGRADE}{VERSION}{KEY}Origin: https://evil.example.org\r\n"), 403),
        (format!("{UPGRADE}{VERSION}{KEY}Origin: https://chat.example.org\r\n"), 101),
        (format!("{UPGRADE}{VERSION}{KEY}Content-Length: 9\r\n"), 400),
        (format!("{UPGRADE}{VERSION}{KEY}Transfer-Encoding: chunked\r\n"), 400),
        (format!("{UPGRADE}{VERSION}{KEY}"), 101),
    ] {
        let mut tcp = server.tcp().await;
        let request = format!("GET /ws HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        within(tcp.read_exact(&mut head)).await.unwrap();
        let head = String::from_utf8_lossy(&head).into_owned();
        assert_eq!(head, format!("HTTP/1.1 {status}"), "{headers}");
        tcp.shutdown().await.unwrap();
        // Until the server hangs up too, so that its one place is free again.
        let _ = within(tcp.read_to_end(&mut Vec::new())).await;
    }

    let url = server.url("/");
    let _first = Client::connect(&url).await;
    let refused = tokio_tungstenite::connect_async(&url).await.unwrap_err();
    assert!(refused.to_string().contains("503"), "{refused}");
}

#[tokio::test]
async fn pings_from_a_client_that_never_reads_are_not_hoarded() {
    let server = TestServer::start();
    let mut client = server.client().await;
    let MaybeTlsStream::Plain(tcp) = client.socket.get_mut() else { unreachable!() };
    let pings = frame(0x89, &[b'x'; 125]).repeat(1000);
    let mut sent = 0;
    // Once the pongs fill the sockets on their way back, the server reads no more.
    while timeout(Duration::from_secs(2), tcp.write_all(&pings)).await.is_ok() {
        sent += pings.len();
        assert!(sent < 64 << 20, "the server took {sent} bytes of pings whose pongs nobody reads");
    }
}
