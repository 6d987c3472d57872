//! STUN and TURN servers, and TURN credentials of each client's own: who is told, of which, and when.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::{
    collections::HashSet,
    fs,
    net::Ipv4Addr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use signalpost::{
    config::Secret,
    hub::{Entry, Hub, Session},
    server::{Renewal, Server},
    turn::{Credentials, IceServers},
};
use support::{Client, TestServer};

const SECRET: &str = "9c1185a5c5e9fc54612808977ee8f548b2258d31";
const OTHER_SECRET: &str = "5f1c9d1e6d0a7be6c4f0cf0cfbd3d0b4a8a1e2f3";

/// A secret in a file of its own.
struct Shared {
    folder: tempfile::TempDir,
}

impl Shared {
    fn new() -> Self {
        let shared = Self { folder: tempfile::tempdir().unwrap() };
        shared.set(&format!("{SECRET}\n"));
        shared
    }

    fn set(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    fn flags(&self) -> String {
        format!("--ice-server turn:turn.example.org --turn-secret-file {}", self.path().display())
    }
}

/// The only TURN credentials of a message.
fn credentials(message: &Value) -> (String, String) {
    let servers = message["iceServers"].as_array().unwrap();
    let [server] = &servers[..] else { panic!("{servers:?}") };
    assert_eq!(server["urls"], json!(["turn:turn.example.org"]));
    let text = |name: &str| server[name].as_str().unwrap().to_owned();
    (text("username"), text("credential"))
}

/// What the TURN server computes of a username, since it has the secret too.
fn credential_of(username: &str, secret: &str) -> String {
    let (expiry, name) = username.split_once(':').unwrap();
    let expires_at = UNIX_EPOCH + Duration::from_secs(expiry.parse().unwrap());
    let made = Credentials::of(&Secret::of(secret.as_bytes()).unwrap(), &name, expires_at);
    assert_eq!(made.username, username);
    made.credential
}

#[test]
fn credentials_are_what_openssl_and_python_compute() {
    // printf USERNAME | openssl dgst -sha1 -hmac SECRET -binary | base64; Python's hmac.new(secret, username, "sha1").
    let long: Vec<u8> = (b'!'..=b'z').collect();
    for (secret, expiry, name, credential) in [
        (
            SECRET.as_bytes(),
            1_900_000_000,
            "7d1f6f0e-2f0b-4d3c-8a44-51f7ce1f2b01",
            "SLVFfSd76tUJmksRJfDQusIjVT0=",
        ),
        (&long, 4_102_444_800, "ann:語", "/KJfyO9wEN6ArvQtoJfSPpG7sso="),
    ] {
        let expires_at = UNIX_EPOCH + Duration::from_millis(expiry * 1000 + 999);
        let made = Credentials::of(&Secret::of(secret).unwrap(), &name, expires_at);
        assert_eq!((made.username, &*made.credential), (format!("{expiry}:{name}"), credential));
    }
}

#[tokio::test]
async fn who_takes_a_seat_gets_credentials_of_its_own_and_nobody_else() {
    let shared = Shared::new();
    let server = TestServer::with(&format!("{} --turn-ttl 600", shared.flags()));
    let mut seen = HashSet::new();
    for room in ["r", "r", "other"] {
        let mut client = server.client().await;
        assert_eq!(client.welcome["iceServers"], json!([]));
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (username, credential) = credentials(&client.join(room).await);
        let (expiry, name) = username.split_once(':').unwrap();
        assert_eq!(name, client.id);
        let left = expiry.parse::<u64>().unwrap() - before;
        assert!((600..660).contains(&left), "{left}");
        assert_eq!(credential, credential_of(&username, SECRET));
        assert!(seen.insert(credential));
        client.hears_nothing().await;
    }
    let mut refused = server.client().await;
    let refusal = refused.ask(json!({"type": "join", "roomId": ""})).await;
    assert_eq!((&refusal["type"], &refusal["iceServers"]), (&json!("join-error"), &Value::Null));
}

#[tokio::test]
async fn other_servers_stand_beside_as_they_are() {
    let shared = Shared::new();
    let list = shared.folder.path().join("servers");
    fs::write(&list, "# ours\nturn:ann:p%40ss@other.example.org\n").unwrap();
    let flags = shared.flags();
    let server = TestServer::with(&format!(
        "--ice-server stun:a {flags} --ice-server-file {}",
        list.display()
    ));
    let servers = server.client().await.join("r").await["iceServers"].take();
    assert_eq!(
        (&servers[0], &servers[1]["urls"][0]),
        (&json!({"urls": ["stun:a"]}), &json!("turn:turn.example.org"))
    );
    let other =
        json!({"urls": ["turn:other.example.org"], "username": "ann", "credential": "p@ss"});
    assert_eq!((&servers[2], servers.as_array().unwrap().len()), (&other, 3));
}

#[tokio::test]
async fn without_a_secret_everybody_is_told_at_once_and_joined_says_nothing_of_it() {
    let server = TestServer::with("--ice-server stun:a");
    let mut client = server.client().await;
    assert_eq!(client.welcome["iceServers"], json!([{"urls": ["stun:a"]}]));
    assert_eq!(client.join("r").await.get("iceServers"), None);
    let client = TestServer::start().client().await;
    assert_eq!(client.welcome["iceServers"], json!([]));
}

/// What is due to a client now.
fn heard(session: &Session) -> Vec<Value> {
    let mut batch = Vec::new();
    session.client().outbox.take_due(&mut batch, usize::MAX);
    session.client().outbox.acknowledge();
    let parse = |entry: Entry| serde_json::from_str(entry.frame().as_str()).unwrap();
    batch.into_iter().map(parse).collect()
}

async fn say(session: &mut Session, message: &Value) -> Vec<Value> {
    if let Some(join) = session.receive(&message.to_string()) {
        session.carry_out(join).await;
    }
    heard(session)
}

async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn who_sits_is_told_anew_before_credentials_end_and_nobody_else() {
    let shared = Shared::new();
    let flags =
        format!("{} --turn-ttl 600 --ping-seconds 3600 --pong-seconds 3600", shared.flags());
    let config = Arc::new(support::config(&flags));
    let ice_servers = IceServers::of(&config).unwrap();
    let hub = Arc::new(Hub::new(config).telling_of(ice_servers));
    let running = Arc::clone(&hub);
    tokio::spawn(async move { running.run().await });
    let connect = || hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap();
    let join = |room: &str| json!({"type": "join", "roomId": room});
    let (mut sits, mut moves, mut leaves, idle) = (connect(), connect(), connect(), connect());
    for session in [&mut sits, &mut moves, &mut leaves] {
        say(session, &join("r")).await;
    }
    say(&mut leaves, &json!({"type": "leave", "roomId": "r"})).await;
    let went = connect();
    drop(went);
    for session in [&sits, &moves, &leaves, &idle] {
        heard(session);
    }

    let (mut told, mut told_late) = (vec![0], vec![300]);
    for second in 1..2000 {
        wait(1).await;
        if second == 300 {
            say(&mut moves, &join("s")).await;
            heard(&sits);
        }
        for (session, times) in [(&sits, &mut told), (&moves, &mut told_late)] {
            for message in heard(session) {
                assert_eq!(message["type"], "ice-servers");
                let (username, credential) = credentials(&message);
                assert!(username.ends_with(&format!(":{}", session.client().id)), "{username}");
                assert_eq!(credential, credential_of(&username, SECRET));
                times.push(second);
            }
        }
    }
    for times in [told, told_late] {
        assert!(times.len() >= 4, "{times:?}");
        // A fifth of their life before they end, and up to a tenth earlier; it is looked once a second.
        let in_time = |pair: &[u32]| (420..=482).contains(&(pair[1] - pair[0]));
        assert!(times.windows(2).all(in_time), "{times:?}");
    }
    for silent in [&idle, &leaves] {
        assert_eq!(heard(silent), [Value::Null; 0]);
    }
}

/// A server that can be told to look at its files.
fn renewed(flags: &str) -> (String, Renewal) {
    let server = Server::bind(support::config(flags)).unwrap();
    let (url, renewal) = (format!("ws://{}/", server.addresses().http[0]), server.renewal());
    tokio::spawn(server.run(std::future::pending()));
    (url, renewal)
}

#[tokio::test]
async fn a_secret_that_changes_is_taken_up_and_one_that_is_none_leaves_the_old_one() {
    let shared = Shared::new();
    let (url, renewal) = renewed(&shared.flags());
    let mut client = Client::connect(&url).await;
    for (file, secret) in [
        (Some(OTHER_SECRET), OTHER_SECRET),
        (Some("hunter2"), OTHER_SECRET),
        (None, OTHER_SECRET),
        (Some(SECRET), SECRET),
    ] {
        match file {
            Some(text) => shared.set(text),
            None => fs::remove_file(shared.path()).unwrap(),
        }
        renewal.look();
        let (username, credential) = credentials(&client.join("r").await);
        assert_eq!(credential, credential_of(&username, secret), "{file:?}");
    }
}

#[tokio::test]
async fn a_file_of_servers_that_changes_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("servers");
    fs::write(&file, "stun:a").unwrap();
    let (url, renewal) = renewed(&format!("--ice-server-file {}", file.display()));
    for (text, told) in [
        ("stun:bb", "stun:bb"),
        ("turn:bb", "stun:bb"),
        ("nonsense", "stun:bb"),
        ("# none", "stun:bb"),
        ("stun:ccc", "stun:ccc"),
    ] {
        fs::write(&file, text).unwrap();
        renewal.look();
        let client = Client::connect(&url).await;
        assert_eq!(client.welcome["iceServers"], json!([{"urls": [told]}]), "{text}");
    }
}

#[test]
fn servers_that_would_relay_for_nobody_are_refused() {
    let shared = Shared::new();
    let secret = shared.path();
    let secret = secret.display();
    let list = shared.folder.path().join("servers");
    fs::write(&list, "turn:hunter2").unwrap();
    let list = list.display();
    for (flags, words) in [
        ("--ice-server turn:hunter2".into(), ["--ice-server", "--turn-secret-file"]),
        (format!("--ice-server-file {list}"), ["--ice-server-file", "--turn-secret-file"]),
        (format!("--turn-secret-file {secret}"), ["--turn-secret-file", "--ice-server turn:"]),
        (
            format!("--turn-secret-file {secret} --ice-server stun:a"),
            ["none is named", "--ice-server turn:"],
        ),
    ] {
        let fault = Server::bind(support::config(&flags)).unwrap_err().to_string();
        assert!(words.iter().all(|word| fault.contains(word)), "{flags}: {fault}");
        assert!(!fault.contains("hunter2") && !fault.contains(SECRET), "{fault}");
    }
}
