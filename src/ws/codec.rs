//! Reads messages from a wire. The library's codec, with its buffer, belongs to the thread; a connection
//! has one of its own only while part of a message is inside, so an idle one has none.

use std::{
    cell::RefCell,
    io::{self, Read, Write},
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext},
};

use super::wire::Wire;

/// The most that is read at once. The library zeroes as much before each read.
const READ_BYTES: usize = 8 << 10;

thread_local! {
    static SPARE: RefCell<Option<Box<WebSocketContext>>> = const { RefCell::new(None) };
}

/// See the module.
#[derive(Debug)]
pub(super) struct Codec {
    max_message_bytes: usize,
    own: Option<Box<WebSocketContext>>,
    reached: Position,
    /// Whether either side said goodbye: from then on the codec has a state that no other may find.
    closing: bool,
}

impl Codec {
    /// A codec that has `already_read` inside.
    pub(super) fn new(max_message_bytes: usize, already_read: Vec<u8>) -> Self {
        let mut codec =
            Self { max_message_bytes, own: None, reached: Position::default(), closing: false };
        if !already_read.is_empty() {
            codec.reached.pass(&already_read);
            let config = Some(config());
            let context = WebSocketContext::from_partially_read(already_read, Role::Server, config);
            codec.own = Some(codec.configured(Box::new(context)));
        }
        codec
    }

    /// The next message. Replies to pings and closes are put on the wire, to be sent with what is due.
    pub(super) fn poll_read<S>(
        &mut self,
        wire: &Wire<S>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Message, Error>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut context = self.own.take().unwrap_or_else(|| self.borrowed());
        let result = context.read(&mut Polled { wire, cx, reached: &mut self.reached });
        match result {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                // It asks for more only when all whole messages have come out.
                if self.reached.is_between_messages() && !self.closing {
                    SPARE.set(Some(context));
                } else {
                    self.own = Some(context);
                }
                Poll::Pending
            }
            result => {
                self.closing |= matches!(result, Ok(Message::Close(_)));
                self.own = Some(context);
                Poll::Ready(result)
            }
        }
    }

    /// Puts a close frame on the wire; from now on, reading waits for the client's.
    pub(super) fn close<S>(&mut self, wire: &Wire<S>, frame: CloseFrame)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut context = self.own.take().unwrap_or_else(|| self.borrowed());
        let cx = &mut Context::from_waker(Waker::noop());
        // It fails only where the client said goodbye first.
        let _ = context.close(&mut Polled { wire, cx, reached: &mut self.reached }, Some(frame));
        self.closing = true;
        self.own = Some(context);
    }

    fn borrowed(&self) -> Box<WebSocketContext> {
        let new = || Box::new(WebSocketContext::new(Role::Server, Some(config())));
        self.configured(SPARE.take().unwrap_or_else(new))
    }

    fn configured(&self, mut context: Box<WebSocketContext>) -> Box<WebSocketContext> {
        context.set_config(|config| {
            config.max_message_size = Some(self.max_message_bytes);
            config.max_frame_size = Some(self.max_message_bytes);
        });
        context
    }
}

/// What it writes, replies to pings and closes, goes straight to the wire.
fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(READ_BYTES).write_buffer_size(0)
}

/// Where in the client's frames (RFC 6455, section 5.2) the bytes end that were read. The library does not tell.
#[derive(Debug, Default)]
struct Position {
    /// How much of a frame's head, up to its length, was read; zero behind a whole one.
    head: u8,
    head_size: u8,
    /// How much of the frame is to come behind its head: its mask and its payload.
    left: u64,
    /// Whether more fragments of a message are to come.
    in_fragments: bool,
}

/// The library takes no frame of a client's without one.
const MASK_SIZE: u64 = 4;

impl Position {
    fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.head == 0 && self.left > 0 {
                let passed = bytes.len().min(self.left.try_into().unwrap_or(usize::MAX));
                self.left -= passed as u64;
                bytes = &bytes[passed..];
            } else {
                self.pass_head(byte);
                bytes = rest;
            }
        }
    }

    fn pass_head(&mut self, byte: u8) {
        match self.head {
            0 => {
                let is_control = byte & 0x08 != 0;
                if !is_control {
                    self.in_fragments = byte & 0x80 == 0;
                }
                self.head = 1;
                return;
            }
            1 => {
                (self.left, self.head_size) = match byte & 0x7f {
                    126 => (0, 4),
                    127 => (0, 10),
                    length => (length.into(), 2),
                };
            }
            _ => self.left = self.left << 8 | u64::from(byte),
        }
        self.head += 1;
        if self.head == self.head_size {
            self.head = 0;
            self.left = self.left.saturating_add(MASK_SIZE);
        }
    }

    fn is_between_messages(&self) -> bool {
        self.head == 0 && self.left == 0 && !self.in_fragments
    }
}

/// The wire as the library wants it: reads that would wait say so, writes never wait.
struct Polled<'a, 'b, S> {
    wire: &'a Wire<S>,
    cx: &'a mut Context<'b>,
    reached: &'a mut Position,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Read for Polled<'_, '_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        match self.wire.poll_read(self.cx, &mut buffer) {
            Poll::Ready(Ok(())) => {
                self.reached.pass(buffer.filled());
                Ok(buffer.filled().len())
            }
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Write for Polled<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wire.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::poll_fn};
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const PING: &[u8] = &[0x89, 0x80, 0, 0, 0, 0];

    /// A connection's codec, what it reads from, and the client's end.
    struct Ends(Codec, Wire<DuplexStream>, DuplexStream);

    impl Ends {
        fn new() -> Self {
            let (served, client) = duplex(1 << 20);
            Self(Codec::new(1 << 18, Vec::new()), Wire::new(served), client)
        }

        /// How many messages come out when `bytes` went in, and whether the connection then has a codec.
        fn read(&mut self, bytes: &[u8]) -> (usize, bool) {
            let Self(codec, wire, client) = self;
            client.write_all(bytes).now_or_never().expect("space").expect("an open pipe");
            let mut messages = 0;
            while let Some(read) = poll_fn(|cx| codec.poll_read(wire, cx)).now_or_never() {
                read.expect("a message");
                messages += 1;
            }
            (messages, codec.own.is_some())
        }
    }

    /// A client's frame, masked with zeros, its length as these bytes.
    fn frame(first: u8, length: &[u8], payload: &str) -> Vec<u8> {
        [&[first, 0x80 | length[0]], &length[1..], &[0; 4], payload.as_bytes()].concat()
    }

    #[test]
    fn whatever_form_a_message_had_an_idle_connection_has_no_codec() {
        let mut ends = Ends::new();
        let fragments =
            [&frame(0x01, &[1], "{")[..], PING, &frame(0x00, &[0], ""), &frame(0x80, &[1], "}")];
        for (what, frames, messages) in [
            ("a short text", frame(0x81, &[2], "{}"), 1),
            ("a longer text", frame(0x81, &[126, 1, 44], &"x".repeat(300)), 1),
            ("fragments with a ping between", fragments.concat(), 2),
            ("2 bytes of length for 1", frame(0x81, &[126, 0, 2], "{}"), 1),
            ("8 bytes of length for 1", frame(0x81, &[127, 0, 0, 0, 0, 0, 0, 0, 2], "{}"), 1),
        ] {
            assert_eq!(ends.read(&frames), (messages, false), "{what}");
            let (last, others) = frames.split_last().expect("bytes");
            let mut came = 0;
            for (nth, byte) in others.iter().enumerate() {
                let (messages, owns) = ends.read(&[*byte]);
                assert!(owns, "{what}, after byte {nth}");
                came += messages;
            }
            assert_eq!(ends.read(&[*last]), (messages - came, false), "{what}, byte by byte");
        }
    }

    #[test]
    fn a_codec_that_said_goodbye_is_nobody_elses() {
        let mut ends = Ends::new();
        ends.0.close(&ends.1, CloseFrame { code: 1001.into(), reason: "".into() });
        assert_eq!(ends.read(&frame(0x81, &[2], "{}")), (1, true));
    }
}
