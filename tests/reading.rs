//! However the bytes of messages are cut, the same messages come out, also while others use the same thread's buffer.

#[path = "support/pipe.rs"]
mod pipe;

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use clap::Parser;
use pipe::{Pipe, frame};
use signalpost::{config::Config, hub::Hub, ws};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::yield_now,
    time::timeout,
};

fn hub() -> Arc<Hub> {
    let flags = ["signalpost", "--rate-limit", "0"];
    Arc::new(Hub::new(Arc::new(Config::try_parse_from(flags).expect("flags"))))
}

fn ping(id: &str) -> Vec<u8> {
    frame(&format!(r#"{{"type":"ping","requestId":"{id}"}}"#))
}

/// The answer to a `ping`; those to WebSocket pings, which are empty here, may come before.
async fn hears_pong(pipe: &mut Pipe, id: &str) {
    let mut heard = Vec::new();
    while heard.is_empty() {
        heard = pipe.hear().await;
    }
    let heard = String::from_utf8(heard).expect("UTF-8");
    assert_eq!(heard, format!(r#"{{"type":"pong","requestId":"{id}"}}"#));
}

#[tokio::test]
async fn messages_cut_anywhere_are_whole_and_disturb_no_other_client() {
    let hub = hub();
    let (mut a, mut b) = (Pipe::join(&hub, "a").await, Pipe::join(&hub, "b").await);
    let control_between = [&[0x89, 0x80, 0, 0, 0, 0][..], &ping("2")].concat();
    let both = [ping("1"), control_between].concat();
    for cut in 1..both.len() {
        a.say(&both[..cut]).await;
        // Until the server has read the first part, and holds it.
        for round in 0..3 {
            let id = format!("{cut}-{round}");
            b.say(&ping(&id)).await;
            hears_pong(&mut b, &id).await;
        }
        a.say(&both[cut..]).await;
        hears_pong(&mut a, "1").await;
        hears_pong(&mut a, "2").await;
    }
}

#[tokio::test]
async fn a_burst_comes_out_whole_and_in_order() {
    let hub = hub();
    let mut a = Pipe::join(&hub, "a").await;
    let burst: Vec<u8> = (0..2000).flat_map(|n| ping(&n.to_string())).collect();
    a.say(&burst).await;
    for n in 0..2000 {
        hears_pong(&mut a, &n.to_string()).await;
    }
}

#[tokio::test]
async fn a_long_message_after_fragments_comes_out_whole() {
    let hub = hub();
    let (mut a, mut b) = (Pipe::join(&hub, "r").await, Pipe::join(&hub, "r").await);
    a.pass_over().await;
    let content = "x".repeat(200_000);
    let text = format!(r#"{{"type":"message","content":"{content}"}}"#);
    // Three fragments (RFC 6455, section 5.4), each cut out of a whole frame, with a ping between.
    let (first, rest) = text.split_at(70_000);
    let (second, third) = rest.split_at(70_000);
    let fragment = |opcode: u8, text: &str| {
        let mut bytes = frame(text);
        bytes[0] = opcode;
        bytes
    };
    a.say(&fragment(0x01, first)).await;
    a.say(&[0x89, 0x80, 0, 0, 0, 0]).await;
    a.say(&fragment(0x00, second)).await;
    a.say(&fragment(0x80, third)).await;
    let heard = String::from_utf8(b.hear().await).expect("UTF-8");
    assert!(heard.ends_with(&format!(r#","content":"{content}"}}"#)));
    assert!(a.hear().await.is_empty(), "the pong");
}

/// A client that says the same frame again for as long as it is read, or nearly.
struct Babble {
    frame: [u8; 6],
    frames_left: usize,
    closed: Arc<AtomicBool>,
}

impl AsyncRead for Babble {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let frames = (room.remaining() / 6).min(self.frames_left);
        self.frames_left -= frames;
        room.put_slice(&self.frame.repeat(frames));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Babble {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // The going-away that is said to everyone.
        if bytes.windows(10).any(|said| said == b"going-away") {
            self.closed.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_never_stops_talking_holds_up_nobody_neither_seated_nor_sent_away() {
    const FRAMES: usize = 2_000_000_000;
    let patience = Duration::from_secs(10);
    // Pongs, pings, and fragments with nothing in them.
    for (first, then) in [(None, 0x8a), (None, 0x89), (Some(0x01), 0x00)] {
        let hub = hub();
        let closed = Arc::new(AtomicBool::new(false));
        let frame = |first| [first, 0x80, 0, 0, 0, 0];
        let begun = first.map_or_else(Vec::new, |first| frame(first).to_vec());
        let babble =
            Babble { frame: frame(then), frames_left: FRAMES, closed: Arc::clone(&closed) };
        let session =
            hub.connect(std::net::Ipv4Addr::LOCALHOST.into(), None).expect("the hub has room");
        tokio::spawn(ws::run(babble, begun, session));
        let others_are_served = async || {
            let joined = tokio::spawn(async {
                let mut other = Pipe::join(&crate::hub(), "a").await;
                other.say(&ping("while it babbles")).await;
                hears_pong(&mut other, "while it babbles").await;
            });
            timeout(patience, joined)
                .await
                .expect("one babbles, and another waits")
                .expect("heard");
        };
        others_are_served().await;
        hub.send_away();
        while !closed.load(Ordering::Relaxed) {
            yield_now().await;
        }
        others_are_served().await;
    }
}
