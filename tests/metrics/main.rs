//! What `/metrics` shows is what happened, and what `docs/metrics.md` says.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test panics where it fails"
)]

mod document;
mod fleet;
#[path = "../support/issuer.rs"]
mod issuer;
mod passwords;
#[path = "../support/redis.rs"]
mod redis_server;
mod scrape;
#[path = "../support/mod.rs"]
mod support;
mod waiting;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use issuer::Issuer;
use scrape::{Family, ask, parsed, scrape, shown, value};
use serde_json::{json, value::RawValue};
use signalpost::{
    admin::pb::{
        AdmitClientRequest, DisconnectClientRequest, LockRoomRequest, Room, UpdateRoomRequest,
        WatchEventsRequest, admin_service_client::AdminServiceClient,
        disconnect_client_request::BanOptions, watch_events_request::Start,
    },
    event::Position,
    hub::{Audience, Hub},
    metrics::{Exposition, Process, Source},
    ws,
};
use support::{TestServer, config, within};
use tokio::{io::duplex, time::sleep};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message},
};
use tonic::transport::Endpoint;

#[tokio::test]
async fn every_metric_moves() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let idle = scrape(&server).await;
    for (name, family) in idle.iter().filter(|(name, _)| name.starts_with("signalpost_")) {
        let moved = family.series.values().any(|value| *value != 0.0);
        assert!(!moved || name == "signalpost_build_info", "{name}: {family:?}");
    }
    let _unread = admin.watch_events(WatchEventsRequest::default()).await.unwrap().into_inner();

    let mut ann = server.member("r").await;
    ann.ask(json!({"type": "register", "userId": "ann"})).await;
    let mut bob = server.member("r").await;
    for kind in ["offer", "answer"] {
        bob.say(json!({"type": kind, "targetId": ann.id, "sdp": {}})).await;
        ann.hear_of(kind).await;
    }
    bob.say(json!({"type": "candidate", "targetId": ann.id, "candidate": null})).await;
    bob.say(json!({"type": "message", "content": 1})).await;
    ann.hear_of("message").await;
    bob.say_text("nonsense").await;
    bob.ask(json!({"type": "leave", "roomId": "r"})).await;
    bob.ask(json!({"type": "message", "content": 1})).await;
    ann.ask(json!({"type": "ping"})).await;
    for locked in [true, false] {
        admin
            .lock_room(LockRoomRequest { room_id: "r".into(), locked, ..Default::default() })
            .await
            .unwrap();
        if locked {
            bob.ask(json!({"type": "join", "roomId": "r"})).await;
        }
    }

    let families = scrape(&server).await;
    for (kind, taken, refused) in [
        ("register", 1.0, 0.0),
        ("join", 2.0, 1.0),
        ("leave", 1.0, 0.0),
        ("offer", 1.0, 0.0),
        ("answer", 1.0, 0.0),
        ("candidate", 1.0, 0.0),
        ("message", 1.0, 1.0),
        ("ping", 1.0, 0.0),
        ("invalid", 0.0, 1.0),
    ] {
        let of = |outcome| value(&families, "signalpost_messages_received_total", &[outcome, kind]);
        assert_eq!((of("taken"), of("refused")), (taken, refused), "{kind}");
    }
    let code = |code| value(&families, "signalpost_refusals_total", &[code]);
    let codes = ["bad-message", "not-in-room", "room-locked", "room-full"].map(code);
    assert_eq!(codes, [1.0, 1.0, 1.0, 0.0]);
    let kind = |kind| value(&families, "signalpost_events_appended_total", &[kind]);
    let kinds = ["created", "joined", "updated", "left", "locked", "unlocked", "closed"].map(kind);
    assert_eq!(kinds, [1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
    let one = |name| value(&families, name, &[]);
    assert_eq!(one("signalpost_connections"), 2.0);
    assert_eq!(one("signalpost_connections_total"), 2.0);
    assert_eq!((one("signalpost_rooms"), one("signalpost_members")), (1.0, 1.0));
    assert_eq!((one("signalpost_join_duration_seconds"), one("signalpost_watchers")), (2.0, 1.0));
    // Ann's: welcome, joined, registered, user-joined, four signals, user-left, pong, two of room-updated. Bob's: welcome,
    // joined, three refusals, left.
    assert_eq!(one("signalpost_messages_sent_total"), 18.0);
    let mut moved: BTreeSet<_> = moved(&families);
    moved.extend(moved_by_parting(&server, ann, bob).await);
    moved.extend(moved_at_the_door().await);
    moved.extend(moved_by_tokens().await);
    moved.extend(moved_in_a_hub().await);
    moved.extend(moved_by_bans_and_pings().await);
    moved.extend(moved_by_waiting().await);
    let all = families.into_keys().collect::<BTreeSet<_>>();
    assert_eq!(all.difference(&moved).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Those that show anything.
fn moved(families: &BTreeMap<String, Family>) -> BTreeSet<String> {
    let moved = families.iter().filter(|(_, family)| family.series.values().any(|v| *v != 0.0));
    moved.map(|(name, _)| name.clone()).collect()
}

async fn moved_by_parting(
    server: &TestServer,
    mut ann: support::Client,
    mut bob: support::Client,
) -> BTreeSet<String> {
    let before = scrape(server).await;
    let bytes = |families: &_| {
        ["received", "sent"]
            .map(|way| value(families, &format!("signalpost_{way}_bytes_total"), &[]))
    };
    // A masked head of six bytes and the text; a head of two and the pong.
    ann.ask(json!({"type": "ping"})).await;
    let after = scrape(server).await;
    let [received, sent] = [0, 1].map(|way| bytes(&after)[way] - bytes(&before)[way]);
    let ping = r#"{"requestId":"asked","type":"ping"}"#.len();
    let pong = r#"{"type":"pong","requestId":"asked"}"#.len();
    assert_eq!((received, sent), ((6 + ping) as f64, (2 + pong) as f64));

    within(ann.socket.close(None)).await.unwrap();
    ann.closed().await;
    within(bob.socket.send(Message::binary(vec![1]))).await.unwrap();
    assert_eq!(bob.closed().await, Some(1003));
    server.client().await.vanish();
    let closed = async {
        loop {
            let families = scrape(server).await;
            let reasons = ["client", "unsupported", "lost"];
            let closed =
                reasons.map(|reason| value(&families, "signalpost_closings_total", &[reason]));
            if closed == [1.0; 3] {
                break families;
            }
        }
    };
    let families = within(closed).await;
    assert_eq!(value(&families, "signalpost_connections", &[]), 0.0);
    assert_eq!(value(&families, "signalpost_rooms", &[]), 0.0);
    moved(&families)
}

async fn moved_at_the_door() -> BTreeSet<String> {
    let server = TestServer::with("--max-connections 1");
    let _only = server.client().await;
    let refused = within(connect_async(server.url("/"))).await;
    assert!(matches!(refused, Err(Error::Http(answer)) if answer.status() == 503));
    let families = scrape(&server).await;
    assert_eq!(value(&families, "signalpost_turned_away_total", &["full"]), 1.0);
    assert_eq!(value(&families, "signalpost_turned_away_total", &["address"]), 0.0);
    moved(&families)
}

async fn moved_by_tokens() -> BTreeSet<String> {
    let issuer = Issuer::new();
    let server = TestServer::with(&issuer.flags());
    let mut client = server.client().await;
    for token in [issuer.token("ann", json!({})), "x".to_owned()] {
        client.ask(json!({"type": "register", "token": token})).await;
    }
    let families = scrape(&server).await;
    let of = |outcome| value(&families, "signalpost_tokens_total", &[outcome]);
    assert_eq!((of("taken"), of("refused")), (1.0, 1.0));
    moved(&families)
}

async fn tell(hub: &Hub, audience: &Audience, content: &RawValue) {
    let reached = hub.broadcast(audience, &BTreeSet::new(), content).await.unwrap();
    assert_eq!(reached.clients, 1);
}

/// What comes of an administrator's bans, and of a ping's answer.
async fn moved_by_bans_and_pings() -> BTreeSet<String> {
    let server = TestServer::with("--ping-seconds 1");
    let mut admin = server.admin().await;
    let mut ann = server.client().await;
    ann.ask(json!({"type": "register", "userId": "ann"})).await;
    assert!(matches!(within(ann.socket.next()).await, Some(Ok(Message::Ping(_)))));
    // The answer to it goes before this.
    ann.ask(json!({"type": "ping"})).await;
    let request = DisconnectClientRequest {
        client_id: ann.id.clone(),
        ban: Some(BanOptions { user_id: true, ..Default::default() }),
        ..Default::default()
    };
    admin.disconnect_client(request).await.unwrap();
    assert_eq!(ann.closed().await, Some(4501));
    let families = scrape(&server).await;
    for (name, labels) in [
        ("signalpost_events_appended_total", &["ban-created"][..]),
        ("signalpost_refusals_total", &["banned"]),
        ("signalpost_closings_total", &["removed"]),
        ("signalpost_bans", &[]),
        ("signalpost_ping_round_trip_seconds", &[]),
    ] {
        assert_eq!(value(&families, name, labels), 1.0, "{name} {labels:?}");
    }
    moved(&families)
}

/// What comes of a lobby.
async fn moved_by_waiting() -> BTreeSet<String> {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let _ann = server.member("r").await;
    let room = Room { room_id: "r".into(), lobby: true, ..Default::default() };
    admin.update_room(UpdateRoomRequest { room: Some(room), update_mask: None }).await.unwrap();
    let mut clients = [server.client().await, server.client().await, server.client().await];
    for client in &mut clients {
        let answer = client.ask(json!({"type": "join", "roomId": "r"})).await;
        assert_eq!(answer["type"], "waiting");
        // It is one who waits, under whatever name.
        client.ask(json!({"type": "register", "userId": "bob"})).await;
    }
    let waiting = |families: &_| value(families, "signalpost_waiting_clients", &[]);
    let families = scrape(&server).await;
    assert_eq!(waiting(&families), 3.0);
    clients[0].ask(json!({"type": "leave", "roomId": "r"})).await;
    let client_id = clients[1].id.clone();
    let admit = AdmitClientRequest { client_id, ..Default::default() };
    admin.admit_client(admit).await.unwrap();
    assert_eq!(waiting(&scrape(&server).await), 1.0);
    moved(&families)
}

/// What only comes of clients that do not read, or of watchers.
async fn moved_in_a_hub() -> BTreeSet<String> {
    let hub = Arc::new(Hub::new(Arc::new(config(""))));
    let mut session = hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap();
    let families = shown(&hub);
    assert_eq!(value(&families, "signalpost_outbox_messages", &[]), 1.0);
    assert_eq!(value(&families, "signalpost_outbox_pressed", &[]), 0.0);
    let content = serde_json::value::to_raw_value(&"x".repeat(1000)).unwrap();
    let (told, audience) = (800, Audience::Client(session.client().id));
    for _ in 0..told {
        tell(&hub, &audience, &content).await;
    }
    let watcher = hub.metrics.watcher(Position(0));
    let wish = session.receive(r#"{"type":"join","roomId":"r"}"#).unwrap();
    session.carry_out(wish).await;
    let families = shown(&hub);
    assert_eq!(value(&families, "signalpost_outbox_messages", &[]), f64::from(2 + told));
    assert_eq!(value(&families, "signalpost_watcher_lag_events", &[]), 2.0);
    assert_eq!(value(&families, "signalpost_outbox_pressed", &[]), 1.0);
    let [all, most] =
        ["", "_max"].map(|which| value(&families, &format!("signalpost_outbox{which}_bytes"), &[]));
    assert!(all == most && all > 800_000.0, "{all}, {most}");
    passwords::give(&hub).await;
    let families = shown(&hub);
    drop(watcher);
    let result = |result| value(&families, "signalpost_password_checks_total", &[result]);
    assert_eq!(["right", "wrong", "refused"].map(result), [1.0, 5.0, 1.0]);
    assert_eq!(value(&families, "signalpost_password_wait_seconds", &[]), 7.0);
    let mut exposition = Exposition::default();
    Process.expose(&mut exposition);
    let mut moved = moved(&families);
    moved.extend(self::moved(&parsed(&exposition.text())));
    moved
}

#[tokio::test]
async fn a_watcher_that_does_not_read_lags() {
    let server = TestServer::with("--rate-limit 0");
    let mut admin = server.admin().await;
    let _unread = admin.watch_events(WatchEventsRequest::default()).await.unwrap().into_inner();
    let mut ann = server.client().await;
    // More than the flow control of HTTP/2 lets through unread.
    let metadata = "x".repeat(2000);
    for _ in 0..2000 {
        ann.ask(json!({"type": "join", "roomId": "r", "metadata": metadata})).await;
    }
    let families = scrape(&server).await;
    let lag = value(&families, "signalpost_watcher_lag_events", &[]);
    assert!((1000.0..4001.0).contains(&lag), "{lag} of 4001 events");
}

#[tokio::test]
async fn a_watcher_counts_while_it_takes_its_snapshot() {
    let server = TestServer::with("--rate-limit 0 --max-members 60");
    let mut members = Vec::new();
    for _ in 0..60 {
        let mut member = server.client().await;
        member.ask(json!({"type": "join", "roomId": "r", "metadata": "x".repeat(2000)})).await;
        members.push(member);
    }
    // More than it lets through unread.
    let url = format!("http://{}", server.addresses.admin);
    let narrow = Endpoint::new(url).unwrap().initial_stream_window_size(65_535);
    let mut admin = AdminServiceClient::connect(narrow).await.unwrap();
    let snapshot = WatchEventsRequest { start: Some(Start::Snapshot(true)), ..Default::default() };
    let _unread = admin.watch_events(snapshot).await.unwrap().into_inner();
    let families = scrape(&server).await;
    assert_eq!(value(&families, "signalpost_watchers", &[]), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_consumer_is_counted() {
    let hub = Arc::new(Hub::new(Arc::new(config(""))));
    let beating = Arc::clone(&hub);
    tokio::spawn(async move { beating.run().await });
    let (unread, served) = duplex(64);
    let deaf = hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap();
    let audience = Audience::Client(deaf.client().id);
    tokio::spawn(ws::run(served, Vec::new(), deaf));
    let content = serde_json::value::to_raw_value(&"x".repeat(200_000)).unwrap();
    for _ in 0..4 {
        tell(&hub, &audience, &content).await;
    }
    sleep(Duration::from_secs(15)).await;
    let families = shown(&hub);
    assert_eq!(value(&families, "signalpost_closings_total", &["slow-consumer"]), 1.0);
    assert_eq!(value(&families, "signalpost_closings_total", &["lost"]), 0.0);
    drop(unread);
}

#[tokio::test]
async fn a_server_that_goes_away_lives_and_is_not_ready() {
    let mut server = TestServer::start();
    let of = async |server: &TestServer, path: &str| {
        let answer = ask(server, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        answer.lines().next().unwrap().to_owned()
    };
    for path in ["/healthz", "/readyz"] {
        assert_eq!(of(&server, path).await, "HTTP/1.1 200 OK", "{path}");
    }
    // It does not answer the close frame, and is waited for.
    let _client = server.client().await;
    server.begin_stop();
    let not_ready =
        async { while of(&server, "/readyz").await != "HTTP/1.1 503 Service Unavailable" {} };
    within(not_ready).await;
    assert_eq!(of(&server, "/healthz").await, "HTTP/1.1 200 OK");
}
