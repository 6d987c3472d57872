//! What is due to a client gets there: however much comes at once, however slowly it reads, and when it ends.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/pipe.rs"]
mod pipe;

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use clap::Parser;
use futures_util::future::poll_fn;
use parking_lot::Mutex;
use pipe::{Pipe, candidate, frame, serve};
use serde_json::{Value, json};
use signalpost::{
    config::Config,
    hub::{Hub, beside_turns, flush_before_sleep},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    runtime::Builder,
    time::{sleep, timeout},
};

fn hub(flags: &str) -> Arc<Hub> {
    let words = ["signalpost"].into_iter().chain(flags.split_whitespace());
    let config = Config::try_parse_from(words).unwrap();
    assert_eq!(config.check(), Ok(()));
    Arc::new(Hub::new(Arc::new(config)))
}

async fn hears(pipe: &mut Pipe, kind: &str) {
    let heard = pipe.hear().await;
    let message = serde_json::from_slice::<Value>(&heard);
    let heard = String::from_utf8_lossy(&heard);
    assert!(message.is_ok_and(|message| message["type"] == kind), "no {kind}: {heard:.80}");
}

#[tokio::test]
async fn a_burst_is_no_more_than_the_least_outbox_takes() {
    let long = frame(&json!({"type": "message", "content": "x".repeat(260_000)}).to_string());
    for (flags, what, times) in [
        ("--outbox-messages 16", "candidate", 40),
        ("--outbox-bytes 528384 --max-message-bytes 262144 --max-members 2", "message", 3),
    ] {
        let hub = hub(flags);
        let (mut a, mut b) = (Pipe::join(&hub, "r").await, Pipe::join(&hub, "r").await);
        let one = if what == "message" { long.clone() } else { frame(&candidate(&b.id)) };
        a.say(&one.repeat(times)).await;
        for _ in 0..times {
            hears(&mut b, what).await;
        }
    }
}

#[tokio::test]
async fn a_burst_of_requests_is_answered_to_the_last() {
    let hub = hub("--outbox-messages 16");
    let mut a = Pipe::join(&hub, "r").await;
    a.say(&frame(r#"{"type":"ping"}"#).repeat(100)).await;
    for _ in 0..100 {
        hears(&mut a, "pong").await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_takes_slowly_what_is_due_is_neither_silent_nor_a_slow_consumer() {
    let text = frame(&json!({"type": "message", "content": "x".repeat(250_000)}).to_string());
    for messages in [1, 40] {
        let hub = hub("--ping-seconds 1 --pong-seconds 1 --outbox-bytes 100000000 --rate-limit 0");
        let running = Arc::clone(&hub);
        let heart = tokio::spawn(async move { running.run().await });
        let mut speaker = Pipe::join(&hub, "r").await;
        let (stream, served) = duplex(4 << 10);
        let mut slow = Pipe::join_over(&hub, "r", stream, served).await;
        speaker.say(&text.repeat(messages)).await;
        let mut left = messages * 250_000;
        while left > 0 {
            sleep(Duration::from_millis(500)).await;
            let part = slow.hear_part(4 << 10).await;
            assert!(part > 0, "of {messages}, ended with {left} bytes to go");
            left = left.saturating_sub(part);
        }
        heart.abort();
    }
}

#[tokio::test]
async fn what_was_due_comes_before_a_close_even_at_once() {
    let hub = hub("");
    let (mut stream, served) = duplex(1 << 20);
    let (bad, mut binary) = (frame("not json"), frame("{}"));
    binary[0] = 0x82;
    stream.write_all(&[bad, binary].concat()).await.unwrap();
    stream.shutdown().await.unwrap();
    serve(&hub, served);
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    let heard = String::from_utf8_lossy(&heard);
    let at = |what| heard.find(what).unwrap_or_else(|| panic!("no {what} in {heard}"));
    let order = [at("\"welcome\""), at("\"bad-message\""), at("Binary messages are not taken")];
    assert!(order.is_sorted(), "{heard}");
}

/// The server's end of a pipe, whose reads and writes are noticed, and may be made to fail.
struct Tapped {
    pipe: DuplexStream,
    read: Box<dyn Fn() + Send>,
    write: Box<dyn Fn() -> io::Result<()> + Send>,
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.pipe).poll_read(cx, buffer));
        (self.read)();
        Poll::Ready(read)
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        (self.write)()?;
        Pin::new(&mut self.pipe).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_written_to_is_gone_whoever_notices() {
    let hub = hub("");
    let mut a = Pipe::join(&hub, "r").await;
    let (stream, pipe) = duplex(1 << 20);
    let broken = Arc::new(AtomicBool::new(false));
    let breaks = Arc::clone(&broken);
    // Its read half looks well all the while.
    let write = Box::new(move || match breaks.load(Ordering::Relaxed) {
        true => Err(io::ErrorKind::BrokenPipe.into()),
        false => Ok(()),
    });
    let b = Pipe::join_over(&hub, "r", stream, Tapped { pipe, read: Box::new(|| ()), write }).await;
    hears(&mut a, "user-joined").await;
    broken.store(true, Ordering::Relaxed);
    a.say(&frame(&candidate(&b.id))).await;
    timeout(Duration::from_secs(60), hears(&mut a, "user-left")).await.unwrap();
}

async fn noted(hub: &Arc<Hub>, room: &str, notes: &Arc<Mutex<String>>) -> Pipe {
    noted_as(['r', 'w'], hub, room, notes).await
}

/// A new client in `room`, each read from it and each write to it noted by a letter.
async fn noted_as(
    [read_as, written_as]: [char; 2],
    hub: &Arc<Hub>,
    room: &str,
    notes: &Arc<Mutex<String>>,
) -> Pipe {
    let (stream, pipe) = duplex(1 << 20);
    let (reads, writes) = (Arc::clone(notes), Arc::clone(notes));
    let read = Box::new(move || reads.lock().push(read_as));
    let write = Box::new(move || {
        writes.lock().push(written_as);
        Ok(())
    });
    Pipe::join_over(hub, room, stream, Tapped { pipe, read, write }).await
}

/// What is read and written where so many say something at once, as often, each to a room of its own.
fn at_once(speakers: usize, times: usize, in_rooms_of: usize, thread: &mut Builder) -> String {
    thread.build().unwrap().block_on(async {
        let (hub, notes) = (hub("--max-members 40"), Arc::default());
        let (mut talking, mut listening) = (Vec::new(), Vec::new());
        for nth in 0..speakers {
            let room = format!("room {nth}");
            let mut speaker = noted(&hub, &room, &notes).await;
            for _ in 1..in_rooms_of {
                listening.push(noted(&hub, &room, &notes).await);
                hears(&mut speaker, "user-joined").await;
            }
            talking.push(speaker);
        }
        for (nth, listener) in listening.iter_mut().enumerate() {
            for _ in nth % (in_rooms_of - 1) + 2..in_rooms_of {
                hears(listener, "user-joined").await;
            }
        }
        sleep(Duration::from_secs(1)).await;
        notes.lock().clear();
        let messages = frame(r#"{"type":"message","content":0}"#).repeat(times);
        for speaker in &mut talking {
            speaker.say(&messages).await;
        }
        for listener in &mut listening {
            for _ in 0..times {
                hears(listener, "message").await;
            }
        }
        notes.lock().clone()
    })
}

fn thread() -> Builder {
    let mut thread = Builder::new_current_thread();
    thread.enable_time().start_paused(true);
    thread
}

fn that_sleeps_flushed() -> Builder {
    let mut thread = thread();
    thread.on_thread_park(flush_before_sleep);
    thread
}

#[test]
fn a_thread_that_sleeps_flushed_does_so_behind_several_turns_and_others_behind_each() {
    assert_eq!(at_once(20, 1, 2, &mut thread()), "rw".repeat(20));
    assert_eq!(at_once(2, 1, 40, &mut thread()), format!("r{0}r{0}", "w".repeat(39)));

    let (r, w) = (|turns| "r".repeat(turns), |flushes| "w".repeat(flushes));
    let turns = at_once(20, 1, 2, &mut that_sleeps_flushed());
    assert_eq!(turns, [r(16), w(16), r(4), w(4)].concat());
    let long_turns = at_once(3, 10, 2, &mut that_sleeps_flushed());
    assert_eq!(long_turns, [r(2), w(2), r(1), w(1)].concat());
    // Before their lists grow long.
    let many = at_once(4, 1, 12, &mut that_sleeps_flushed());
    assert_eq!(many, [r(3), w(33), r(1), w(11)].concat());
    let all = at_once(2, 1, 40, &mut that_sleeps_flushed());
    assert_eq!(all, [r(1), w(39), r(1), w(39)].concat());
}

#[test]
fn who_tells_many_holds_up_nobody_who_tells_one() {
    let notes = that_sleeps_flushed().build().unwrap().block_on(async {
        let (hub, notes) = (hub("--max-members 200"), Arc::default());
        let mut a = noted_as(['R', 'W'], &hub, "few", &notes).await;
        let mut b = noted_as(['R', 'W'], &hub, "few", &notes).await;
        hears(&mut a, "user-joined").await;
        let mut many = Vec::new();
        for _ in 0..200 {
            many.push(noted(&hub, "many", &notes).await);
        }
        sleep(Duration::from_secs(1)).await;
        notes.lock().clear();
        let message = frame(r#"{"type":"message","content":0}"#);
        many[0].say(&message).await;
        a.say(&message).await;
        hears(&mut b, "message").await;
        sleep(Duration::from_secs(1)).await;
        notes.lock().clone()
    });
    let w = |flushes| "w".repeat(flushes);
    assert_eq!(notes, ["r", &w(64), "R", "W", &w(64), &w(64), &w(7)].concat());
}

#[test]
fn a_thread_that_something_else_keeps_awake_flushes_before_it() {
    that_sleeps_flushed().build().unwrap().block_on(async {
        let hub = hub("");
        let (mut a, mut b) = (Pipe::join(&hub, "r").await, Pipe::join(&hub, "r").await);
        hears(&mut a, "user-joined").await;
        sleep(Duration::from_secs(1)).await;
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&polls);
        tokio::spawn(beside_turns(poll_fn(move |cx| {
            cx.waker().wake_by_ref();
            let is_asleep = counted.fetch_add(1, Ordering::Relaxed) > 10_000;
            if is_asleep { Poll::Ready(()) } else { Poll::Pending }
        })));
        // In a task: what `block_on` runs is polled less often.
        let talk = tokio::spawn(async move {
            for _ in 0..100 {
                let before = polls.load(Ordering::Relaxed);
                a.say(&frame(&candidate(&b.id))).await;
                hears(&mut b, "candidate").await;
                let waited = polls.load(Ordering::Relaxed) - before;
                assert!(waited <= 2, "{waited} polls");
            }
        });
        talk.await.unwrap();
    });
}
