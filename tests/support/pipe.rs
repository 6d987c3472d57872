//! Clients on pipes in memory: the whole way from frame to frame, and no system call.

#![allow(dead_code, unreachable_pub, reason = "each test and benchmark uses its own part")]

use std::sync::Arc;

use serde_json::Value;
use signalpost::{hub::Hub, ws};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};

/// A client that has joined a room.
#[derive(Debug)]
pub struct Pipe {
    /// The server's name for it.
    pub id: String,
    stream: DuplexStream,
}

impl Pipe {
    /// A new client in `room`.
    pub async fn join(hub: &Arc<Hub>, room: &str) -> Self {
        let (stream, served) = tokio::io::duplex(1 << 20);
        Self::join_over(hub, room, stream, served).await
    }

    /// A new client in `room`, its end of the connection `stream` and the server's `served`.
    pub async fn join_over<S>(hub: &Arc<Hub>, room: &str, stream: DuplexStream, served: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut pipe = Self::welcomed(hub, stream, served).await;
        pipe.say(&frame(&format!(r#"{{"type":"join","roomId":"{room}"}}"#))).await;
        pipe.hear().await;
        pipe
    }

    /// A new client in no room.
    pub async fn connect(hub: &Arc<Hub>) -> Self {
        let (stream, served) = tokio::io::duplex(1 << 20);
        Self::welcomed(hub, stream, served).await
    }

    async fn welcomed<S>(hub: &Arc<Hub>, stream: DuplexStream, served: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        serve(hub, served);
        let mut pipe = Self { id: String::new(), stream };
        let welcome: Value = serde_json::from_slice(&pipe.hear().await).expect("JSON");
        pipe.id = welcome["clientId"].as_str().expect("a string").to_owned();
        pipe
    }

    /// Sends whole frames.
    pub async fn say(&mut self, frames: &[u8]) {
        self.stream.write_all(frames).await.expect("the server reads");
    }

    /// The payload of the next frame.
    pub async fn hear(&mut self) -> Vec<u8> {
        let mut payload = vec![0; self.hear_header().await];
        self.stream.read_exact(&mut payload).await.expect("a frame");
        payload
    }

    /// Takes the next frame without a copy on the heap.
    pub async fn pass_over(&mut self) {
        let mut left = self.hear_header().await;
        let mut buffer = [0; 512];
        while left > 0 {
            let part = left.min(buffer.len());
            left -= self.stream.read(&mut buffer[..part]).await.expect("a frame");
        }
    }

    /// At most so many bytes of what comes, and how many.
    pub async fn hear_part(&mut self, most: usize) -> usize {
        self.stream.read(&mut vec![0; most]).await.expect("a pipe that ends")
    }

    /// All that still comes, as it comes, until the server hangs up.
    pub async fn hear_out(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).await.expect("a pipe that ends");
        bytes
    }

    async fn hear_header(&mut self) -> usize {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).await.expect("a frame");
        match head[1] {
            126 => usize::from(self.stream.read_u16().await.expect("a length")),
            127 => usize::try_from(self.stream.read_u64().await.expect("a length")).expect("small"),
            short => usize::from(short),
        }
    }
}

/// Serves a new client's connection.
pub fn serve<S>(hub: &Arc<Hub>, served: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let session =
        hub.connect(std::net::Ipv4Addr::LOCALHOST.into(), None).expect("the hub has room");
    tokio::spawn(ws::run(served, Vec::new(), session));
}

/// A text as a client sends it, masked with zeros.
pub fn frame(text: &str) -> Vec<u8> {
    let mut bytes = vec![0x81];
    match u16::try_from(text.len()) {
        Ok(short @ 0..126) => bytes.push(0x80 | short.to_le_bytes()[0]),
        Ok(middle) => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&middle.to_be_bytes());
        }
        Err(_) => {
            bytes.push(0xff);
            bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A trickled candidate of ordinary length (RFC 8838), 305 bytes as a message.
pub fn candidate(target: &str) -> String {
    let candidate = "candidate:842163049 1 udp 1677729535 203.0.113.7 54321 typ srflx raddr 192.168.1.10 \
        rport 54321 generation 0 ufrag bEnC network-cost 999";
    format!(
        r#"{{"type":"candidate","targetId":"{target}","candidate":{{"candidate":"{candidate}","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"bEnC5"}}}}"#
    )
}

/// An offer of ordinary length, 4.5 kB.
pub fn offer(target: &str) -> String {
    let line = r"a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 goog-remb\r\n";
    let sdp = format!(r"v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\n{}", line.repeat(88));
    format!(r#"{{"type":"offer","targetId":"{target}","sdp":{{"type":"offer","sdp":"{sdp}"}}}}"#)
}
