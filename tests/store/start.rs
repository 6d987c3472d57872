//! What a server says at its start of a Redis that will not do.

use std::{process::Command, time::Duration};

use signalpost::{
    id::Incarnation,
    store::{StartError, Store, Subject},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use super::{
    Appended, Position, append, batch,
    redis_server::{Redis, Shared, flags},
    room, server,
};

async fn connect(words: &str) -> Result<Store, StartError> {
    let (url, flags) = flags(words);
    Store::connect(&url, &flags).await
}

async fn refused(words: &str) -> String {
    let fault = connect(words).await.unwrap_err();
    assert!(!format!("{fault:?}").contains("hunter"), "{fault:?}");
    fault.to_string()
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_named_with_its_flag() {
    let nothing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("redis://{nothing}");
    has(&refused(&format!("--redis-url {url}")).await, &["--redis-url", &url, "reachable"]);
    has(&refused(&format!("--redis-url {url} --redis-cluster")).await, &[&url, "reachable"]);
    has(&refused("--redis-url redis://no.such.host.invalid").await, &["no.such.host.invalid:6379"]);
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    has(&refused(&format!("--redis-url {url} --redis-timeout-ms 50")).await, &[&url, "in time"]);
}

#[tokio::test]
async fn a_redis_that_forgets_is_refused() {
    let forgets = ["--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"];
    let refuses = ["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"];
    let has_enough = ["--maxmemory", "0", "--maxmemory-policy", "allkeys-lru"];
    let [forgets, refuses, has_enough] =
        [forgets, refuses, has_enough].map(|settings| Redis::start(&settings));
    let at = |redis: &Redis| format!("--redis-url redis://127.0.0.1:{}", redis.port);
    has(&refused(&at(&forgets)).await, &["--redis-url", "volatile-lru", "noeviction"]);
    connect(&at(&refuses)).await.unwrap();
    connect(&at(&has_enough)).await.unwrap();
}

#[tokio::test]
async fn who_may_not_come_in_is_told_how_to_say_who_it_is() {
    let redis = Redis::start(&["--requirepass", "hunter2"]);
    let mut acl = redis::cmd("ACL");
    acl.arg("SETUSER").arg("fleet").arg("on").arg(">hunter3").arg("~{signalpost}:*").arg("+@all");
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, password: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, password).unwrap();
        format!("--redis-password-file {}", file.display())
    };
    let (own, other) = (file("own", "hunter2\n"), file("other", "hunter3\n"));
    let at = format!("127.0.0.1:{}", redis.port);
    let mend = ["--redis-url", "--redis-password-file", "SIGNALPOST_REDIS_PASSWORD"];
    has(&refused(&format!("--redis-url redis://{at}")).await, &mend);
    has(&refused(&format!("--redis-url redis://{at} {other}")).await, &mend);
    let store = connect(&format!("--redis-url redis://{at} {own}")).await.unwrap();
    assert!(!format!("{store:?}").contains("hunter"), "{store:?}");
    has(&refused(&format!("--redis-url redis://fleet@{at} {other}")).await, &mend);
    redis.ask_as::<()>("hunter2", &acl).unwrap();
    let store = connect(&format!("--redis-url redis://fleet@{at} {other}")).await.unwrap();
    assert_eq!(store.ping().await, Ok(()));

    // It need not say whose copy it is, nor anything else of itself.
    let mut silent = redis::cmd("ACL");
    silent.arg("SETUSER").arg("fleet").arg("-info");
    redis.ask_as::<()>("hunter2", &silent).unwrap();
    let store = connect(&format!("--redis-url redis://fleet@{at} {other}")).await.unwrap();
    let (mut tail, node) = (store.tail(Position::ZERO), Incarnation::random());
    store.enter(node, b"", Duration::from_mins(1)).await.unwrap();
    let at = append(&store, &batch(node, Subject::Bans, Position::ZERO, &["x"])).await;
    assert_eq!(tail.next().await.unwrap()[0].position, at[0]);
    let of_cluster =
        format!("--redis-url redis://fleet@127.0.0.1:{} {other} --redis-cluster", redis.port);
    has(&refused(&of_cluster).await, &["leave out --redis-cluster"]);
}

#[tokio::test]
async fn what_others_keep_under_the_prefix_is_left_alone() {
    let shared = Shared::standalone();
    let url = shared.arguments().join(" ");
    let set = |command: &mut redis::Cmd| shared.ask::<redis::Value>(command);
    let (store, node) = (shared.store().await, server(&shared));
    append(&store, &batch(node, Subject::Bans, Position::ZERO, &["x"])).await;

    // Fleets by another prefix or number share nothing.
    for other in [format!("{url} --redis-prefix other"), format!("{url}/3")] {
        let other = connect(&other).await.unwrap();
        assert_ne!(other.epoch(), store.epoch());
        assert_eq!(other.head().await, Ok(Position::ZERO));
        let foreign = batch(node, Subject::Bans, Position::ZERO, &["x"]);
        assert_eq!(other.append(&foreign).await, Ok(Appended::NotLive));
    }
    assert_eq!(shared.store().await.epoch(), store.epoch());

    set(redis::cmd("HSET").arg("{signalpost}:meta").arg("format").arg(2));
    has(&refused(&url).await, &["--redis-prefix signalpost", "format 2", "release"]);
    set(redis::cmd("SET").arg("{mine}:meta").arg("x"));
    let mine = refused(&format!("{url} --redis-prefix mine")).await;
    has(&mine, &["--redis-prefix mine", "another program"]);
    set(redis::cmd("SET").arg("{logged}:log").arg("x"));
    let logged = refused(&format!("{url} --redis-prefix logged")).await;
    has(&logged, &["--redis-prefix logged", "another program"]);
}

#[tokio::test]
async fn a_cluster_is_not_taken_for_one_server_nor_the_other_way_round() {
    let (cluster, alone) = (Shared::cluster(), Redis::start(&[]));
    let at = format!("--redis-url redis://127.0.0.1:{}", cluster.servers[1].port);
    has(&refused(&at).await, &["--redis-url", "add --redis-cluster"]);
    has(&refused(&format!("{at}/1 --redis-cluster")).await, &["leave out the number"]);
    let alone = format!("--redis-url redis://127.0.0.1:{} --redis-cluster", alone.port);
    has(&refused(&alone).await, &["--redis-url", "leave out --redis-cluster"]);

    // Each of its servers leads to all.
    let (store, node) =
        (connect(&format!("{at} --redis-cluster")).await.unwrap(), server(&cluster));
    for name in ["a", "b", "c"] {
        append(&store, &batch(node, Subject::Room(&room(name)), Position::ZERO, &["x"])).await;
    }
    assert_eq!(cluster.store().await.names(None, "", 9).await.unwrap(), ["a", "b", "c"]);
}

#[tokio::test]
async fn an_old_redis_is_refused_by_its_version() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut lines = BufReader::new(socket);
        let mut line = String::new();
        while lines.read_line(&mut line).await.unwrap() > 0 {
            let answer = match line.trim() {
                "HELLO" => "%1\r\n+version\r\n+6.2.14\r\n",
                "CLIENT" => "+OK\r\n",
                "INFO" => "$20\r\nredis_version:6.2.14\r\n",
                _ => "",
            };
            lines.write_all(answer.as_bytes()).await.unwrap();
            line.clear();
        }
    });
    has(&refused(&format!("--redis-url {url}")).await, &["--redis-url", "6.2.14", "Redis 7"]);
}

/// Set where a test has itself run by another process, whose environment names an authority.
const URL: &str = "STORE_TEST_URL";

#[tokio::test]
async fn tls_counts_by_the_authorities_of_the_system() {
    if let Ok(url) = std::env::var(URL) {
        connect(&format!("--redis-url {url}")).await.unwrap().ping().await.unwrap();
        return;
    }
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start_with_tls(folder.path(), &certificate, &key);
    let url = format!("rediss://localhost:{}", redis.port);
    has(&refused(&format!("--redis-url {url}")).await, &["--redis-url", "certificate"]);
    let plain = format!("--redis-url redis://localhost:{} --redis-timeout-ms 500", redis.port);
    has(&refused(&plain).await, &["--redis-url", "rediss://"]);

    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, certificate).unwrap();
    let mut itself = Command::new(std::env::current_exe().unwrap());
    itself.args(["--exact", "start::tls_counts_by_the_authorities_of_the_system"]);
    let there = itself.env(URL, url).env("SSL_CERT_FILE", authority).output().unwrap();
    has(&String::from_utf8_lossy(&there.stdout), &["1 passed"]);
}
