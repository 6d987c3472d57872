//! How much a client may say and how slowly: what is over its rate waits or is refused, and is told so.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/pipe.rs"]
mod pipe;

use std::{sync::Arc, time::Duration};

use clap::Parser;
use pipe::{Pipe, frame, serve};
use serde_json::{Value, json};
use signalpost::{config::Config, hub::Hub, protocol::CloseCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// A hub whose heart beats, and what keeps it beating.
fn hub(flags: &str) -> (Arc<Hub>, JoinHandle<()>) {
    let words = ["signalpost"].into_iter().chain(flags.split_whitespace());
    let hub = Arc::new(Hub::new(Arc::new(Config::try_parse_from(words).unwrap())));
    let running = Arc::clone(&hub);
    (hub, tokio::spawn(async move { running.run().await }))
}

/// Says `bytes` again and again until the server hangs up, and hears everything.
async fn flood(hub: &Arc<Hub>, bytes: Vec<u8>) -> (Vec<u8>, Duration) {
    let (stream, served) = duplex(64 << 10);
    serve(hub, served);
    let began = Instant::now();
    let (mut reads, mut writes) = split(stream);
    let saying = tokio::spawn(async move { while writes.write_all(&bytes).await.is_ok() {} });
    let mut heard = Vec::new();
    timeout(Duration::from_secs(600), reads.read_to_end(&mut heard)).await.unwrap().unwrap();
    saying.abort();
    (heard, began.elapsed())
}

fn count(heard: &[u8], what: &str) -> usize {
    String::from_utf8_lossy(heard).matches(what).count()
}

#[tokio::test(start_paused = true)]
async fn who_goes_on_over_its_rate_waits_and_is_closed_after_half_a_minute() {
    let join = frame(r#"{"type":"join","roomId":"r"}"#);
    for (what, said) in [
        ("messages", frame(r#"{"type":"message","content":1}"#).repeat(100)),
        ("pings", frame(r#"{"type":"ping"}"#).repeat(100)),
        ("control frames", [0x89, 0x80, 0, 0, 0, 0].repeat(100)),
        ("long messages", frame(&format!(r#"{{"type":"ping","x":"{}"}}"#, "x".repeat(250_000)))),
        ("nonsense", frame("nonsense").repeat(100)),
        ("joins", join.repeat(10)),
        ("registrations", frame(r#"{"type":"register"}"#).repeat(10)),
    ] {
        let (hub, heart) = hub("--pong-seconds 1 --ping-seconds 1");
        let mut mate = Pipe::join(&hub, "r").await;
        let alive = tokio::spawn(async move {
            loop {
                mate.say(&frame(r#"{"type":"ping"}"#)).await;
                while !mate.hear().await.starts_with(br#"{"type":"pong""#) {}
                sleep(Duration::from_millis(500)).await;
            }
        });
        let (heard, took) = flood(&hub, said).await;
        assert!(heard.ends_with(b"Too many messages for too long; reconnect later"), "{what}");
        assert!((30..60).contains(&took.as_secs()), "{what}: after {took:?}");
        let told = count(&heard, r#""message":"You say too much at once"#);
        assert!(!alive.is_finished(), "{what}");
        let taken = count(&heard, r#""type":"pong""#);
        assert!(taken <= 2000 + 200 * 35, "{what}: {taken} were answered");
        let joined = count(&heard, r#""type":"joined""#) + count(&heard, r#""type":"registered""#);
        assert!(joined <= 20 + 2 * 35, "{what}: {joined} changes");
        let refused = count(&heard, r#""retryAfterMs""#) - told;
        if ["joins", "registrations"].contains(&what) {
            assert!(refused > 1000, "{what}: {refused} refusals");
        } else {
            assert!((25..=35).contains(&told) && refused == 0, "{what}: told {told} times");
        }
        heart.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_neither_lost_nor_reordered() {
    let (hub, _heart) = hub("--outbox-messages 16");
    let (mut a, mut b) = (Pipe::join(&hub, "r").await, Pipe::join(&hub, "r").await);
    a.pass_over().await;
    let text = |n: u32| frame(&json!({"type": "message", "content": n}).to_string());
    let burst: Vec<u8> = (0..5000).flat_map(text).collect();
    let began = Instant::now();
    let said = tokio::spawn(async move {
        a.say(&burst).await;
        a
    });
    for n in 0..5000 {
        let message: Value = serde_json::from_slice(&b.hear().await).unwrap();
        assert_eq!(message["content"], json!(n));
    }
    let took = began.elapsed().as_secs();
    assert!((14..=16).contains(&took), "2000 at once, 3000 at 200 a second: {took} s");
    // Being read from slowly is no silence.
    let mut a = said.await.unwrap();
    loop {
        let heard: Value = serde_json::from_slice(&a.hear().await).unwrap();
        if heard["type"] == "error" {
            assert_eq!(
                (&heard["code"], &heard["requestId"]),
                (&json!("rate-limited"), &Value::Null)
            );
            assert!(heard["retryAfterMs"].as_u64().unwrap() >= 250);
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_over_its_rate_is_refused_with_its_request_and_soon_taken() {
    let (hub, _heart) = hub("");
    let mut a = Pipe::join(&hub, "r").await;
    for nth in 0..25 {
        let register = json!({"type": "register", "userId": "ann", "requestId": nth.to_string()});
        a.say(&frame(&register.to_string())).await;
        let heard: Value = serde_json::from_slice(&a.hear().await).unwrap();
        assert_eq!(heard["requestId"], json!(nth.to_string()));
        // The join was one of twenty.
        let expected = if nth < 19 { "registered" } else { "error" };
        assert_eq!(heard["type"], expected, "{nth}: {heard}");
    }
    let join = frame(r#"{"type":"join","roomId":"r"}"#);
    a.say(&join).await;
    let refused: Value = serde_json::from_slice(&a.hear().await).unwrap();
    assert_eq!(refused["type"], "join-error");
    assert_eq!(refused["code"], "rate-limited");
    sleep(Duration::from_millis(refused["retryAfterMs"].as_u64().unwrap() + 250)).await;
    a.say(&join).await;
    let left: Value = serde_json::from_slice(&a.hear().await).unwrap();
    assert_eq!(left["type"], "left");
}

#[tokio::test(start_paused = true)]
async fn many_clients_cannot_make_a_room_announce_too_much() {
    const MEMBERS: usize = 200;
    let (hub, _heart) = hub("--max-members 200");
    let metadata = "x".repeat(2000);
    let join = json!({"type": "join", "roomId": "r", "metadata": metadata}).to_string();
    let mut members = Vec::new();
    for _ in 0..MEMBERS {
        let (stream, served) = duplex(1 << 20);
        members.push(tokio::spawn(hear_all(stream, frame(&join).repeat(20))));
        serve(&hub, served);
    }
    let mut heard = 0;
    let mut refused = 0;
    for member in members {
        let (bytes, refusals) = member.await.unwrap();
        heard += bytes;
        refused += refusals;
    }
    assert!(refused > 0);
    assert!(heard < (64 + 10 * 16) << 20, "{heard} bytes in 10 s");
}

/// How many bytes come in 10 s, and how many refusals with `rate-limited`.
async fn hear_all(mut stream: DuplexStream, said: Vec<u8>) -> (usize, usize) {
    stream.write_all(&said).await.unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let (mut heard, mut refused, mut buffer) = (0, 0, vec![0; 64 << 10]);
    while let Ok(read) = tokio::time::timeout_at(until, stream.read(&mut buffer)).await {
        let read = read.unwrap();
        heard += read;
        refused += count(&buffer[..read], "rate-limited");
    }
    (heard, refused)
}

#[tokio::test(start_paused = true)]
async fn bytes_that_arrive_are_life_and_standing_still_is_not() {
    let long = frame(&format!(r#"{{"type":"ping","x":"{}"}}"#, "x".repeat(200_000)));
    let (hub, _heart) = hub("--ping-seconds 2 --pong-seconds 2");
    let mut honest = Pipe::join(&hub, "r").await;
    for part in long.chunks(long.len() / 100) {
        honest.say(part).await;
        sleep(Duration::from_millis(100)).await;
    }
    while !honest.hear().await.starts_with(br#"{"type":"pong""#) {}

    let fragment = vec![0x01, 0x81, 0, 0, 0, 0, b'"'];
    let fragment_and_head = [&fragment[..], &[0x00, 0xff]].concat();
    let pong = [0x8a, 0x80, 0, 0, 0, 0];
    let nearly_all_that_it_may = [&fragment[..], &pong.repeat(1570)].concat();
    let (silent, unfinished) = (CloseCode::HeartbeatTimeout, CloseCode::Unfinished);
    let often = Duration::from_millis(500);
    // A little more than the rate, so that it has to wait now and then.
    let (seldom, many) = (Duration::from_secs(2), pong.repeat(430));
    for (what, begun, more, every, expected) in [
        ("nothing more", long[..15].to_vec(), vec![], often, silent),
        ("a fragment's head", fragment_and_head, vec![], often, silent),
        ("a byte now and then", long[..15].to_vec(), b"x".to_vec(), often, unfinished),
        ("pongs after a fragment", fragment.clone(), pong.to_vec(), often, unfinished),
        (
            "pongs after an empty one",
            vec![0x01, 0x80, 0, 0, 0, 0],
            pong.to_vec(),
            often,
            unfinished,
        ),
        ("pauses for its rate", nearly_all_that_it_may, many, seldom, unfinished),
    ] {
        let (stream, served) = duplex(64 << 10);
        serve(&hub, served);
        let began = Instant::now();
        let (mut reads, mut writes) = split(stream);
        writes.write_all(&begun).await.unwrap();
        let saying = tokio::spawn(async move {
            while writes.write_all(&more).await.is_ok() {
                sleep(every).await;
            }
        });
        let mut heard = Vec::new();
        reads.read_to_end(&mut heard).await.unwrap();
        saying.abort();
        let took = began.elapsed().as_secs();
        assert!(took <= 13 + 10, "{what}: {took} s");
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.ends_with(expected.reason()), "{what}: {heard}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_a_burst_is_finished_when_it_is_handled() {
    let (hub, _heart) = hub("--pong-seconds 3600");
    let (mut a, mut b) = (Pipe::join(&hub, "r").await, Pipe::join(&hub, "r").await);
    // More than one turn handles.
    a.say(&frame(&json!({"type": "message", "content": "x".repeat(300)}).to_string()).repeat(100))
        .await;
    for _ in 0..100 {
        b.hear().await;
    }
    sleep(Duration::from_secs(60)).await;
    a.say(&frame(&json!({"type": "message", "content": "later"}).to_string())).await;
    while !b.hear().await.ends_with(br#""later"}"#) {}
}

#[tokio::test(start_paused = true)]
async fn who_goes_while_it_has_to_wait_is_missed_at_once() {
    let (hub, _heart) = hub("--outbox-messages 16 --pong-seconds 3600");
    let mut witness = Pipe::join(&hub, "r").await;
    let (stream, served) = duplex(1 << 20);
    let mut speaker = Pipe::join_over(&hub, "r", stream, served).await;
    let (stream, served) = duplex(1 << 10);
    let deaf = Pipe::join_over(&hub, "r", stream, served).await;
    let text = frame(&json!({"type": "message", "content": "x".repeat(2000)}).to_string());
    speaker.say(&text.repeat(16)).await;
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    drop(speaker);
    loop {
        let heard: Value = serde_json::from_slice(&witness.hear().await).unwrap_or_default();
        if heard["type"] == "user-left" {
            assert_eq!(heard["reason"], "disconnected");
            break;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(1));
    drop(deaf);
}
