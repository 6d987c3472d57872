//! `signalpost bench` against a server in this process: every scenario works and loses nothing.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod support;

use std::{
    net::TcpListener,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use signalpost::bench::{self, Fault, Options, Report};
use support::{TestServer, events::Events, within};
use tokio::{net::TcpStream, sync::broadcast};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// A run with these flags, in a thread of its own since the clients block.
async fn run_until(url: String, flags: &str, stop: Arc<AtomicBool>) -> Result<Report, Fault> {
    let words: Vec<_> = flags.split_whitespace().map(Into::into).collect();
    let options = Options::from_words([url.into()].into_iter().chain(words)).unwrap();
    let running = tokio::task::spawn_blocking(move || bench::run(&options, &stop));
    within(running).await.unwrap()
}

/// A short one.
async fn run(url: String, flags: &str) -> Result<Report, Fault> {
    run_until(url, &format!("{flags} --seconds 0.4 --warm-up 0.1"), Arc::default()).await
}

fn command(words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signalpost"));
    command.arg("bench").args(words.split_whitespace()).output().unwrap()
}

fn refusal(words: &str, status: i32) -> String {
    let Output { status: got, stderr, stdout } = command(words);
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(got.code(), Some(status), "{said}");
    assert!(stdout.is_empty());
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_runs_clean() {
    let server = TestServer::with("--rate-limit 0");
    for (flags, unit) in [
        ("--scenario candidates --rooms 5", "messages"),
        ("--scenario candidates --rooms 3 --members 4 --outstanding 8", "messages"),
        ("--scenario candidates --rooms 5 --rate 500", "messages"),
        ("--scenario offers --rooms 5", "messages"),
        ("--scenario fan-out --rooms 2", "deliveries"),
        ("--scenario fan-out --rooms 2 --outstanding 3", "deliveries"),
        ("--scenario fan-out --rooms 2 --rate 200", "deliveries"),
        ("--scenario calls --rooms 4", "calls"),
    ] {
        let report = run(server.url("/"), flags).await.unwrap();
        assert!(report.is_clean(), "{flags}: {report}");
        assert_eq!(report.unit, unit);
        assert!(report.count > 0, "{flags}: {report}");
        let latency = report.latency;
        assert!(latency.p50_us > 0.0 && latency.p50_us <= latency.p99_us, "{flags}: {report}");
        assert!(latency.p99_us <= latency.max_us * 1.001, "{flags}: {report}");
        assert!(!report.interrupted && report.seconds >= 0.4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_clients_are_counted_and_cost_memory() {
    let server = TestServer::with("--ping-seconds 1");
    // Long enough for a ping, which must be answered.
    let pid = std::process::id();
    let flags = format!("--scenario idle --rooms 50 --seconds 1.5 --warm-up 0 --pid {pid}");
    let report = run_until(server.url("/ws"), &flags, Arc::default()).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.count, 100);
    assert!(report.server.unwrap().rss_bytes_per_connection.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_is_kept() {
    let server = TestServer::start();
    let begun = Instant::now();
    let report = run(server.url("/"), "--rooms 2 --rate 1000").await.unwrap();
    assert!(report.is_clean(), "{report}");
    // As answered, it would be many times that.
    let due = begun.elapsed().as_secs_f64() * 1000.0;
    assert!(report.count > 0 && report.count as f64 <= due, "{report}");
    assert!(report.late_p99_us.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_hear_the_clients_join() {
    let server = TestServer::start();
    let flags = format!("--rooms 4 --watchers 3 --admin {}", server.addresses.admin);
    let report = run(server.url("/"), &flags).await.unwrap();
    assert!(report.is_clean(), "{report}");
    // Four rooms created and eight seats taken, heard by each of three.
    assert!(report.events_watched.unwrap() >= 3 * 12, "{report}");

    let refused = run(server.url("/"), "--watchers 1 --admin 127.0.0.1:1").await.unwrap_err();
    assert!(refused.to_string().contains("--admin-listen"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_it_early_with_the_figures_so_far() {
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let mut events = Events::all(&mut admin).await;
    let stop = Arc::new(AtomicBool::new(false));
    let flags = "--scenario fan-out --rooms 2 --members 2 --seconds 600 --warm-up 0";
    let running = tokio::spawn(run_until(server.url("/"), flags, Arc::clone(&stop)));
    let room_id = events.next().await.room_id;
    let mut listener = server.member(&room_id).await;
    listener.hear_of("message").await;
    // It is sent only once the first one arrived.
    listener.hear_of("message").await;
    stop.store(true, Ordering::Relaxed);
    let report = within(running).await.unwrap().unwrap();
    assert!(report.interrupted && report.is_clean() && report.count > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_all_have_joined_measures_nothing() {
    let server = TestServer::start();
    for flags in ["", "--rate 1000", "--scenario fan-out", "--scenario calls", "--scenario idle"] {
        let stop = Arc::new(AtomicBool::new(true));
        let report = run_until(server.url("/"), flags, stop).await.unwrap();
        assert!(report.interrupted && report.is_clean() && report.count == 0, "{flags}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_twice_is_counted_and_not_answered() {
    for flags in [
        "--rate 500",
        "--outstanding 4",
        "--scenario fan-out --members 2 --rate 500",
        "--scenario fan-out --members 2",
    ] {
        let report = run(stammering().await, &format!("--rooms 1 {flags}")).await.unwrap();
        assert_eq!((report.lost, report.errors), (0, 0), "{flags}: {report}");
        assert!(report.surplus > 0 && !report.is_clean(), "{flags}: {report}");
    }
}

/// A server with one room, where everything is delivered twice.
async fn stammering() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let room = broadcast::Sender::new(1024);
    tokio::spawn(async move {
        for id in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(stammer(stream, format!("client {id}"), room.clone()));
        }
    });
    url
}

async fn stammer(stream: TcpStream, id: String, room: broadcast::Sender<Value>) {
    let text = |message: &Value| Message::text(message.to_string());
    let mut heard = room.subscribe();
    // The first connection only tries whether anybody answers.
    let Ok(mut socket) = accept_async(stream).await else { return };
    socket.send(text(&json!({"type": "welcome", "clientId": id}))).await.unwrap();
    loop {
        tokio::select! {
            Some(Ok(Message::Text(said))) = socket.next() => {
                let mut said: Value = serde_json::from_str(&said).unwrap();
                if said["type"] == "join" {
                    socket.send(text(&json!({"type": "joined"}))).await.unwrap();
                } else {
                    said["fromId"] = json!(id);
                    room.send(said).unwrap();
                }
            }
            Ok(message) = heard.recv() => if message["fromId"] != id {
                // Whoever is gone hears nothing more.
                let _ = socket.feed(text(&message)).await;
                let _ = socket.send(text(&message)).await;
            },
            else => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_the_server_name_the_mend() {
    let server = TestServer::with("--max-members 4");
    for (path, flags, mend) in [
        ("/nothing/here", "--rooms 1", "name the path"),
        ("/nothing/here", "--scenario calls", "name the path"),
        ("/", "--scenario fan-out --rooms 1", "Room is full"),
    ] {
        let refused = run(server.url(path), flags).await.unwrap_err().to_string();
        assert!(refused.contains(mend), "{refused}");
    }
    // From 127.0.0.2 and the 199 after it; twenty of them twice.
    for (limits, flags, mend) in [
        ("--max-connections 3", "--rooms 4", "--max-connections 8"),
        ("--max-connections-per-address 1", "--rooms 110", "--rate-limit 0"),
    ] {
        let small = TestServer::with(limits);
        let refused = run(small.url("/"), flags).await.unwrap_err().to_string();
        assert!(refused.contains(mend), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_meets_the_rates_is_told_how_to_lift_them() {
    let server = TestServer::with("--rate-limit 20");
    let report = run(server.url("/"), "--rooms 1 --outstanding 8").await.unwrap();
    assert!(report.errors > 0 && !report.is_clean(), "{report}");
    assert!(report.to_string().contains("start the server with --rate-limit 0"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_large_rooms_meet_no_limit_at_the_defaults() {
    let server = TestServer::with("--max-members 50");
    for flags in [
        "--scenario calls --rooms 25",
        // A room of 50 that is joined at once, and as much in it as its own setup takes.
        "--scenario candidates --rooms 1 --members 50 --rate 5000",
        "--scenario offers --rooms 1 --members 50 --rate 1000",
    ] {
        let report = run(server.url("/"), flags).await.unwrap();
        assert!(report.is_clean() && report.count > 0, "{flags}: {report}");
    }
}

#[test]
fn what_cannot_be_measured_is_one_line_that_names_the_mend() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = refusal(&format!("ws://{free}/"), 1);
    assert!(refused.contains("start the server there"), "{refused}");

    for (words, mend) in [
        ("localhost:8080", "ws://localhost:8080/"),
        ("http://localhost:8080/", "ws://localhost:8080/"),
        ("wss://localhost/", "without it"),
        ("--scenario nothing", "[possible values: candidates"),
        ("--seconds=-1", "0 to 86400"),
        ("--seconds nan", "0 to 86400"),
        ("--rooms 0", "--rooms"),
        ("--rooms 1000000 --members 1000", "ulimit -n"),
        ("--members 3", "an even --members"),
        ("--scenario calls --members 4", "leave --members out"),
        ("--scenario idle --rate 5", "leave it out"),
    ] {
        let refused = refusal(words, 2);
        assert!(refused.contains(mend) && refused.contains("bench --help"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_text_or_json_and_succeeds() {
    let server = TestServer::start();
    let run = |flags: &str| {
        let words = format!("{} --rooms 2 --seconds 0.2 --warm-up 0 {flags}", server.url("/"));
        tokio::task::spawn_blocking(move || command(&words))
    };
    let text = within(run("")).await.unwrap();
    assert!(text.status.success());
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("messages a second") && text.contains("p99.9"), "{text}");

    let json = within(run("--json")).await.unwrap();
    assert!(json.status.success());
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["errors"], 0);
    assert!(json["count"].as_u64().unwrap() > 0);
    assert_eq!(json["message_bytes"], 305);
}
