//! The administrators' door: who comes in, and what they may do there.

#![allow(clippy::too_many_lines, clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/door.rs"]
mod keys;
#[path = "support/running.rs"]
mod running;

use std::{fs, time::Duration};
mod support;

use http_body_util::Empty;
use hyper::{Request, body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use keys::{Known, call, client, write};
use running::{Running, anywhere};
use serde_json::Value;
use signalpost::admin::pb::{
    AdmitClientRequest, BroadcastRequest, CreateRoomRequest, DeleteRoomRequest, DenyClientRequest,
    DisconnectClientRequest, ListRoomsRequest, LockRoomRequest, RemoveClientRequest, Role, Room,
    SetRoleRequest, UpdateRoomRequest, WatchEventsRequest,
    broadcast_request::{Body, Target},
    disconnect_client_request::BanOptions,
    watch_events_response,
};
use support::{TestServer, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

const PROTO: &str = include_str!("../proto/signalpost/admin/v1/admin.proto");
const SERVICE: &str = "/signalpost.admin.v1.AdminService";
const LIST_ROOMS: &str = "/signalpost.admin.v1.AdminService/ListRooms";
const HEALTH: [&str; 2] = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"];

/// A server with a viewer and an admin.
struct Kept {
    server: TestServer,
    viewer: Known,
    admin: Known,
    _folder: tempfile::TempDir,
}

impl Kept {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("admins");
        let (viewer, admin) = (Known::new("dashboard", "viewer"), Known::new("ops", "admin"));
        write(&file, &[&viewer, &admin]);
        let server = TestServer::with(&format!("--admin-token-file {}", file.display()));
        Self { server, viewer, admin, _folder: folder }
    }

    async fn channel(&self) -> Channel {
        channel(&self.server).await
    }

    /// What plain HTTP answers: its status, and all of it.
    async fn get(&self, path: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.server.addresses.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
    }
}

async fn channel(server: &TestServer) -> Channel {
    let uri = format!("http://{}", server.addresses.admin);
    Channel::builder(uri.parse().unwrap()).connect().await.unwrap()
}

fn reason(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    (status.code(), details.error_info().unwrap().reason.clone())
}

/// How far a call came: None where it was let in, whatever became of it.
async fn refused(channel: &Channel, path: &str, credentials: &[&str]) -> Option<Code> {
    let status = call(channel, path, credentials).await.err()?;
    let kept_out = [Code::Unauthenticated, Code::PermissionDenied].contains(&status.code());
    kept_out.then_some(status.code())
}

#[tokio::test]
async fn each_call_asks_for_its_role() {
    let kept = Kept::start();
    let (viewer, admin) = (kept.viewer.bearer(), kept.admin.bearer());
    let channel = kept.channel().await;
    for rpc in HEALTH {
        assert_eq!(refused(&channel, rpc, &[]).await, None, "{rpc}");
        assert_eq!(refused(&channel, rpc, &["Bearer junk"]).await, None, "{rpc}");
    }
    let later = format!("{SERVICE}/Later");
    assert_eq!(refused(&channel, &later, &[&viewer]).await, Some(Code::PermissionDenied));
    assert_eq!(call(&channel, &later, &[&admin]).await.unwrap_err().code(), Code::Unimplemented);

    let rpcs = PROTO.lines().filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next());
    let mut rpcs: Vec<String> = rpcs.map(|rpc| format!("{SERVICE}/{rpc}")).collect();
    assert_eq!(rpcs.len(), 24);
    // An admin's ends the server: it comes last.
    rpcs.sort_by_key(|rpc| rpc.ends_with("/Drain"));
    let reflection = ["v1", "v1alpha"]
        .map(|v| format!("/grpc.reflection.{v}.ServerReflection/ServerReflectionInfo"));
    rpcs.splice(0..0, reflection);
    for rpc in &rpcs {
        let channel = kept.channel().await;
        let reads = ["/List", "/Get", "/Watch", "/ServerReflection"];
        let reads = reads.iter().any(|verb| rpc.contains(verb));
        let denied = (!reads).then_some(Code::PermissionDenied);
        assert_eq!(refused(&channel, rpc, &[]).await, Some(Code::Unauthenticated), "{rpc}");
        assert_eq!(refused(&channel, rpc, &[&viewer]).await, denied, "{rpc}");
        assert_eq!(refused(&channel, rpc, &[&admin]).await, None, "{rpc}");
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_credential_is_answered_the_same() {
    let kept = Kept::start();
    let _member = kept.server.member("here").await;
    let (bearer, token) = (kept.admin.bearer(), &kept.admin.token);
    let digest = kept.admin.line.split("sha256:").nth(1).unwrap();
    for wrong in [
        &[][..],
        &[""],
        &["Bearer"],
        &["Bearer "],
        &["Bearer junk"],
        &[&format!("Basic {token}")],
        &[&format!("Bearer{token}")],
        &[token],
        &[&format!("{bearer}x")],
        &[&bearer[..bearer.len() - 1]],
        &[&format!("Bearer {digest}")],
        &[&format!("Bearer {}", kept.admin.line)],
        &[&bearer, &bearer],
        &[&bearer, &kept.viewer.bearer()],
    ] {
        let channel = kept.channel().await;
        let status = call(&channel, LIST_ROOMS, wrong).await.unwrap_err();
        assert_eq!(reason(&status), (Code::Unauthenticated, "UNAUTHENTICATED".into()), "{wrong:?}");
        assert!(status.message().contains("authorization: Bearer"), "{status}");
        assert!(!format!("{status:?}").contains(&token[..20]));
    }
    let channel = kept.channel().await;
    for right in [bearer.clone(), format!("bearer  {token} ")] {
        assert!(call(&channel, LIST_ROOMS, &[&right]).await.is_ok(), "{right}");
    }
    // Refused before the request is read: a room that is there makes no difference.
    let denied = call(&channel, &format!("{SERVICE}/LockRoom"), &[&kept.viewer.bearer()]).await;
    assert_eq!(reason(&denied.unwrap_err()), (Code::PermissionDenied, "FORBIDDEN".into()));
}

#[tokio::test]
async fn figures_are_for_viewers_and_health_is_for_everybody() {
    let kept = Kept::start();
    let (viewer, junk) = (kept.viewer.bearer(), format!("{}x", kept.viewer.bearer()));
    // Who has to show a credential may come by any name.
    for (path, headers, status) in [
        ("/metrics", "Host: signalpost.internal\r\n".to_owned(), 401),
        ("/metrics", format!("Host: localhost\r\nAuthorization: {junk}\r\n"), 401),
        ("/metrics", format!("Host: signalpost.internal\r\nAuthorization: {viewer}\r\n"), 200),
        ("/healthz", "Host: signalpost.internal\r\n".to_owned(), 200),
        ("/readyz", "Host: localhost\r\nAuthorization: Bearer junk\r\n".to_owned(), 200),
        ("/other", "Host: localhost\r\n".to_owned(), 404),
    ] {
        let (answered, answer) = kept.get(path, &headers).await;
        assert_eq!(answered, status, "{path} {headers}");
        let asks = answer.to_ascii_lowercase().contains("www-authenticate: bearer\r\n");
        assert_eq!(asks, status == 401, "{answer}");
        assert_eq!(answer.contains("signalpost_"), (path, status) == ("/metrics", 200));
    }
}

#[tokio::test]
async fn who_guesses_is_cut_off_and_others_beside_are_not() {
    let kept = Kept::start();
    let (beside, bearer) = (kept.channel().await, kept.viewer.bearer());
    let stream = TcpStream::connect(kept.server.addresses.admin).await.unwrap();
    let shaken = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut guesser, connection) = within(shaken).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut refusals = 0;
    loop {
        let guess = Request::post(format!("http://localhost{LIST_ROOMS}"))
            .header("content-type", "application/grpc")
            .header("authorization", "Bearer guess")
            .body(Empty::<Bytes>::new())
            .unwrap();
        let Ok(answer) = within(guesser.send_request(guess)).await else { break };
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(call(&beside, LIST_ROOMS, &[&bearer]).await.is_ok());
        refusals += 1;
    }
    assert_eq!(refusals, 10);
    assert!(within(connection).await.is_ok());
}

#[tokio::test]
async fn events_say_which_administrator_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("admins");
    let [ann, bob] = ["ann", "bob@example.org"].map(|name| Known::new(name, "admin"));
    write(&file, &[&ann, &bob]);
    let server = TestServer::with(&format!("--admin-token-file {}", file.display()));
    let channel = channel(&server).await;
    let (mut as_ann, mut as_bob) = (client(channel.clone(), &ann), client(channel, &bob));
    let watch = as_bob.watch_events(WatchEventsRequest::default()).await.unwrap();
    let mut events = watch.into_inner();

    let room = Room {
        empty_timeout: Some(Duration::from_secs(60).try_into().unwrap()),
        ..Room::default()
    };
    let make = |room_id: &str| CreateRoomRequest {
        room_id: room_id.into(),
        room: Some(room.clone()),
        request_id: "1".into(),
    };
    // The same request_id of another administrator is another call.
    as_ann.create_room(make("r")).await.unwrap();
    as_bob.create_room(make("s")).await.unwrap();
    let reused = as_ann.create_room(make("t")).await.unwrap_err();
    assert_eq!(reason(&reused).1, "REQUEST_ID_REUSED");
    let lock = LockRoomRequest { room_id: "s".into(), locked: true, ..Default::default() };
    as_ann.lock_room(lock).await.unwrap();
    let (removed, ended) = (server.member("r").await, server.member("r").await);
    let remove = RemoveClientRequest { client_id: removed.id.clone(), ..Default::default() };
    as_bob.remove_client(remove).await.unwrap();
    let ban = BanOptions { user_id: false, address: true, ..BanOptions::default() };
    let end = DisconnectClientRequest {
        client_id: ended.id.clone(),
        ban: Some(ban),
        ..DisconnectClientRequest::default()
    };
    as_ann.disconnect_client(end).await.unwrap();
    for room_id in ["r", "s"] {
        let delete = DeleteRoomRequest { room_id: room_id.into(), ..Default::default() };
        as_bob.delete_room(delete).await.unwrap();
    }

    let mut said = Vec::new();
    while said.iter().filter(|said: &&String| said.starts_with("Closed")).count() < 2 {
        let message = within(events.message()).await.unwrap().unwrap();
        let Some(watch_events_response::What::Event(event)) = message.what else { continue };
        let what = format!("{:?}", event.what.unwrap());
        let cause = event.cause.unwrap();
        said.push(format!("{} {}", what.split('(').next().unwrap(), cause.administrator));
    }
    said.retain(|said| !said.starts_with("Joined "));
    let bob = "bob@example.org";
    assert_eq!(
        said,
        [
            "Created ann".to_owned(),
            format!("Created {bob}"),
            "Locked ann".to_owned(),
            format!("Left {bob}"),
            format!("RoleChanged {bob}"),
            "BanCreated ann".to_owned(),
            "Left ann".to_owned(),
            format!("Closed {bob}"),
            format!("Closed {bob}"),
        ]
    );
}

#[tokio::test]
async fn what_changes_something_is_in_the_audit_log_and_no_secret_is_in_any() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("admins");
    let (viewer, admin) = (Known::new("dashboard", "viewer"), Known::new("ops", "admin"));
    let planted = Known::new("nobody", "admin");
    write(&file, &[&viewer, &admin]);
    let flags =
        ["--drain-seconds", "1", "--log", "trace", "--log-format", "json", "--admin-token-file"];
    let running = Running::start(anywhere().args(flags).arg(&file));
    let id = running.child.id();
    let arguments = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap();
    let uri = format!("http://{}", running.admin());
    let channel = Channel::builder(uri.parse().unwrap()).connect().await.unwrap();
    let mut ops = client(channel.clone(), &admin);
    let payload = "what-is-said-stays-unsaid";
    let tell = |target| BroadcastRequest {
        target: Some(target),
        body: Some(Body::ContentJson(format!("\"{payload}\""))),
        ..BroadcastRequest::default()
    };
    ops.broadcast(tell(Target::Everyone(true))).await.unwrap();
    ops.broadcast(tell(Target::RoomId("team \"a\"\nby=x".into()))).await.unwrap_err();
    let unlock = LockRoomRequest { room_id: "r".into(), ..Default::default() };
    ops.lock_room(unlock.clone()).await.unwrap_err();
    client(channel.clone(), &viewer).lock_room(unlock).await.unwrap_err();
    client(channel.clone(), &planted).list_rooms(ListRoomsRequest::default()).await.unwrap_err();
    let scrape = format!(
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n",
        viewer.bearer()
    );
    let mut stream = TcpStream::connect(running.admin()).await.unwrap();
    stream.write_all(scrape.as_bytes()).await.unwrap();
    let mut figures = String::new();
    within(stream.read_to_string(&mut figures)).await.unwrap();
    assert!(figures.starts_with("HTTP/1.1 200"));
    let password = "what-is-planted";
    let room = Room { room_id: "r".into(), password: password.into(), ..Default::default() };
    let make = CreateRoomRequest { room: Some(room.clone()), ..Default::default() };
    ops.create_room(make).await.unwrap();
    let update = UpdateRoomRequest { room: Some(room), ..Default::default() };
    ops.update_room(update).await.unwrap();
    let client_id = "x".to_owned();
    let set = SetRoleRequest { client_id, role: Role::Host.into(), ..Default::default() };
    ops.set_role(set.clone()).await.unwrap_err();
    let SetRoleRequest { client_id, .. } = set;
    let admit = AdmitClientRequest { client_id: client_id.clone(), ..Default::default() };
    ops.admit_client(admit).await.unwrap_err();
    let deny = DenyClientRequest { client_id, ..Default::default() };
    ops.deny_client(deny).await.unwrap_err();
    let log = running.stop();
    assert!(log.iter().any(|line| line.contains("\"TRACE\"") || line.contains("\"DEBUG\"")));

    let audited: Vec<_> = log
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["target"] == "audit")
        .map(|line| {
            ["by", "call", "on", "result"].map(|key| line[key].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(
        audited,
        [
            ["ops", "Broadcast", "everyone", "OK"],
            ["ops", "Broadcast", "team \"a\"\u{fffd}by=x", "ROOM_NOT_FOUND"],
            ["ops", "LockRoom (unlock)", "r", "ROOM_NOT_FOUND"],
            ["dashboard", "LockRoom", "", "FORBIDDEN"],
            ["ops", "CreateRoom", "r", "OK"],
            ["ops", "UpdateRoom", "r", "OK"],
            ["ops", "SetRole (host)", "x", "BAD_REQUEST"],
            ["ops", "AdmitClient", "x", "BAD_REQUEST"],
            ["ops", "DenyClient", "x", "BAD_REQUEST"],
        ]
    );
    let shown = log.join("\n") + &arguments + &figures;
    for known in [&viewer, &admin, &planted] {
        let secret = known.token.strip_prefix("sp_admin_").unwrap();
        let digest = known.line.split("sha256:").nth(1).unwrap();
        assert!(!shown.contains(secret) && !shown.contains(digest));
    }
    assert!(!shown.contains(payload) && !shown.contains(password) && !shown.contains("argon2id"));
}

#[tokio::test]
async fn strangers_do_not_take_the_places_of_administrators() {
    let kept = Kept::start();
    let watch_health = HEALTH[1];
    let mut streams = Vec::new();
    for _ in 0..10 {
        let channel = kept.channel().await;
        for _ in 0..100 {
            streams.push(call(&channel, watch_health, &[]).await.unwrap());
        }
    }
    let channel = kept.channel().await;
    let refused = call(&channel, watch_health, &[]).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::ResourceExhausted, "TOO_MANY_WATCHERS".into()));
    let watch = format!("{SERVICE}/WatchEvents");
    assert!(call(&channel, &watch, &[&kept.viewer.bearer()]).await.is_ok());
    drop(streams);
}
