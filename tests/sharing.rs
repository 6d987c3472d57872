//! How a server of a fleet is started, whether it says that it serves, and how it stops.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test panics where it fails"
)]

#[path = "support/redis.rs"]
mod redis_server;
mod support;

use std::{net::SocketAddr, time::Duration};

use redis_server::{Redis, Shared};
use serde_json::json;
use signalpost::{
    admin::pb::{
        Ban, CreateBanRequest, CreateRoomRequest, GetRoomRequest, ListRoomsRequest,
        LockRoomRequest, ban::Subject,
    },
    config::limits,
    server::Server,
};
use support::{TestServer, config, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tonic::{Streaming, transport::Endpoint};
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient},
};

const SECURITY: &str = include_str!("../docs/security.md");

/// Nobody's lease ends meanwhile.
const LONG: &str = "--node-lease-seconds 300";

async fn node(shared: &Shared, more: &str) -> TestServer {
    TestServer::of_fleet(&format!("{} {more}", shared.arguments().join(" "))).await
}

/// The first line of what is answered.
async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).lines().next().unwrap().to_owned()
}

async fn health(server: &TestServer) -> Streaming<HealthCheckResponse> {
    let url = format!("http://{}", server.addresses.admin);
    let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
    let mut client = HealthClient::new(channel);
    client.watch(HealthCheckRequest::default()).await.unwrap().into_inner()
}

async fn becomes(health: &mut Streaming<HealthCheckResponse>, status: ServingStatus) {
    let shown = within(health.message()).await.unwrap().unwrap();
    assert_eq!(shown.status, status as i32);
}

#[tokio::test]
async fn a_server_without_redis_serves_pages_and_says_that_it_is_not_ready() {
    let mut shared = Shared::standalone();
    let server = node(&shared, "--node-lease-seconds 1").await;
    let mut health = health(&server).await;
    becomes(&mut health, ServingStatus::Serving).await;
    assert_eq!(get(server.addresses.admin, "/readyz").await, "HTTP/1.1 200 OK");

    shared.servers[0].kill();
    becomes(&mut health, ServingStatus::NotServing).await;
    assert!(get(server.addresses.admin, "/readyz").await.starts_with("HTTP/1.1 503"));
    for (address, path) in [
        (server.addresses.admin, "/healthz"),
        (server.addresses.http[0], "/healthz"),
        (server.addresses.http[0], "/"),
    ] {
        assert_eq!(get(address, path).await, "HTTP/1.1 200 OK", "{path}");
    }
    let mut client = server.client().await;
    let refused = client.ask(json!({"type": "join", "roomId": "r"})).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("join-error"), &json!("unavailable")));

    shared.servers[0].start_again();
    becomes(&mut health, ServingStatus::Serving).await;
    assert_eq!(get(server.addresses.admin, "/readyz").await, "HTTP/1.1 200 OK");
    client.join("r").await;
}

#[tokio::test]
async fn a_server_that_stops_leaves_nothing_to_wait_for() {
    let shared = Shared::standalone();
    let (stops, stays) = (node(&shared, LONG).await, node(&shared, LONG).await);
    let ahead = CreateRoomRequest { room_id: "ahead".into(), ..Default::default() };
    stops.admin().await.create_room(ahead).await.unwrap();
    let mut bob = stays.member("r").await;
    let mut ann = stops.member("r").await;
    bob.hear_of("user-joined").await;
    ann.say(json!({"type": "message", "content": "last words"})).await;
    ann.ask(json!({"type": "ping"})).await;

    let (closed, ()) = tokio::join!(ann.closed(), stops.stop());
    assert_eq!(closed, Some(1001));
    assert_eq!(bob.hear().await["content"], "last words");
    let left = bob.hear().await;
    assert_eq!((&left["type"], &left["clientId"]), (&json!("user-left"), &json!(ann.id)));
    assert_ne!(left["reason"], "node-lost");
    let known = shared.store().await.nodes().await.unwrap();
    assert_eq!(known.len(), 1, "{known:?}");
    let ahead = GetRoomRequest { room_id: "ahead".into() };
    stays.admin().await.get_room(ahead).await.unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_redis_that_is_gone() {
    let mut shared = Shared::standalone();
    let server = node(&shared, "--drain-seconds 1 --node-lease-seconds 1").await;
    let mut client = server.member("r").await;
    shared.servers[0].kill();
    let stopped = timeout(limits::CLOSE + Duration::from_secs(3), async {
        tokio::join!(client.closed(), server.stop())
    });
    assert_eq!(stopped.await.expect("it is as long as it may take").0, Some(1001));
}

#[tokio::test]
async fn a_redis_that_will_not_do_is_refused_before_anything_is_served() {
    let refused =
        async |flags: String| Server::start(config(&flags)).await.unwrap_err().to_string();
    let nothing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let fault = refused(format!("--redis-url redis://{nothing}")).await;
    assert!(fault.contains("--redis-url") && fault.contains(&nothing.to_string()), "{fault}");

    let redis = Redis::start(&["--requirepass", "hunter2"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let url = format!("--redis-url redis://127.0.0.1:{}", redis.port);
    let with = format!("{url} --redis-password-file {}", file.display());
    std::fs::write(&file, "hunter3\n").unwrap();
    for flags in [url, with.clone()] {
        let fault = refused(flags).await;
        assert!(fault.contains("--redis-password-file") && !fault.contains("hunter"), "{fault}");
    }
    std::fs::write(&file, "hunter2\n").unwrap();
    let mut less = redis::cmd("ACL");
    less.arg("SETUSER").arg("less").arg("on").arg(">hunter2").arg("~*").arg("+@all");
    let flags = with.replace("://", "://less@");
    for missing in ["-evalsha", "-set", "-xrevrange"] {
        redis.ask_as::<()>("hunter2", less.clone().arg(missing)).unwrap();
        let fault = refused(flags.clone()).await;
        assert!(fault.contains("--redis-url") && fault.contains("docs/security.md"), "{fault}");
    }
    TestServer::of_fleet(&with).await.stop().await;
}

/// Whoever may do only what the document says: Redis keeps a list of what it refused.
#[tokio::test]
async fn the_documented_user_may_do_all_that_servers_do() {
    let user = SECURITY.split("```redis\n").nth(1).unwrap().split("\n```").next().unwrap();
    for shared in [Shared::standalone(), Shared::cluster()] {
        let mut acl = redis::Cmd::new();
        user.split(' ').for_each(|word| _ = acl.arg(word));
        shared.ask_all(acl.arg(">hunter2"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "hunter2\n").unwrap();
        let flags = shared.arguments().join(" ").replace("://", "://signalpost@");
        let flags = format!(
            "{flags} --redis-password-file {} --drain-seconds 1 --node-lease-seconds 1",
            file.display()
        );
        let (one, other) = (TestServer::of_fleet(&flags).await, TestServer::of_fleet(&flags).await);
        let mut admin = one.admin().await;
        let dies = TestServer::of_fleet(&flags).await;
        let (mut ann, bob) = (one.member("r").await, other.member("r").await);
        ann.say(json!({"type": "message", "content": 1})).await;
        let subject = Some(Subject::UserId("eve".into()));
        let ban = Ban { subject, ..Default::default() };
        let ban = CreateBanRequest { ban: Some(ban), ..Default::default() };
        admin.create_ban(ban).await.unwrap();
        let locked = LockRoomRequest { room_id: "r".into(), locked: true, ..Default::default() };
        admin.lock_room(locked).await.unwrap();
        admin.list_rooms(ListRoomsRequest::default()).await.unwrap();
        let _lost = dies.member("s").await;
        let mut left_behind = one.member("s").await;
        dies.kill();
        assert_eq!(left_behind.hear_of("user-left").await["reason"], "node-lost");
        bob.vanish();
        ann.hear_of("user-left").await;
        other.stop().await;
        one.stop().await;
        for server in &shared.servers {
            let refused: Vec<redis::Value> = server.ask(redis::cmd("ACL").arg("LOG")).unwrap();
            assert!(refused.is_empty(), "{refused:?}");
        }
    }
}
