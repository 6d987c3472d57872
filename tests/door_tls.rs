//! The administrators' door with TLS: who comes in by a certificate.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/authority.rs"]
mod authority;
#[path = "support/door.rs"]
mod keys;
mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, SystemTime},
};

use authority::{Authority, Secure};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use keys::Known;
use signalpost::server::Server;
use support::{Client, TestServer, config, within};
use tonic::{Code, Status};

const LIST_ROOMS: &str = "/signalpost.admin.v1.AdminService/ListRooms";
const WATCH_EVENTS: &str = "/signalpost.admin.v1.AdminService/WatchEvents";
const LOCK_ROOM: &str = "/signalpost.admin.v1.AdminService/LockRoom";
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// Flags for a server whose certificate and whose administrators' are of this authority.
fn flags(folder: &Path, authority: &Authority, lines: &[&str]) -> String {
    let [file, ca, admins] = ["both.pem", "ca.pem", "admins"].map(|name| folder.join(name));
    let (cert, key) = authority.issue(&[("CN", "localhost")]);
    fs::write(&file, cert + &key).unwrap();
    fs::write(&ca, authority.pem()).unwrap();
    fs::write(&admins, lines.join("\n")).unwrap();
    let [file, ca, admins] = [&file, &ca, &admins].map(|path| path.display());
    format!(
        "--admin-tls-cert {file} --admin-tls-key {file} --admin-client-ca {ca} --admin-token-file {admins}"
    )
}

#[tokio::test]
async fn the_role_follows_from_the_subject_and_from_all_of_it() {
    let (folder, ours) = (tempfile::tempdir().unwrap(), Authority::new());
    let known = Known::new("dashboard", "viewer");
    let lines =
        ["deploy admin cn:deploy.example.org", "ops viewer dn:CN=ops,O=Example", &known.line];
    let server = TestServer::with(&flags(folder.path(), &ours, &lines));
    assert!(server.addresses.admin_secure && server.addresses.admin_kept);
    let address = server.addresses.admin;
    let (denied, unknown) = (Code::PermissionDenied, Code::Unauthenticated);
    for (subject, bearer, reads, writes) in [
        (&[("CN", "deploy.example.org")][..], None, Code::Ok, Code::InvalidArgument),
        (&[("O", "Any"), ("CN", "deploy.example.org")], None, Code::Ok, Code::InvalidArgument),
        (&[("O", "Example"), ("CN", "ops")], None, Code::Ok, denied),
        (&[("CN", "ops"), ("O", "Example")], None, unknown, unknown),
        (&[("O", "Another"), ("CN", "ops")], None, unknown, unknown),
        (&[("CN", "ops")], None, unknown, unknown),
        (&[("CN", "ops,O=Example")], None, unknown, unknown),
        (&[("CN", "deploy.example.org.evil.example")], None, unknown, unknown),
        (&[("O", "deploy.example.org")], None, unknown, unknown),
        (&[("CN", "deploy.example.org"), ("second CN", "x")], None, unknown, unknown),
        (&[("CN", "x"), ("second CN", "deploy.example.org")], None, unknown, unknown),
        // A token that is shown is what counts, right or wrong.
        (&[("CN", "nobody")], Some(known.bearer()), Code::Ok, denied),
        (&[("CN", "deploy.example.org")], Some(known.bearer()), Code::Ok, denied),
        (&[("CN", "deploy.example.org")], Some("Bearer junk".to_owned()), unknown, unknown),
    ] {
        let shown = ours.issue(subject);
        let mut connection = Secure::connect(address, &ours, Some(shown)).await.unwrap();
        let bearer = bearer.as_deref();
        assert_eq!(connection.ask(LIST_ROOMS, bearer).await.unwrap(), reads, "{subject:?}");
        assert_eq!(connection.ask(LOCK_ROOM, bearer).await.unwrap(), writes, "{subject:?}");
    }
    let mut nobody = Secure::connect(address, &ours, None).await.unwrap();
    assert_eq!(nobody.ask(HEALTH, None).await.unwrap(), Code::Ok);
    assert_eq!(nobody.ask(LIST_ROOMS, None).await.unwrap(), unknown);
    assert_eq!(nobody.ask(LIST_ROOMS, Some(&known.bearer())).await.unwrap(), Code::Ok);
}

#[tokio::test]
async fn a_certificate_that_is_not_taken_is_refused_in_the_handshake() {
    let (folder, ours) = (tempfile::tempdir().unwrap(), Authority::new());
    let server = TestServer::with(&flags(folder.path(), &ours, &["ops admin cn:ops"]));
    let others = Authority::new();
    for shown in [others.issue(&[("CN", "ops")]), ours.issue_expired(&[("CN", "ops")])] {
        // In TLS 1.3 the client has finished before the server looks at its certificate.
        let failed = match Secure::connect(server.addresses.admin, &ours, Some(shown)).await {
            Ok(mut connection) => connection.ask(HEALTH, None).await.is_err(),
            Err(_) => true,
        };
        assert!(failed);
    }
}

#[tokio::test]
async fn a_certificate_ends_its_streams_and_calls_when_it_expires() {
    let (folder, ours) = (tempfile::tempdir().unwrap(), Authority::new());
    let server = TestServer::with(&flags(folder.path(), &ours, &["ops admin cn:ops"]));
    let shown = ours.issue_until(SystemTime::now() + Duration::from_secs(3), &[("CN", "ops")]);
    let mut ops = Secure::connect(server.addresses.admin, &ours, Some(shown)).await.unwrap();
    let stream = ops.begin(WATCH_EVENTS, None).await.unwrap().into_body();
    assert_eq!(ops.ask(LIST_ROOMS, None).await.unwrap(), Code::Ok);
    assert_eq!(ending_of(stream).await, Code::Unauthenticated);
    assert_eq!(ops.ask(LIST_ROOMS, None).await.unwrap(), Code::Unauthenticated);
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_at_start() {
    let (folder, ours) = (tempfile::tempdir().unwrap(), Authority::new());
    let good = flags(folder.path(), &ours, &["ops admin cn:ops"]);
    let refusal = |flags: &str| Server::bind(config(flags)).unwrap_err().to_string();
    let path = |name: &str| folder.path().join(name);
    Server::bind(config(&good)).unwrap();
    // Beyond loopback it is kept well enough.
    let mut beyond = config(&good);
    beyond.admin_listen = "0.0.0.0:0".parse().unwrap();
    Server::bind(beyond).unwrap();

    for (file, words) in [
        ("admins", ["--admin-token-file", "chmod o-w"]),
        ("ca.pem", ["--admin-client-ca", "chmod o-w"]),
        ("both.pem", ["--admin-tls-key", "chmod o-w"]),
    ] {
        let set = |mode| fs::set_permissions(path(file), PermissionsExt::from_mode(mode)).unwrap();
        set(0o602);
        let fault = refusal(&good);
        assert!(words.iter().all(|word| fault.contains(word)), "{fault}");
        set(0o600);
    }
    let (expired, key) = ours.issue_expired(&[("CN", "localhost")]);
    let expired_authority = Authority::expired().pem();
    for (file, text, words) in [
        ("both.pem", expired + &key, ["--admin-tls-cert", "expired on 2020-02-29"]),
        ("ca.pem", expired_authority, ["--admin-client-ca", "expired on 2020-02-29"]),
        ("ca.pem", "junk".to_owned(), ["--admin-client-ca", "PEM"]),
        ("admins", "x".repeat((1 << 20) + 1), ["--admin-token-file", "longer than 1 MiB"]),
        ("admins", "\u{fffd}".into(), ["--admin-token-file", "line 1"]),
    ] {
        let before = fs::read(path(file)).unwrap();
        fs::write(path(file), text).unwrap();
        let fault = refusal(&good);
        assert!(words.iter().all(|word| fault.contains(word)), "{fault}");
        fs::write(path(file), before).unwrap();
    }
    // An authority that has expired is no hindrance beside one that has not.
    fs::write(path("ca.pem"), Authority::expired().pem() + &ours.pem()).unwrap();
    Server::bind(config(&good)).unwrap();
    let without = format!("--admin-token-file {}", path("admins").display());
    assert!(refusal(&without).contains("--admin-client-ca"));
}

/// Reads a stream until it speaks of this room.
async fn hears_of(room: &str, body: &mut Incoming) {
    loop {
        let frame = within(body.frame()).await.unwrap().unwrap();
        if memchr::memmem::find(frame.data_ref().unwrap(), room.as_bytes()).is_some() {
            return;
        }
    }
}

async fn ending_of(body: Incoming) -> Code {
    let body = within(body.collect()).await.unwrap();
    body.trailers().and_then(Status::from_header_map).unwrap().code()
}

#[tokio::test]
async fn a_hundred_streams_survive_the_replacement_of_all_keys() {
    let (folder, ours, theirs) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    let (old, new) = (Known::new("ops", "viewer"), Known::new("ops", "viewer"));
    let flags = flags(folder.path(), &ours, &[&old.line, "deploy viewer cn:deploy"]);
    let server = Server::bind(config(&flags)).unwrap();
    let (addresses, renewal) = (server.addresses().clone(), server.renewal());
    let running = tokio::spawn(server.run(std::future::pending()));
    let (address, deploy) = (addresses.admin, [("CN", "deploy")]);
    let (mut by_token, mut by_certificate, mut connections) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..10 {
        let shown = (at % 2 == 0).then(|| ours.issue(&deploy));
        let bearer = shown.is_none().then(|| old.bearer());
        let streams = if shown.is_some() { &mut by_certificate } else { &mut by_token };
        let mut connection = Secure::connect(address, &ours, shown).await.unwrap();
        for _ in 0..10 {
            let answer = connection.begin(WATCH_EVENTS, bearer.as_deref()).await.unwrap();
            streams.push(answer.into_body());
        }
        connections.push(connection);
    }
    let before = connections[0].certificate.clone();

    // Nothing of it fits: what was there stays.
    fs::write(folder.path().join("both.pem"), "junk").unwrap();
    fs::write(folder.path().join("admins"), "junk").unwrap();
    renewal.look();
    let mut connection = Secure::connect(address, &ours, None).await.unwrap();
    assert_eq!(connection.ask(LIST_ROOMS, Some(&old.bearer())).await.unwrap(), Code::Ok);
    assert_eq!(connection.certificate, before);

    self::flags(folder.path(), &theirs, &[&new.line, "deploy viewer cn:deploy"]);
    renewal.look();
    let mut browser = Client::connect(&format!("ws://{}/", addresses.http[0])).await;
    browser.join("renewed").await;
    for stream in by_token.iter_mut().chain(&mut by_certificate) {
        hears_of("renewed", stream).await;
    }
    let mut connection = Secure::connect(address, &theirs, None).await.unwrap();
    assert_ne!(connection.certificate, before);
    for (bearer, code) in [(old.bearer(), Code::Unauthenticated), (new.bearer(), Code::Ok)] {
        assert_eq!(connection.ask(LIST_ROOMS, Some(&bearer)).await.unwrap(), code);
        assert_eq!(connections[1].ask(LIST_ROOMS, Some(&bearer)).await.unwrap(), code);
    }
    let shown = Secure::connect(address, &theirs, Some(theirs.issue(&deploy))).await;
    assert_eq!(shown.unwrap().ask(LIST_ROOMS, None).await.unwrap(), Code::Ok);
    let refused = match Secure::connect(address, &theirs, Some(ours.issue(&deploy))).await {
        Ok(mut connection) => connection.ask(HEALTH, None).await.is_err(),
        Err(_) => true,
    };
    assert!(refused, "the authority before is none any more");
    assert_eq!(connections[0].ask(LIST_ROOMS, None).await.unwrap(), Code::Ok);

    // Whoever is not named any more is sent away, and nobody else.
    fs::write(folder.path().join("admins"), "deploy viewer cn:deploy").unwrap();
    renewal.look();
    for stream in by_token {
        assert_eq!(ending_of(stream).await, Code::Unauthenticated);
    }
    browser.join("later").await;
    for stream in &mut by_certificate {
        hears_of("later", stream).await;
    }
    running.abort();
}
