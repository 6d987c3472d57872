//! What hostile peers do with their sockets. They come from addresses of their own: all of 127.0.0.0/8 is loopback
//! (RFC 6890).

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{pipe::frame, support::within};

const UPGRADE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// A long file of the client's.
pub(crate) const GET_LARGE: &[u8] = b"GET /protocol/room.js HTTP/1.1\r\nHost: x\r\n\r\n";
/// What a slow line takes.
pub(crate) const SLOW_BYTES_A_SECOND: usize = 100_000;

/// As many files as the process may open: these tests need a few thousand.
pub(crate) fn have_many_files() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
}

/// A connection from 127.0.0.`from`, which buffers `unread` bytes where that is given, or about twice as many.
pub(crate) async fn connect(
    server: SocketAddr,
    from: u8,
    unread: Option<u32>,
) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(bytes) = unread {
        socket.set_recv_buffer_size(bytes)?;
        // As on the way from anywhere else: loopback's segments of 64 KiB have the kernel buffer megabytes.
        SockRef::from(&socket).set_tcp_mss(1460)?;
    }
    socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into())?;
    socket.connect(server).await
}

/// A WebSocket that has read its answer's head, and nothing since. An error tells that the server did not take it.
pub(crate) async fn websocket(
    server: SocketAddr,
    from: u8,
    unread: Option<u32>,
) -> io::Result<TcpStream> {
    let mut stream = connect(server, from, unread).await?;
    stream.write_all(UPGRADE).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await?);
    }
    if head.starts_with(b"HTTP/1.1 101") {
        return Ok(stream);
    }
    Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()))
}

/// The same, which has asked to join `room`.
pub(crate) async fn member(
    server: SocketAddr,
    from: u8,
    unread: Option<u32>,
    room: &str,
) -> TcpStream {
    let mut stream = websocket(server, from, unread).await.unwrap();
    stream.write_all(&frame(&format!(r#"{{"type":"join","roomId":"{room}"}}"#))).await.unwrap();
    stream
}

/// All that comes until the server hangs up.
pub(crate) async fn hear_out(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut heard = Vec::new();
    // A reset is an end too.
    let _ = within(stream.read_to_end(&mut heard)).await;
    heard
}

/// What comes up to these words, and when they do, after `began`; or all, where they never come.
pub(crate) async fn hear_until(
    words: &str,
    began: Instant,
    mut stream: impl AsyncRead + Unpin,
) -> (Vec<u8>, Duration) {
    let mut heard = Vec::new();
    // They are the last words: a close frame's.
    while !heard.ends_with(words.as_bytes()) {
        match within(stream.read_buf(&mut heard)).await {
            Ok(1..) => {}
            _ => break,
        }
    }
    (heard, began.elapsed())
}

/// Reads as a slow line does, until the server hangs up.
pub(crate) async fn hear_slowly(mut stream: impl AsyncRead + Unpin) {
    const PARTS_A_SECOND: usize = 10;
    let mut parts = interval(Duration::from_secs(1) / PARTS_A_SECOND as u32);
    parts.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut part = vec![0; SLOW_BYTES_A_SECOND / PARTS_A_SECOND];
    while stream.read_exact(&mut part).await.is_ok() {
        parts.tick().await;
    }
}

/// When the server hangs up, after `began`.
pub(crate) async fn ends_after(began: Instant, stream: impl AsyncRead + Unpin) -> Duration {
    hear_out(stream).await;
    began.elapsed()
}

/// How often it says so.
pub(crate) fn count(heard: &[u8], what: &str) -> usize {
    String::from_utf8_lossy(heard).matches(what).count()
}
