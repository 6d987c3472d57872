//! Who is sent something, and does not read it.

use std::{net::SocketAddr, time::Duration};

use signalpost::config::limits;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    attack::{GET_LARGE, connect, count, have_many_files, hear_slowly, hear_until, member},
    beside::Victim,
    pipe::frame,
    running::{Running, anywhere},
    support::Client,
};

/// A line that takes a few segments, so that what is not read stays with the server.
const SMALL: Option<u32> = Some(4096);

pub(crate) async fn ask_and_never_read(
    server: SocketAddr,
    from: u8,
    many: usize,
) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for _ in 0..many {
        let mut stream = connect(server, from, SMALL).await.unwrap();
        // A megabyte in all: more than both ends' kernels take. Who is refused may be closed already.
        let _ = stream.write_all(&GET_LARGE.repeat(80)).await;
        open.push(stream);
    }
    open
}

async fn never_read(flags: &str) {
    have_many_files();
    let server = Running::start(anywhere().args(flags.split_whitespace()));
    let alone = server.sockets();
    let victim = Victim::of(&server);
    let open = ask_and_never_read(server.http(), 3, 500).await;
    let asked = Instant::now();
    sleep_until(asked + limits::HANDSHAKE + Duration::from_secs(2)).await;
    let left = server.sockets() - alone;
    victim.was_served_in_time(&format!("answers that nobody reads, {flags}"));
    // The victim's own.
    assert!(left <= 5, "{flags}: {left} are left");
    drop(open);

    let _open = ask_and_never_read(server.http(), 3, 50).await;
    let stopping = Instant::now();
    server.stop();
    let took = stopping.elapsed();
    assert!(took < Duration::from_secs(4), "{flags}: stopped after {took:?}");
}

#[tokio::test]
async fn answers_that_nobody_reads_are_not_waited_for() {
    tokio::join!(
        never_read(""),
        never_read("--max-connections 10"),
        // Room for few connections that speak HTTP.
        never_read("--memory-budget 134217728"),
    );
}

/// A room of ten, of which one says as much as it can.
#[tokio::test]
async fn only_who_reads_nothing_is_closed_for_it() {
    let server = Running::start(&mut anywhere());
    let victim = Victim::of(&server);
    let mut witness = Client::connect(&format!("ws://{}/", server.http())).await;
    witness.join("r").await;
    let mut slow = Vec::new();
    for _ in 0..5 {
        slow.push(tokio::spawn(hear_slowly(member(server.http(), 1, SMALL, "r").await)));
    }
    let mut deaf = Vec::new();
    for _ in 0..3 {
        deaf.push(member(server.http(), 3, SMALL, "r").await);
    }
    let mut flooder = member(server.http(), 3, None, "r").await;
    for _ in 0..9 {
        witness.hear_of("user-joined").await;
    }
    let began = Instant::now();
    let said = frame(&format!(r#"{{"type":"message","content":"{}"}}"#, "x".repeat(2000)));
    let flood = tokio::spawn(async move { while flooder.write_all(&said).await.is_ok() {} });
    for _ in 0..3 {
        let left = witness.hear_of("user-left").await;
        assert_eq!(left["reason"], "slow-consumer");
        let took = began.elapsed();
        assert!((10..14).contains(&took.as_secs()), "closed after {took:?}");
    }
    let words = "Too many messages were left unread; reconnect";
    let deaf = deaf.into_iter().map(|stream| hear_until(words, began, stream));
    for (heard, _) in deaf.collect::<JoinSet<_>>().join_all().await {
        assert_eq!(count(&heard, words), 1);
    }
    // Half of a slow one's outbox is full all the while.
    let heard_on = async {
        loop {
            assert_ne!(witness.hear().await["type"], "user-left", "{:?}", began.elapsed());
        }
    };
    tokio::select! {
        () = heard_on => {}
        () = sleep(Duration::from_secs(5)) => {}
    }
    assert!(slow.iter().all(|reader| !reader.is_finished()));
    assert!(!flood.is_finished(), "it was held back, and not at fault");
    victim.was_served_in_time("a flood in a room where some do not read");
}
