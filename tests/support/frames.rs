//! What a client sends, read by our reader and by the library's: both must find the same.

#![allow(dead_code, unreachable_pub, reason = "each test and fuzz target uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test panics where it fails"
)]

use std::{
    io::{self, Cursor, Read, Write},
    task::Poll,
};

use signalpost::ws::{Incoming, Parting, Reader};
use tokio_tungstenite::tungstenite::{
    Error, Message, WebSocket,
    error::ProtocolError,
    protocol::{Role, WebSocketConfig},
};

/// What was found, up to the first goodbye or fault.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
    Fault(u16),
    End,
}

const UNSUPPORTED: u16 = 1003;

/// The longest message allowed, how many bytes come at once (0: all), and the bytes.
pub fn from_fuzzer(data: &[u8]) -> Option<(usize, usize, &[u8])> {
    let ([limit, cut], bytes) = data.split_first_chunk()?;
    Some((usize::from(*limit) * 4, usize::from(*cut), bytes))
}

pub fn agree(max_message_bytes: usize, cut: usize, bytes: &[u8]) {
    let ours = ours(max_message_bytes, cut, bytes);
    let mut bytes = bytes.to_vec();
    let fault = match ours.last() {
        Some(Seen::Fault(code)) => Some(*code),
        _ => None,
    };
    if fault.is_some() {
        // We refuse a frame by its head, the library when it is whole.
        bytes.resize(bytes.len() + max_message_bytes + 14, 0);
    }
    let mut librarys = librarys(max_message_bytes, bytes);
    if fault == Some(UNSUPPORTED) {
        // The library collects the fragments of a binary message, and goes on meanwhile.
        librarys.truncate(ours.len() - 1);
        librarys.push(Seen::Fault(UNSUPPORTED));
    }
    assert_eq!(ours, librarys, "at most {max_message_bytes} bytes, {cut} at once");
}

fn ours(max_message_bytes: usize, cut: usize, bytes: &[u8]) -> Vec<Seen> {
    let mut reader = Reader::new(Vec::new());
    let mut left = bytes;
    let mut waits = false;
    let mut seen = Vec::new();
    loop {
        let next = reader.poll_next(max_message_bytes, |room| {
            waits = !waits && cut > 0 && !left.is_empty();
            if waits {
                return Poll::Pending;
            }
            let most = if cut == 0 { usize::MAX } else { cut };
            let (now, later) = left.split_at(most.min(left.len()).min(room.remaining()));
            room.put_slice(now);
            left = later;
            Poll::Ready(Ok(()))
        });
        let Poll::Ready(next) = next else { continue };
        let next = match next {
            Ok(Incoming::Text(text)) => Seen::Text(text.to_owned()),
            Ok(Incoming::Ping(payload)) => Seen::Ping(payload.to_vec()),
            Ok(Incoming::Pong(payload)) => Seen::Pong(payload.to_vec()),
            Ok(Incoming::Close(code)) => Seen::Close(code),
            Err(Parting::Fault(code)) => Seen::Fault(code as u16),
            Err(Parting::Lost) => Seen::End,
            Err(other) => panic!("{other:?}"),
        };
        let is_last = matches!(next, Seen::Close(_) | Seen::Fault(_) | Seen::End);
        seen.push(next);
        if is_last {
            return seen;
        }
        // A turn may end behind any message.
        if cut % 2 == 1 {
            reader.rest();
        }
    }
}

fn librarys(max_message_bytes: usize, bytes: Vec<u8>) -> Vec<Seen> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(max_message_bytes))
        .max_frame_size(Some(max_message_bytes));
    let stream = OneWay(Cursor::new(bytes));
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
    let mut seen = Vec::new();
    loop {
        let next = match socket.read() {
            Ok(Message::Text(text)) => Seen::Text(text.to_string()),
            Ok(Message::Ping(payload)) => Seen::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Seen::Pong(payload.to_vec()),
            Ok(Message::Close(frame)) => Seen::Close(frame.map(|frame| frame.code.into())),
            Ok(_) => Seen::Fault(UNSUPPORTED),
            Err(Error::Capacity(_)) => Seen::Fault(1009),
            Err(Error::Utf8(_)) => Seen::Fault(1007),
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Seen::End,
            Err(Error::Protocol(_)) => Seen::Fault(1002),
            Err(error) => panic!("{error}"),
        };
        let is_last = matches!(next, Seen::Close(_) | Seen::Fault(_) | Seen::End);
        seen.push(next);
        if is_last {
            return seen;
        }
    }
}

/// Answers go nowhere.
struct OneWay(Cursor<Vec<u8>>);

impl Read for OneWay {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for OneWay {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
