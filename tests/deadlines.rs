//! Every state that a connection can be in ends, also with a client that stands still.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use signalpost::{config::limits, http::Http, hub::Hub};
use support::config;
use tokio::{
    io::{AsyncWriteExt, duplex},
    task::yield_now,
    time::sleep,
};

#[tokio::test(start_paused = true)]
async fn an_upgrade_whose_answer_is_not_taken_gives_its_place_up() {
    let config = Arc::new(config("--max-connections 1"));
    let hub = Arc::new(Hub::new(Arc::clone(&config)));
    let http = Arc::new(Http::new(Arc::clone(&hub), config));
    // Room for a part of the answer.
    let (mut client, served) = duplex(64);
    tokio::spawn(http.serve(served, Ipv4Addr::LOCALHOST.into()));
    let request = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    while hub.connect(Ipv4Addr::LOCALHOST.into()).is_ok() {
        yield_now().await;
    }
    sleep(limits::HANDSHAKE - Duration::from_secs(1)).await;
    assert!(hub.connect(Ipv4Addr::LOCALHOST.into()).is_err(), "it may still take its answer");
    sleep(Duration::from_secs(2)).await;
    assert!(hub.connect(Ipv4Addr::LOCALHOST.into()).is_ok());
}
