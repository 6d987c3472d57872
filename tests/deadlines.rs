//! Every state that a connection can be in ends, also with a client that stands still.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use signalpost::{
    config::limits,
    http::Http,
    hub::{Audience, Hub},
};
use support::{config, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::{JoinHandle, yield_now},
    time::{Instant, sleep},
};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
/// A large file of the client's.
const GET_LARGE: &[u8] = b"GET /page/styles/call.css HTTP/1.1\r\nHost: x\r\n\r\n";
const UPGRADE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn http(flags: &str) -> (Arc<Hub>, Arc<Http>) {
    let config = Arc::new(config(flags));
    let hub = Arc::new(Hub::new(Arc::clone(&config)));
    let http = Arc::new(Http::new(Arc::clone(&hub), config));
    (hub, http)
}

/// A connection over which the server can send so much unread, and the task that serves it.
fn connect(http: &Arc<Http>, room: usize) -> (DuplexStream, JoinHandle<()>) {
    let (client, served) = duplex(room);
    let visitor = http.let_in(LOCALHOST).unwrap();
    (client, tokio::spawn(Arc::clone(http).serve(served, LOCALHOST, visitor)))
}

/// The answer's head, and no more.
async fn head(client: &mut DuplexStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(client.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_stands_still_is_not_waited_for() {
    for (what, said) in [
        ("nothing", &b""[..]),
        ("half a head", &GET[..20]),
        ("a request whose answer is not read", GET_LARGE),
        ("many of them", &GET_LARGE.repeat(50)),
        ("a body that does not come", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"),
    ] {
        let (_hub, http) = http("");
        let (mut client, served) = connect(&http, 4096);
        let began = Instant::now();
        client.write_all(said).await.unwrap();
        served.await.unwrap();
        let seconds = began.elapsed().as_secs();
        assert_eq!(seconds, limits::HANDSHAKE.as_secs(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_whose_answer_is_not_taken_gives_its_place_up() {
    let (hub, http) = http("--max-connections 1");
    // Room for a part of the answer.
    let (mut client, _served) = connect(&http, 64);
    client.write_all(UPGRADE).await.unwrap();
    while hub.connect(LOCALHOST.into(), None).is_ok() {
        yield_now().await;
    }
    sleep(limits::HANDSHAKE - Duration::from_secs(1)).await;
    assert!(hub.connect(LOCALHOST.into(), None).is_err(), "it may still take its answer");
    sleep(Duration::from_secs(2)).await;
    assert!(hub.connect(LOCALHOST.into(), None).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_alive_for_longer_than_balancers_do() {
    let (_hub, http) = http("");
    let (mut client, served) = connect(&http, 4096);
    for _ in 0..3 {
        client.write_all(GET).await.unwrap();
        assert!(head(&mut client).await.starts_with("HTTP/1.1 200"));
        assert_eq!(within(client.read_u16()).await.unwrap(), u16::from_be_bytes(*b"ok"));
        client.read_u8().await.unwrap();
        sleep(Duration::from_secs(75)).await;
    }
    let began = Instant::now();
    served.await.unwrap();
    assert_eq!(began.elapsed().as_secs(), limits::HTTP_IDLE.as_secs() - 75);
    // Its next head has a deadline of its own again.
    let (mut client, served) = connect(&http, 4096);
    client.write_all(GET).await.unwrap();
    head(&mut client).await;
    client.write_all(&GET[..20]).await.unwrap();
    let began = Instant::now();
    served.await.unwrap();
    assert!(began.elapsed() <= limits::HANDSHAKE + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_be_taken_slowly_but_not_at_a_crawl() {
    for (bytes_a_second, is_served) in [(8 << 10, true), (100, false)] {
        let (_hub, http) = http("");
        let (mut client, served) = connect(&http, 1024);
        client.write_all(GET_LARGE).await.unwrap();
        client.write_all(&GET_LARGE.repeat(20)).await.unwrap();
        let mut heard = 0;
        for _ in 0..60 {
            let mut part = vec![0; bytes_a_second];
            heard += client.read(&mut part).await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(!served.is_finished(), is_served, "{bytes_a_second} B/s: {heard}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_an_answer_that_nobody_takes() {
    let (_hub, http) = http("");
    let (mut client, served) = connect(&http, 1024);
    client.write_all(GET_LARGE).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    http.draining.cancel();
    let began = Instant::now();
    served.await.unwrap();
    assert!(began.elapsed() <= limits::REFUSAL);
}

#[tokio::test(start_paused = true)]
async fn who_is_not_let_in_is_told_before_any_upgrade_and_its_connection_closed() {
    let (hub, http) = http("--max-connections-per-address 2");
    let clients = [(); 2].map(|()| hub.connect(LOCALHOST.into(), None).unwrap());
    for request in [GET, UPGRADE] {
        let (mut client, served) = connect(&http, 4096);
        client.write_all(request).await.unwrap();
        let head = head(&mut client).await.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 429"), "{head}");
        assert!(head.contains("retry-after: 5") && head.contains("connection: close"), "{head}");
        within(served).await.unwrap();
    }
    // A silent one does not keep its place for long.
    let began = Instant::now();
    connect(&http, 4096).1.await.unwrap();
    assert!(began.elapsed() <= limits::HANDSHAKE);

    drop(clients);
    // A connection that becomes a WebSocket counts once: there is still room for another.
    let mut upgraded = Vec::new();
    for _ in 0..2 {
        let (mut client, _served) = connect(&http, 4096);
        client.write_all(UPGRADE).await.unwrap();
        assert!(head(&mut client).await.starts_with("HTTP/1.1 101"));
        upgraded.push(client);
        yield_now().await;
    }
    assert!(hub.greet(LOCALHOST).is_err());
    drop(upgraded);
}

#[tokio::test(start_paused = true)]
async fn near_its_memory_budget_the_server_lets_nobody_in() {
    let (hub, http) = http("--memory-budget 134217728 --rate-limit 0 --outbox-bytes 40000000");
    let (mut speaker, _deaf) = (
        hub.connect(LOCALHOST.into(), None).unwrap(),
        hub.connect(LOCALHOST.into(), None).unwrap(),
    );
    let content = serde_json::value::to_raw_value(&"x".repeat(250_000)).unwrap();
    let everyone = Audience::Everyone;
    for _ in 0..65 {
        hub.broadcast(&everyone, &BTreeSet::new(), &content).await.unwrap();
    }
    assert!(speaker.may_speak());
    let (mut client, _served) = connect(&http, 4096);
    client.write_all(UPGRADE).await.unwrap();
    let head = head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
}
