//! Who says as much as it can of one thing.

use std::time::Duration;

use tokio::{
    io::{AsyncWriteExt, split},
    net::TcpStream,
    task::JoinSet,
    time::Instant,
};

use crate::{
    attack::{count, have_many_files, hear_slowly, hear_until, member},
    beside::Victim,
    pipe::frame,
    running::{Running, anywhere},
};

/// So many of each, or as many as come through.
const MANY: usize = 100_000;
pub(crate) const CLOSED: &str = "Too many messages for too long; reconnect later";

/// What is said, and whether its room-mate is told so much of it that the flood has to wait for it.
pub(crate) fn kinds() -> [(&'static str, Vec<u8>, bool); 7] {
    let long = "x".repeat(250_000);
    [
        ("messages", frame(r#"{"type":"message","content":1}"#), false),
        ("joins", frame(r#"{"type":"join","roomId":"joins"}"#), false),
        ("registers", frame(r#"{"type":"register","userId":"ann"}"#), false),
        ("pings", frame(r#"{"type":"ping"}"#), false),
        ("control frames", [0x89, 0x80, 0, 0, 0, 0].to_vec(), false),
        ("pings of 250 kB", frame(&format!(r#"{{"type":"ping","x":"{long}"}}"#)), false),
        ("messages of 250 kB", frame(&format!(r#"{{"type":"message","content":"{long}"}}"#)), true),
    ]
}

/// Says it from this member; what it hears, and after how long it is closed.
pub(crate) async fn flood(
    kind: &'static str,
    said: Vec<u8>,
    stream: TcpStream,
) -> (&'static str, Vec<u8>, Duration) {
    let began = Instant::now();
    let (reads, mut writes) = split(stream);
    let saying = tokio::spawn(async move {
        let at_once = said.repeat((10_000 / said.len()).max(1));
        let mut left = MANY * said.len();
        while left > 0 && writes.write_all(&at_once).await.is_ok() {
            left = left.saturating_sub(at_once.len());
        }
        // Open until the server hangs up.
        writes
    });
    let (heard, took) = hear_until(CLOSED, began, reads).await;
    saying.abort();
    (kind, heard, took)
}

#[tokio::test]
async fn are_limited_and_closed_and_no_room_mate_is() {
    have_many_files();
    // Nobody here answers pings.
    let server = Running::start(anywhere().args(["--ping-seconds", "100"]));
    let victim = Victim::of(&server);
    let (mut mates, mut floods) = (Vec::new(), JoinSet::new());
    for (kind, said, waits) in kinds() {
        let mate = member(server.http(), 1, Some(32 << 10), kind).await;
        mates.push((kind, tokio::spawn(hear_slowly(mate))));
        let stream = member(server.http(), 6, None, kind).await;
        if waits {
            // Held back all the while, by its room-mate: that is no fault.
            tokio::spawn(flood(kind, said, stream));
        } else {
            floods.spawn(flood(kind, said, stream));
        }
    }
    let ended = floods.join_all().await;
    victim.was_served_in_time("floods of every kind");
    println!("floods: at most {} bytes", server.most_resident_bytes());
    for (kind, heard, took) in ended {
        assert_eq!(count(&heard, CLOSED), 1, "{kind}: {took:?}");
        assert!((29..34).contains(&took.as_secs()), "{kind}: closed after {took:?}");
        let told = count(&heard, r#""retryAfterMs""#);
        let answered = count(&heard, r#""pong""#) + heard.iter().filter(|b| **b == 0x8a).count();
        let changed = count(&heard, r#""joined""#) + count(&heard, r#""registered""#);
        println!("{kind}: told {told} times, {answered} answered, {changed} changes, {took:?}");
        assert!(told >= 25, "{kind}: told {told} times");
        assert!(answered <= 2000 + 200 * 35 && changed <= 20 + 2 * 35, "{kind}");
    }
    for (kind, mate) in mates {
        assert!(!mate.is_finished(), "{kind}: its room-mate is gone");
    }
}
