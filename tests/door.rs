//! The administrators' door: who comes in, and what they may do there.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/door.rs"]
mod keys;
mod support;

use http_body_util::Empty;
use hyper::{Request, body::Bytes, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use keys::{Known, call, write};
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
        let uri = format!("http://{}", self.server.addresses.admin);
        Channel::builder(uri.parse().unwrap()).connect().await.unwrap()
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
    assert_eq!(rpcs.len(), 19);
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
