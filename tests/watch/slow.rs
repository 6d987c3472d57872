//! A caller that stops reading.

use std::net::SocketAddr;

use serde_json::json;
use signalpost::admin::{
    pb::{self, admin_service_client::AdminServiceClient},
    problem::Reason,
};
use tokio::task::JoinSet;
use tonic::Code;
use tonic_types::StatusExt;

use super::{
    next,
    running::{Running, anywhere},
    support::{Client, within},
};

const EVENTS: u64 = 200_000;
const CLIENTS: u64 = 8;
/// What is said before it is looked for the answers.
const AT_ONCE: u64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_stops_reading_takes_little_and_is_told_that_it_lost_the_place() {
    let limits = ["--rate-limit", "0", "--log-events", "20000"];
    let server = Running::start(anywhere().args(limits));
    let url = format!("http://{}", server.admin());
    // So far everything is as large as it will be without a watcher.
    burst(server.http()).await;
    let before = server.resident_bytes();
    let mut admin = AdminServiceClient::connect(url).await.unwrap();
    let mut stopped =
        admin.watch_events(pb::WatchEventsRequest::default()).await.unwrap().into_inner();
    let first = next(&mut stopped).await;

    burst(server.http()).await;
    let grown = server.resident_bytes().saturating_sub(before);
    println!("a watcher that does not read: {} KiB more after {EVENTS} events", grown >> 10);
    // Kept for it, so many events would take 20 MB at least; the allocator keeps some MB for a while on a busy machine.
    assert!(grown < 6_000_000, "{grown} bytes");

    let mut heard = 0;
    let lost = loop {
        match within(stopped.message()).await {
            Ok(told) => drop(told.unwrap()),
            Err(status) => break status,
        }
        heard += 1;
    };
    assert!(heard < 20_000, "{heard} messages were kept for it");
    let back = pb::WatchEventsRequest {
        start: Some(pb::watch_events_request::Start::Cursor(first.cursor)),
        ..Default::default()
    };
    let refused = within(admin.watch_events(back)).await.unwrap_err();
    for status in [lost, refused] {
        assert_eq!(status.code(), Code::OutOfRange);
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, Reason::CursorExpired.name());
    }
}

/// Each client joins its room again and again: it leaves and joins, two events.
async fn burst(server: SocketAddr) {
    let mut clients = JoinSet::new();
    for nth in 0..CLIENTS {
        clients.spawn(async move {
            let mut client = Client::connect(&format!("ws://{server}/")).await;
            for _ in 0..EVENTS / 2 / CLIENTS / AT_ONCE {
                for _ in 0..AT_ONCE {
                    client.say(json!({"type": "join", "roomId": format!("room {nth}")})).await;
                }
                client.ask(json!({"type": "ping"})).await;
            }
        });
    }
    within(clients.join_all()).await;
}
