//! What an administrator is shown of the connected clients, one by one and in pages.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/pipe.rs"]
mod pipe;
mod support;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, SystemTime},
};

use pipe::{Pipe, frame};
use signalpost::{
    config::limits,
    http::Http,
    hub::{Client, Hub, Origin, Report, Session},
    id::ClientId,
};
use support::{config, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::sleep,
};

fn hub(flags: &str) -> Arc<Hub> {
    Arc::new(Hub::new(Arc::new(config(flags))))
}

fn connect(hub: &Arc<Hub>) -> Session {
    hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap()
}

fn report(hub: &Hub, session: &Session) -> Report {
    hub.client(session.client().id).unwrap()
}

#[test]
fn a_client_is_known_by_its_origin_until_it_is_gone() {
    let hub = hub("");
    let before = SystemTime::now();
    let address: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
    let session = hub.connect(Origin { address, user_agent: Some("Firefox/9") }, None).unwrap();
    let report = report(&hub, &session);
    assert_eq!(report.address.to_string(), "192.0.2.1");
    assert_eq!(report.user_agent.as_deref(), Some("Firefox/9"));
    assert!((before..=SystemTime::now()).contains(&report.connected_at));
    drop(session);
    assert!(hub.client(report.id).is_none());
}

#[tokio::test]
async fn a_handshake_says_what_program_it_is_of_in_whatever_bytes() {
    for (header, expected) in [
        (&b"User-Agent: Mozilla/5.0 (X11)\r\n"[..], Some("Mozilla/5.0 (X11)")),
        ("User-Agent: \u{e9}t\u{e9}/1\r\n".as_bytes(), Some("\u{e9}t\u{e9}/1")),
        (b"User-Agent: \xe9t\xe9/1\r\n", Some("\u{fffd}t\u{fffd}/1")),
        (b"User-Agent: one\r\nUser-Agent: other\r\n", Some("one")),
        (b"User-Agent:\r\n", None),
        (b"", None),
    ] {
        let config = Arc::new(config(""));
        let hub = Arc::new(Hub::new(Arc::clone(&config)));
        let http = Arc::new(Http::new(Arc::clone(&hub), config));
        let (mut client, served) = tokio::io::duplex(4096);
        let address = Ipv4Addr::new(192, 0, 2, 1).into();
        let visitor = http.let_in(address).unwrap();
        tokio::spawn(http.serve(served, address, visitor));
        let upgrade =
            b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        client.write_all(&[upgrade, header, b"\r\n"].concat()).await.unwrap();
        within(client.read_u8()).await.unwrap();
        let (reports, _) = hub.clients(None, NonZeroUsize::MIN, |_| true);
        assert_eq!(reports[0].user_agent.as_deref(), expected);
        assert_eq!(reports[0].address, address);
    }
}

#[tokio::test]
async fn what_passes_is_counted_both_ways() {
    const JOIN: &str = r#"{"type":"join","roomId":"r"}"#;
    let hub = hub("");
    let mut pipe = Pipe::join(&hub, "r").await;
    let id = pipe.id.parse().unwrap();
    let joined = hub.client(id).unwrap();
    assert_eq!((joined.messages_in, joined.bytes_in), (1, frame(JOIN).len() as u64));
    assert_eq!((joined.messages_out, joined.queue_messages, joined.queue_bytes), (2, 0, 0));

    // A WebSocket ping, of 6 bytes, is no message; nor is its answer, of 2. What makes no sense is one, and so is its.
    pipe.say(&[0x89, 0x80, 0, 0, 0, 0]).await;
    pipe.say(&frame("no JSON")).await;
    assert_eq!(pipe.hear().await.len(), 0);
    let refusal = pipe.hear().await;
    let report = hub.client(id).unwrap();
    let sent = frame(JOIN).len() + 6 + frame("no JSON").len();
    assert_eq!((report.messages_in, report.bytes_in), (2, sent as u64));
    assert_eq!(report.messages_out, 3);
    assert_eq!(report.bytes_out - joined.bytes_out, (2 + 2 + refusal.len()) as u64);
}

#[tokio::test]
async fn what_came_with_the_handshake_counts() {
    let hub = hub("");
    let session = connect(&hub);
    let id = session.client().id;
    let (_stream, served) = tokio::io::duplex(4096);
    let task = signalpost::ws::run(served, vec![0x89], session);
    assert_eq!(hub.client(id).unwrap().bytes_in, 1);
    drop(task);
}

#[test]
fn what_waits_in_an_outbox_is_seen_until_the_client_has_it() {
    let hub = hub("");
    let session = connect(&hub);
    let outbox = &session.client().outbox;
    let mut batch = Vec::new();
    outbox.take_due(&mut batch, usize::MAX);
    let welcome = batch.remove(0).frame().as_str().len();
    let report = report(&hub, &session);
    assert_eq!((report.queue_messages, report.queue_bytes), (1, welcome + 64));
    assert_eq!(report.messages_out, 0, "it is on its way");
    outbox.acknowledge();
    let report = hub.client(report.id).unwrap();
    assert_eq!((report.messages_out, report.queue_messages, report.queue_bytes), (1, 0, 0));
}

/// What a client says on its connection, whole frames, up to where the server has handled it.
async fn say(stream: &mut DuplexStream, frames: &[u8]) {
    let ping = [0x89, 0x80, 0, 0, 0, 0];
    stream.write_all(&[frames, &ping].concat()).await.unwrap();
    assert_eq!(within(stream.read_u16()).await.unwrap(), 0x8a00);
}

/// The payload of the ping that the server sends.
async fn pinged(stream: &mut DuplexStream, client: &Client) -> u8 {
    client.outbox.ping();
    assert_eq!(within(stream.read_u16()).await.unwrap(), 0x8901);
    stream.read_u8().await.unwrap()
}

fn pong(payload: u8) -> [u8; 7] {
    [0x8a, 0x81, 0, 0, 0, 0, payload]
}

#[tokio::test(start_paused = true)]
async fn a_round_trip_is_from_the_last_ping_to_its_first_answer() {
    let hub = hub("");
    let session = connect(&hub);
    let client = Arc::clone(session.client());
    let took = || hub.client(client.id).unwrap().round_trip.map(|took| took.as_millis());
    let (mut stream, served) = tokio::io::duplex(4096);
    tokio::spawn(signalpost::ws::run(served, Vec::new(), session));
    assert!(stream.read(&mut [0; 4096]).await.unwrap() > 100, "welcome");
    say(&mut stream, &pong(0)).await;
    assert_eq!(took(), None, "it was not pinged");

    let payload = pinged(&mut stream, &client).await;
    sleep(Duration::from_millis(40)).await;
    say(&mut stream, &[0x8a, 0x80, 0, 0, 0, 0]).await;
    assert_eq!(took(), None, "that is no answer");
    say(&mut stream, &pong(payload)).await;
    assert_eq!(took(), Some(40));
    sleep(Duration::from_millis(40)).await;
    say(&mut stream, &pong(payload)).await;
    assert_eq!(took(), Some(40), "it is answered already");

    let late = pinged(&mut stream, &client).await;
    sleep(Duration::from_millis(100)).await;
    let last = pinged(&mut stream, &client).await;
    sleep(Duration::from_millis(7)).await;
    say(&mut stream, &pong(late)).await;
    assert_eq!(took(), Some(40), "it was pinged again since");
    say(&mut stream, &pong(last)).await;
    assert_eq!(took(), Some(7));
    assert_eq!(hub.client(client.id).unwrap().messages_in, 0, "control frames are no messages");
}

/// All pages of so many at most.
fn pages(
    hub: &Hub,
    max: usize,
    keep: impl Fn(&Report) -> bool,
    mut between: impl FnMut(),
) -> Vec<Vec<Report>> {
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let (page, next) = hub.clients(after, NonZeroUsize::new(max).unwrap(), &keep);
        pages.push(page);
        between();
        match next {
            Some(next) => after = Some(next),
            None => return pages,
        }
    }
}

#[test]
fn pages_are_full_in_order_and_none_is_empty_behind_the_last() {
    let hub = hub("");
    let sessions: Vec<_> = (0..20).map(|_| connect(&hub)).collect();
    let mut expected: Vec<_> = sessions.iter().map(|session| session.client().id).collect();
    expected.sort();
    for (max, lengths) in [(7, &[7, 7, 6][..]), (10, &[10, 10]), (20, &[20]), (1000, &[20])] {
        let pages = pages(&hub, max, |_| true, || ());
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), lengths);
        let ids: Vec<_> = pages.iter().flatten().map(|report| report.id).collect();
        assert_eq!(ids, expected);
    }
    drop(sessions);
    assert_eq!(pages(&hub, 10, |_| true, || ())[0].len(), 0);
}

#[test]
fn whoever_stays_is_on_exactly_one_page_however_many_come_and_go() {
    let hub = hub("--max-connections 20000 --rate-limit 0");
    let staying: Vec<_> = (0..10_000).map(|_| connect(&hub)).collect();
    let mut passing: Vec<_> = (0..100).map(|_| connect(&hub)).collect();
    let churn = || passing.iter_mut().for_each(|session| *session = connect(&hub));
    let mut seen = BTreeMap::<ClientId, usize>::new();
    for report in pages(&hub, 997, |_| true, churn).into_iter().flatten() {
        *seen.entry(report.id).or_default() += 1;
    }
    assert!(staying.iter().all(|session| seen[&session.client().id] == 1));
    assert!(seen.values().all(|times| *times == 1));
}

#[test]
fn a_page_of_few_among_many_is_short_rather_than_long_in_coming() {
    let hub = hub("--max-connections 50000 --rate-limit 0");
    let many = limits::CLIENTS_LOOKED_AT + 10;
    let sessions: Vec<_> = (0..many).map(|_| connect(&hub)).collect();
    let ids: Vec<_> =
        hub.clients(None, NonZeroUsize::MAX, |_| true).0.iter().map(|r| r.id).collect();
    assert_eq!(ids.len(), limits::CLIENTS_LOOKED_AT);
    let wanted = ids[limits::CLIENTS_LOOKED_AT / 2];
    let pages = pages(&hub, 10, |report| report.id == wanted, || ());
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0]);
    drop(sessions);
}
