//! Messages that are begun, and not finished.

use std::time::Duration;

use signalpost::config::limits;
use tokio::{
    io::{AsyncWriteExt, split},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, interval, sleep},
};

use crate::{
    attack::{count, have_many_files, hear_out, hear_until, websocket},
    beside::Victim,
    pipe::frame,
    running::{Running, anywhere},
};

/// A text of 262,000 bytes is announced, and one of them sent.
pub(crate) const ANNOUNCED: [u8; 15] = [0x81, 0xff, 0, 0, 0, 0, 0, 3, 0xff, 0x70, 0, 0, 0, 0, b'"'];
/// A part of a message, of one byte.
const FRAGMENT: [u8; 7] = [0x01, 0x81, 0, 0, 0, 0, b'"'];
const CLOSED: &str = "A message was begun and not finished in time; reconnect";
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

/// What is heard until it is closed for that, and after how long. A sign of life comes twice a second, if any.
async fn begin(stream: TcpStream, begun: Vec<u8>, life: &'static [u8]) -> (Vec<u8>, Duration) {
    let began = Instant::now();
    let (reads, mut writes) = split(stream);
    let saying = tokio::spawn(async move {
        let mut ticks = interval(Duration::from_millis(500));
        let mut said = writes.write_all(&begun).await;
        while said.is_ok() {
            ticks.tick().await;
            said = writes.write_all(life).await;
        }
    });
    let heard = hear_until(CLOSED, began, reads).await;
    saying.abort();
    heard
}

#[tokio::test]
async fn take_what_arrived_and_end_in_time() {
    have_many_files();
    let server = Running::start(&mut anywhere());
    let victim = Victim::of(&server);
    let mut open = Vec::new();
    for _ in 0..500 {
        open.push(websocket(server.http(), 4, None).await.unwrap());
    }
    let before = server.resident_bytes();
    let mut begun = JoinSet::new();
    for (nth, stream) in open.into_iter().enumerate() {
        let (what, life): (&[u8], &[u8]) =
            if nth % 2 == 0 { (&ANNOUNCED, b"") } else { (&FRAGMENT, &PONG) };
        begun.spawn(begin(stream, what.to_vec(), life));
    }
    let ended = begun.join_all().await;
    let grown = server.most_resident_bytes().saturating_sub(before);
    println!("500 unfinished messages: {grown} bytes more");
    victim.was_served_in_time("messages that are never finished");
    assert!(grown < 500 * 16_000, "{grown} bytes");
    for (heard, took) in ended {
        assert_eq!(count(&heard, CLOSED), 1, "{took:?}");
        let seconds = u64::from(limits::MESSAGE_SECONDS);
        assert!((seconds..seconds + 4).contains(&took.as_secs()), "closed after {took:?}");
    }
}

/// 100 MB where 32 MiB may be kept: those who say them go first, and others come in.
#[tokio::test]
async fn take_no_more_than_the_budget_and_soon_nothing() {
    have_many_files();
    const BUDGET: usize = 128 << 20;
    let server = Running::start(anywhere().args(["--memory-budget", &BUDGET.to_string()]));
    let mut beside = Vec::new();
    for _ in 0..20 {
        beside.push(tokio::spawn(hear_out(websocket(server.http(), 1, None).await.unwrap())));
    }
    let begun = frame(&"x".repeat(limits::MESSAGE_BYTES - 10))[..200_000].to_vec();
    let mut open = JoinSet::new();
    for _ in 0..500 {
        // Nobody new is let in once it is tight.
        if let Ok(stream) = websocket(server.http(), 4, None).await {
            open.spawn(begin(stream, begun.clone(), b""));
        }
    }
    let let_in = open.len();
    sleep(Duration::from_secs(2)).await;
    let victim = Victim::of(&server);
    sleep(Duration::from_secs(2)).await;
    victim.was_served_in_time("long messages that are never finished");
    let most = server.most_resident_bytes();
    println!("{let_in} messages of 200 kB: at most {most} bytes");
    assert!(let_in > 100 && most < BUDGET, "{let_in} took {most} bytes");
    assert!(beside.iter().all(|member| !member.is_finished()));
}
