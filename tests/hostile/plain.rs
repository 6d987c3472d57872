//! Plain HTTP on the admin port: it is no way into gRPC, whoever a browser there serves, and each state ends.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, combinators::UnsyncBoxBody};
use hyper::{Request, Response, body::Incoming};
use signalpost::config::limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::{
    admin::{Raw, connect, serve_pipes},
    support::within,
};

type Pipes = mpsc::UnboundedSender<DuplexStream>;

const METRICS: &str = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn open(pipes: &Pipes, room: usize) -> DuplexStream {
    let (client, served) = duplex(room);
    pipes.send(served).unwrap();
    client
}

/// All that is answered until the connection ends.
async fn answer(pipes: &Pipes, request: &str) -> String {
    let mut client = open(pipes, 1 << 20);
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(client.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn three_paths_are_answered_under_names_of_this_machine_and_nothing_else() {
    let pipes = serve_pipes();
    let list_rooms = "/signalpost.admin.v1.AdminService/ListRooms";
    let grpc = "Content-Type: application/grpc\r\nTE: trailers\r\nContent-Length: 5\r\n";
    for (method, path, host, more, status) in [
        ("GET", "/healthz", "localhost", "", 200),
        ("GET", "/readyz", "127.0.0.1:50051", "", 200),
        ("HEAD", "/metrics", "[::1]", "", 200),
        ("GET", "/metrics", "evil.example", "", 421),
        ("GET", "/healthz", "localhost.evil.example", "", 421),
        ("POST", list_rooms, "evil.example", grpc, 421),
        ("POST", list_rooms, "localhost", grpc, 404),
        ("GET", "/grpc.health.v1.Health/Watch", "localhost", "", 404),
        ("GET", "/metrics/", "localhost", "", 404),
        ("OPTIONS", list_rooms, "localhost", "", 404),
        ("OPTIONS", "/metrics", "localhost", "", 405),
        ("POST", "/metrics", "localhost", grpc, 405),
    ] {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
        let body = if more.is_empty() { "" } else { "\0\0\0\0\0" };
        // What follows a request is not answered.
        let answer = answer(&pipes, &(head + body + METRICS)).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path}: {answer}");
        assert!(head.contains("connection: close"), "{answer}");
        assert!(!answer.contains("grpc-status"), "{answer}");
        assert!(!answer.contains("access-control"), "{answer}");
        assert_eq!(body.is_empty(), method == "HEAD", "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    assert!(answer(&pipes, METRICS).await.contains("\nsignalpost_connections 0\n"));
    assert!(answer(&pipes, "GET /healthz HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 200 "));
    assert!(answer(&pipes, "GET /healthz HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 421 "));
}

#[tokio::test]
async fn who_says_no_more_after_its_request_is_answered() {
    let pipes = serve_pipes();
    for path in ["/healthz", "/metrics"] {
        let mut client = open(&pipes, 1 << 20);
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        within(client.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_http1_head_that_stands_still_or_trickles_is_not_waited_for() {
    let pipes = serve_pipes();
    for said in ["G", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n", "PRI * HTTP/1"] {
        let mut client = open(&pipes, 1 << 16);
        let begun = Instant::now();
        client.write_all(said.as_bytes()).await.unwrap();
        client.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), limits::HANDSHAKE.as_secs(), "{said}");
    }
    let mut client = open(&pipes, 1 << 16);
    let begun = Instant::now();
    client.write_all(&METRICS.as_bytes()[..30]).await.unwrap();
    while client.write_all(b"x").await.is_ok() {
        sleep(Duration::from_millis(500)).await;
    }
    assert!(begun.elapsed() <= limits::HANDSHAKE + Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_http1_answer_that_is_not_taken_ends_its_connection() {
    let pipes = serve_pipes();
    let mut client = open(&pipes, 64);
    let begun = Instant::now();
    client.write_all(METRICS.as_bytes()).await.unwrap();
    sleep(limits::ADMIN_ANSWER - Duration::from_secs(1)).await;
    let mut taken = [0; 64];
    client.read_exact(&mut taken).await.unwrap();
    assert!(taken.starts_with(b"HTTP/1.1 200 "), "it may still take it");
    sleep(Duration::from_secs(7)).await;
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() <= 128, "{} bytes more", rest.len());
    assert!(begun.elapsed() <= limits::ADMIN_ANSWER + Duration::from_secs(6));
}

#[tokio::test]
async fn a_long_http1_head_is_not_kept() {
    let pipes = serve_pipes();
    let mut client = open(&pipes, 1 << 20);
    let long = "x".repeat(limits::ADMIN_HEADER_BYTES as usize);
    let request = format!("{}\r\nCookie: {long}\r\n\r\n", METRICS.trim_end());
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(client.read_to_string(&mut answer)).await.unwrap();
    assert!(!answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn plain_requests_take_the_places_of_calls() {
    let pipes = serve_pipes();
    let (mut connections, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..=limits::ADMIN_CALLS / limits::ADMIN_STREAMS {
        // Nothing of an answer's body is taken.
        let (raw, connection) = connect(&pipes, 0).await;
        for _ in 0..limits::ADMIN_STREAMS {
            answers.push(get(&raw, "/healthz").await);
        }
        connections.push((raw, connection));
    }
    let busy = answers.iter().filter(|answer| answer.status() == 503).count();
    assert_eq!(answers.len() - busy, limits::ADMIN_CALLS + connections.len());
    drop(answers);
    let (raw, _connection) = connect(&pipes, 1 << 16).await;
    let body = within(get(&raw, "/healthz").await.into_body().collect()).await.unwrap();
    assert_eq!(body.to_bytes(), "ok\n");
}

async fn get(raw: &Raw, path: &str) -> Response<Incoming> {
    let body = UnsyncBoxBody::new(Empty::<Bytes>::new());
    let request = Request::get(format!("http://localhost{path}")).body(body).unwrap();
    within(raw.clone().send_request(request)).await.unwrap()
}
