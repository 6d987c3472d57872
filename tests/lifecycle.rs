//! Start, pages, TLS, heartbeat and stop.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod support;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use futures_util::StreamExt;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Bytes};
use hyper_util::rt::TokioIo;
use serde_json::json;
use signalpost::server::Server;
use support::{Client, TestServer, config, within};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};
use tokio_tungstenite::{client_async, tungstenite::Message};

struct Page {
    status: StatusCode,
    headers: BTreeMap<String, String>,
    body: String,
}

async fn get(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    method: &str,
    path: &str,
    header: (&str, &str),
) -> Page {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request =
        Request::builder().method(method).uri(path).header("host", "x").header(header.0, header.1);
    let response =
        within(sender.send_request(request.body(Empty::<Bytes>::new()).unwrap())).await.unwrap();
    let (head, body) = response.into_parts();
    let header = |(name, value): (_, &hyper::header::HeaderValue)| {
        (format!("{name}"), value.to_str().unwrap().to_owned())
    };
    Page {
        status: head.status,
        headers: head.headers.iter().map(header).collect(),
        body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
    }
}

const NONE: (&str, &str) = ("x-none", "x");

#[tokio::test]
async fn the_client_is_served_from_the_binary() {
    let server = TestServer::start();
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/r/a%20room", "text/html; charset=utf-8"),
        ("/page/main.js", "text/javascript; charset=utf-8"),
        ("/page/styles/base.css", "text/css; charset=utf-8"),
    ] {
        let page = get(server.tcp().await, "GET", path, NONE).await;
        assert_eq!((page.status, &*page.headers["content-type"]), (StatusCode::OK, kind), "{path}");
        assert!(page.body.len() > 100);
        assert!(page.headers["content-security-policy"].contains("default-src 'none'"));
        assert!(page.headers["permissions-policy"].contains("camera=(self)"));
        assert_eq!(page.headers["x-content-type-options"], "nosniff");

        let etag = page.headers["etag"].clone();
        for tags in [etag.clone(), format!("\"other\", W/{etag}")] {
            let again = get(server.tcp().await, "GET", path, ("if-none-match", &tags)).await;
            assert_eq!((again.status, &*again.body), (StatusCode::NOT_MODIFIED, ""), "{path}");
        }
        let head = get(server.tcp().await, "HEAD", path, NONE).await;
        assert_eq!((head.status, &*head.body), (StatusCode::OK, ""));
        assert_eq!(head.headers["content-length"], page.body.len().to_string());
    }
    for (method, path, status) in [
        ("GET", "/healthz", 200),
        ("GET", "/nothing", 404),
        ("GET", "/PROTOCOL.md", 404),
        ("GET", "/README.md", 404),
        ("GET", "/page", 404),
        ("GET", "/../Cargo.toml", 404),
        ("GET", "/r", 404),
        ("GET", "/ws", 426),
        ("POST", "/", 405),
        ("DELETE", "/healthz", 405),
    ] {
        let page = get(server.tcp().await, method, path, NONE).await;
        assert_eq!(page.status, status, "{method} {path}");
        assert!(!page.body.is_empty() && page.headers["x-content-type-options"] == "nosniff");
    }
    let options = get(server.tcp().await, "OPTIONS", "/", NONE).await;
    assert_eq!((options.status, &*options.body), (StatusCode::NO_CONTENT, ""));
    assert_eq!(options.headers["allow"], "GET, HEAD, OPTIONS");
}

#[tokio::test]
async fn client_dir_serves_a_folder_and_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let client = folder.path().join("client");
    std::fs::create_dir_all(client.join("page")).unwrap();
    std::fs::write(client.join("index.html"), "<p>mine").unwrap();
    std::fs::write(client.join("page/mine.js"), "<p>mine").unwrap();
    std::fs::write(client.join("notes.txt"), "not for the public").unwrap();
    std::fs::write(folder.path().join("secret.js"), "secret").unwrap();
    let server = TestServer::with(&format!("--client-dir {}", client.display()));
    for (path, status) in [
        ("/", 200),
        ("/r/x", 200),
        ("/page/mine.js", 200),
        ("/page/main.js", 404),
        ("/notes.txt", 404),
        ("/../secret.js", 404),
        ("//etc/passwd.js", 404),
    ] {
        let page = get(server.tcp().await, "GET", path, NONE).await;
        assert_eq!(page.status, status, "{path}");
        assert!(status != 200 || page.body == "<p>mine");
    }
}

#[tokio::test]
async fn https_and_wss_share_the_port() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server =
        TestServer::with(&format!("--tls-cert {} --tls-key {}", cert.display(), key.display()));
    assert!(server.addresses.secure);

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connect = async || {
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(tls.clone())).connect(name, server.tcp().await).await.unwrap()
    };
    assert_eq!(get(connect().await, "GET", "/healthz", NONE).await.status, 200);
    let (mut socket, _) = client_async("wss://localhost/", connect().await).await.unwrap();
    let welcome = within(socket.next()).await.unwrap().unwrap();
    assert!(welcome.to_text().unwrap().starts_with(r#"{"type":"welcome","#));
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_ended_and_others_stay() {
    let server = TestServer::with("--ping-seconds 1 --pong-seconds 1");
    let mut alive = server.member("r").await;
    let mut dead = server.member("r").await;
    alive.hear_of("user-joined").await;
    // `dead` is not polled, so its library answers no ping; `alive` is.
    let left = alive.hear_of("user-left").await;
    assert_eq!((&left["clientId"], &left["reason"]), (&json!(dead.id), &json!("timeout")));
    assert_eq!(dead.closed().await, Some(4000));
    // Two more rounds.
    let until = Instant::now() + Duration::from_secs(3);
    let mut pings = 0;
    while let Ok(message) = tokio::time::timeout_at(until, alive.socket.next()).await {
        assert!(matches!(message, Some(Ok(Message::Ping(_)))), "{message:?}");
        pings += 1;
    }
    assert!(pings >= 2);
    alive.hears_nothing().await;
}

#[test]
fn the_command_greets_and_stops_at_a_signal() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_signalpost"))
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let greeting: Vec<_> = lines.by_ref().take(5).collect();
    assert!(greeting[1].contains("video chat  http://localhost:"), "{greeting:?}");
    assert!(greeting[2].contains("admin gRPC  127.0.0.1:"), "{greeting:?}");
    assert!(greeting[4].contains("grpcurl -plaintext 127.0.0.1:"), "{greeting:?}");

    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    for line in String::from_utf8(output.stderr).unwrap().lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).unwrap()["level"].is_string());
    }
}

#[test]
fn the_command_greets_with_the_path_at_which_the_page_is() {
    for (flags, path) in [(&[][..], "/"), (&["--base-path", "/chat"], "/chat/")] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_signalpost"))
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let line = BufReader::new(child.stdout.take().unwrap()).lines().nth(1).unwrap().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http")).unwrap();
        let (_, behind_port) = url.rsplit_once(|c: char| c.is_ascii_digit()).unwrap();
        assert_eq!(behind_port, path, "{line}");
    }
}

#[test]
fn start_up_faults_are_one_line_that_names_the_flag_and_the_mend() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let junk = folder.path().join("junk.pem");
    std::fs::write(&junk, "junk").unwrap();
    // What others can read is warned of in a line of its own.
    std::fs::set_permissions(&junk, PermissionsExt::from_mode(0o600)).unwrap();
    let junk = junk.display();
    for (flags, words) in [
        (format!("--listen {taken}"), ["--listen", "in use"]),
        (format!("--listen 127.0.0.1:0 --admin-listen {taken}"), ["--admin-listen", "in use"]),
        ("--listen 203.0.113.1:80".into(), ["--listen", "0.0.0.0:80"]),
        ("--listen nonsense".into(), ["--listen", "8080"]),
        ("--port 70000".into(), ["--port", "65535"]),
        ("--admin-listen 0.0.0.0:0".into(), ["--admin-token-file", "loopback"]),
        (
            "--admin-listen 0.0.0.0:0 --admin-token-file x".into(),
            ["--admin-tls-cert", "--admin-plaintext"],
        ),
        (
            format!("--admin-plaintext --admin-tls-cert {junk} --admin-tls-key {junk}"),
            ["--admin-plaintext", "--admin-tls-cert"],
        ),
        ("--admin-plaintext --admin-listen 0.0.0.0:0".into(), ["--admin-token-file", "loopback"]),
        ("--admin-tls-cert x".into(), ["--admin-tls-key", "required"]),
        ("--admin-client-ca x".into(), ["--admin-tls-cert", "--admin-token-file"]),
        (format!("--admin-tls-cert {junk} --admin-tls-key {junk}"), ["--admin-tls-cert", "PEM"]),
        ("--admin-token-file /nowhere".into(), ["--admin-token-file", "a line for each"]),
        (format!("--admin-token-file {junk}"), ["--admin-token-file", "line 1 must have a name"]),
        ("--admin-token-file sp_admin_hunter2".into(), ["--admin-token-file", "list of processes"]),
        ("sp_admin_hunter2".into(), ["--admin-token-file", "not repeated"]),
        ("--nonsense".into(), ["--nonsense", "--help"]),
        ("--max-member 5".into(), ["--max-member", "--max-members"]),
        ("--max-members 0".into(), ["--max-members", "1.."]),
        ("--max-members 99999999999999999999".into(), ["--max-members", "number too large"]),
        ("--proxy-protocol".into(), ["--proxy-protocol", "--trusted-proxy"]),
        ("--trusted-proxy x".into(), ["--trusted-proxy", "10.0.0.0/8"]),
        ("--log infoo".into(), ["--log", "level"]),
        ("--max-members 1000 --outbox-bytes 9".into(), ["--outbox-bytes", "4696000"]),
        ("--tls-cert x".into(), ["--tls-key", "required"]),
        (format!("--tls-cert {junk} --tls-key {junk}"), ["--tls-cert", "PEM"]),
        ("--tls-cert /nowhere --tls-key /nowhere".into(), ["--tls-cert", "PEM"]),
        ("--ice-server turn:hunter2".into(), ["--ice-server", "--turn-secret-file"]),
        ("--ice-server turn:u:hunter2@a".into(), ["--ice-server", "--ice-server-file"]),
        ("--ice-server-file /nowhere".into(), ["--ice-server-file", "No such file"]),
        (format!("--ice-server-file {junk}"), ["--ice-server-file", "line 1: use stun:"]),
        (format!("--turn-secret-file {junk}"), ["--turn-secret-file", "openssl rand"]),
        ("--turn-ttl 59".into(), ["--turn-ttl", "60..=86400"]),
        ("--allowed-origin x".into(), ["--allowed-origin", "https://"]),
        ("--client-dir /nowhere".into(), ["--client-dir", "index.html"]),
        ("--log =x=".into(), ["--log", "info"]),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_signalpost"))
            .args(flags.split_whitespace())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags}: {said}");
        assert_eq!(said.lines().count(), 1, "{flags}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{flags}: {said}");
        assert!(!said.contains("hunter2"));
    }
}

#[tokio::test]
async fn both_ip_versions_reach_the_default_address() {
    let mut config = config("");
    config.listen.clear();
    config.port = 0;
    let server = Server::bind(config).unwrap();
    let port = server.addresses().http[0].port();
    let running = tokio::spawn(server.run(std::future::pending()));
    for host in ["127.0.0.1", "[::1]"] {
        Client::connect(&format!("ws://{host}:{port}/")).await;
    }
    running.abort();
}
