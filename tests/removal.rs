//! Administrators' orders against those who do not listen.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/pipe.rs"]
mod pipe;
mod support;

use std::{collections::BTreeSet, net::Ipv4Addr, sync::Arc, time::SystemTime};

use pipe::frame;
use signalpost::{
    ban::{Ban, BanId},
    config::limits,
    event::Administrator,
    hub::{Audience, Hub},
    id::{ClientId, RoomId},
    ws,
};
use support::{config, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::JoinHandle,
    time::Instant,
};

const ROOM: &str = "r";

/// A member that stops reading: what is due to it does not fit its connection, nor what comes after that.
async fn deaf(hub: &Arc<Hub>) -> (ClientId, DuplexStream, JoinHandle<()>) {
    let session = hub.connect(Ipv4Addr::new(192, 0, 2, 1).into(), None).unwrap();
    let id = session.client().id;
    let (mut stream, served) = duplex(4096);
    let connection = tokio::spawn(ws::run(served, Vec::new(), session));
    stream.write_all(&frame(r#"{"type":"join","roomId":"r"}"#)).await.unwrap();
    while hub.room(&ROOM.parse().unwrap()).await.is_err() {
        within(stream.read(&mut [0; 4096])).await.unwrap();
    }
    let content = serde_json::value::to_raw_value(&"x".repeat(100_000)).unwrap();
    for _ in 0..3 {
        hub.broadcast(&Audience::Client(id), &BTreeSet::new(), &content).await.unwrap();
        tokio::task::yield_now().await;
    }
    (id, stream, connection)
}

#[tokio::test(start_paused = true)]
async fn who_is_sent_away_and_does_not_read_loses_its_seat_at_once_and_its_connection_soon() {
    for how in 0..3 {
        let hub = Arc::new(Hub::new(Arc::new(config(""))));
        let (id, _stream, connection) = deaf(&hub).await;
        let room: RoomId = ROOM.parse().unwrap();
        let began = Instant::now();
        match how {
            0 => drop(
                hub.disconnect_client(&Administrator::default(), id, None, None).await.unwrap(),
            ),
            1 => hub.delete_room(&Administrator::default(), &room, None, None).await.unwrap(),
            _ => {
                let ban = Ban {
                    id: BanId::random(),
                    room_id: None,
                    subject: std::net::IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)).into(),
                    reason: None,
                    created_at: SystemTime::now(),
                    expires_at: None,
                    host: None,
                };
                hub.ban(&Administrator::default(), vec![Arc::new(ban)]).await.unwrap();
            }
        }
        assert!(hub.room(&room).await.is_err(), "its seat is free");
        within(connection).await.unwrap();
        assert!(began.elapsed() <= limits::CLOSE, "{how}: {:?}", began.elapsed());
        assert_eq!(hub.counts().clients, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_removed_from_a_room_and_does_not_read_keeps_nobody_there() {
    let hub = Arc::new(Hub::new(Arc::new(config(""))));
    let (id, mut stream, connection) = deaf(&hub).await;
    hub.remove_client(&Administrator::default(), id, None, None).await.unwrap();
    assert_eq!(hub.counts().rooms, 0);
    assert_eq!(hub.client(id).unwrap().room_id, None);
    // Once it reads again, it hears so.
    let mut heard = Vec::new();
    let removed = b"\"type\":\"removed\"";
    while !heard.windows(removed.len()).any(|part| part == removed) {
        within(stream.read_buf(&mut heard)).await.unwrap();
    }
    drop(stream);
    within(connection).await.unwrap();
}
