//! What makes no sense at all, and much of it.

use std::{net::SocketAddr, time::Duration};

use signalpost::config::limits;
use tokio::{
    io::AsyncWriteExt,
    task::JoinSet,
    time::{Instant, interval},
};

use crate::{
    attack::{connect, ends_after, have_many_files, websocket},
    beside::Victim,
    pipe::frame,
    running::{Running, anywhere},
};

/// Connections a second.
const RATE: u32 = 200;

/// A connection that says the `nth` kind of nonsense, until the server hangs up.
async fn throw(server: SocketAddr, from: u8, nth: usize) -> Duration {
    let random = |bytes: usize| {
        let mut random = fastrand::Rng::with_seed(nth as u64);
        (0..bytes).map(|_| random.u8(..)).collect::<Vec<u8>>()
    };
    let after_upgrade = |bytes| (true, bytes);
    let (upgraded, said) = match nth % 10 {
        0 => (false, random(1000)),
        1 => (false, random(100_000)),
        2 => (false, b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\nBREW\0\r\n\r\n".to_vec()),
        3 => (false, b"GET / HTTP/9.9\r\n\r\n".to_vec()),
        4 => (false, [b"GET / HTTP/1.1\r\nHost: x\r\nX: ", &[b'x'; 100_000][..]].concat()),
        5 => (false, vec![0; 1000]),
        6 => after_upgrade(random(1000)),
        7 => after_upgrade([0xff; 1000].to_vec()),
        8 => after_upgrade([frame("{}"), vec![0x80, 0x80, 0, 0, 0, 0]].concat()),
        _ => after_upgrade([&[0x81, 0xff][..], &[0xff; 12]].concat()),
    };
    let began = Instant::now();
    let stream = if upgraded {
        websocket(server, from, None).await
    } else {
        connect(server, from, None).await
    };
    let Ok(mut stream) = stream else { return began.elapsed() };
    let _ = stream.write_all(&said).await;
    ends_after(began, stream).await
}

/// So many a second, for a while: how long the server bore with each.
pub(crate) async fn throw_for(server: SocketAddr, from: u8, seconds: u32) -> Vec<Duration> {
    let mut thrown = JoinSet::new();
    let mut ticks = interval(Duration::from_secs(1) / RATE);
    for nth in 0..seconds * RATE {
        ticks.tick().await;
        thrown.spawn(throw(server, from, nth as usize));
    }
    thrown.join_all().await
}

#[tokio::test]
async fn of_every_kind_is_borne_for_a_while_at_most() {
    have_many_files();
    let server = Running::start(&mut anywhere());
    let victim = Victim::of(&server);
    let before = server.resident_bytes();
    let ended = throw_for(server.http(), 5, 5).await;
    let grown = server.most_resident_bytes().saturating_sub(before);
    victim.was_served_in_time("garbage");
    let longest = *ended.iter().max().unwrap();
    println!("garbage: {grown} bytes more, {longest:?}");
    assert!(grown < 16 << 20, "{grown} bytes");
    // A part of a message, and a close frame that is not answered.
    let most = limits::HANDSHAKE + limits::CLOSE + Duration::from_secs(3);
    assert!(longest < most, "{longest:?}");
}
