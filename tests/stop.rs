//! How a server stops, and who is told what.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::time::Duration;

use serde_json::json;
use signalpost::{
    admin::pb::{
        BroadcastRequest, CreateRoomRequest,
        admin_service_client::AdminServiceClient,
        broadcast_request::{Body, Target},
        event::What,
    },
    server::Server,
};
use support::{Client, PATIENCE, TestServer, config, events::Events, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};
use tonic::{Code, Status, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

#[tokio::test]
async fn a_stop_says_goodbye_to_everyone() {
    // A tenth of that is 10 s, for admin calls that do not end by themselves.
    let mut server = TestServer::with("--drain-seconds 100");
    let mut admin = server.admin().await;
    let channel = Endpoint::new(format!("http://{}", server.addresses.admin)).unwrap();
    let mut health = HealthClient::new(channel.connect().await.unwrap());
    let check = |service: &str| HealthCheckRequest { service: service.to_owned() };
    for service in ["", "signalpost.admin.v1.AdminService"] {
        assert_eq!(health.check(check(service)).await.unwrap().into_inner().status, 1);
    }
    let mut statuses = health.watch(check("")).await.unwrap().into_inner();
    assert_eq!(statuses.message().await.unwrap().unwrap().status, 1);
    let mut events = Events::all(&mut admin).await;
    let (mut a, mut idle) = (server.member("r").await, server.client().await);

    server.begin_stop();
    for client in [&mut a, &mut idle] {
        let goodbye = client.hear().await;
        assert_eq!(goodbye["type"], "going-away");
        let retry_after_ms = goodbye["retryAfterMs"].as_u64().unwrap();
        assert!((1000..=2000).contains(&retry_after_ms), "{goodbye}");
        assert_eq!(client.closed().await, Some(1001));
    }
    assert_eq!(within(statuses.message()).await.unwrap().unwrap().status, 2);
    let (seen, ended) = to_the_end(&mut events).await;
    assert_eq!(ended.code(), Code::Unavailable);
    assert!(matches!(seen.last(), Some(What::Closed(_))), "everything before is shown");
    assert_eq!(within(statuses.message()).await.unwrap_err().code(), Code::Unavailable);

    let address = server.addresses.http[0];
    let began = Instant::now();
    server.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "nobody had to be waited for");
    assert!(TcpStream::connect(address).await.is_err());
}

async fn to_the_end(events: &mut Events) -> (Vec<What>, Status) {
    let mut seen = Vec::new();
    loop {
        match events.try_next().await {
            Ok(event) => seen.push(event.what.unwrap()),
            Err(status) => return (seen, status),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_see_those_leave_who_had_to_be_killed() {
    let mut server = TestServer::with("--drain-seconds 1 --outbox-bytes 100000000");
    let mut admin = server.admin().await;
    let mut deaf = Vec::new();
    for _ in 0..8 {
        deaf.push(server.member("r").await);
    }
    // More than any socket holds, so that the goodbye after it never gets out.
    let content = Body::ContentJson(json!("x".repeat(250_000)).to_string());
    for _ in 0..100 {
        let (target, body) = (Some(Target::RoomId("r".into())), Some(content.clone()));
        admin.broadcast(BroadcastRequest { target, body, ..Default::default() }).await.unwrap();
    }
    let mut events = Events::all(&mut admin).await;

    server.begin_stop();
    let (seen, ended) = to_the_end(&mut events).await;
    assert_eq!(ended.code(), Code::Unavailable);
    let left = |what: &&What| matches!(what, What::Left(left) if left.reason == "server-shutdown");
    assert_eq!(seen.iter().filter(left).count(), deaf.len());
    assert!(matches!(seen.last(), Some(What::Closed(_))), "{:?}", seen.last());
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_is_cut_short_leaves_no_stream_open() {
    let server = Server::bind(config("")).unwrap();
    let url = format!("http://{}", server.addresses().admin);
    let browsers = server.addresses().http[0];
    let running = tokio::spawn(server.run(std::future::pending()));
    let mut client = Client::connect(&format!("ws://{browsers}/")).await;
    client.join("r").await;
    let mut silent = TcpStream::connect(browsers).await.unwrap();
    silent.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    within(silent.read_exact(&mut [0; 15])).await.unwrap();
    let mut admin = AdminServiceClient::connect(url.clone()).await.unwrap();
    let mut events = Events::all(&mut admin).await;
    let channel = Endpoint::new(url).unwrap().connect().await.unwrap();
    let whole = HealthCheckRequest { service: String::new() };
    let mut statuses = HealthClient::new(channel).watch(whole).await.unwrap().into_inner();
    assert_eq!(statuses.message().await.unwrap().unwrap().status, 1);

    running.abort();
    assert_eq!(to_the_end(&mut events).await.1.code(), Code::Unavailable);
    assert_eq!(within(statuses.message()).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(client.closed().await, None, "there was no time for a goodbye");
    within(silent.read_to_end(&mut Vec::new())).await.unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let server = TestServer::with("--drain-seconds 1");
    let _half_open = server.tcp().await;
    let _never_answers = server.client().await;
    let began = Instant::now();
    server.stop().await;
    assert!(began.elapsed() < PATIENCE / 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_is_behind_sees_everything_before_the_end() {
    let mut server = TestServer::with("--rate-limit 0");
    let made = CreateRoomRequest { room_id: "made ahead".into(), ..Default::default() };
    server.admin().await.create_room(made).await.unwrap();
    // It takes little at a time.
    let url = format!("http://{}", server.addresses.admin);
    let narrow = Endpoint::new(url).unwrap().initial_stream_window_size(65_535);
    let mut admin = AdminServiceClient::connect(narrow).await.unwrap();
    let mut events = Events::all(&mut admin).await;
    let mut member = server.client().await;
    let join = json!({"type": "join", "roomId": "r", "metadata": "x".repeat(2000)});
    for _ in 0..500 {
        member.ask(join.clone()).await;
    }
    server.begin_stop();
    assert_eq!(member.closed().await, Some(1001));
    // As long as a stop once waited for those who watch.
    sleep(Duration::from_millis(1500)).await;
    let (seen, ended) = to_the_end(&mut events).await;
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
    let of = |what: fn(&What) -> bool| seen.iter().filter(|seen| what(seen)).count();
    assert_eq!(of(|what| matches!(what, What::Joined(_))), 500);
    assert_eq!(of(|what| matches!(what, What::Left(_))), 500);
    assert_eq!(of(|what| matches!(what, What::Closed(_))), 2, "the one that was made ahead too");
    server.stop().await;
}
