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
    /// Bytes that went in, less the least that the messages that came out can have taken. Zero means that
    /// none is inside: each message took at least so many.
    inside: usize,
}

impl Codec {
    /// A codec that has `already_read` inside.
    pub(super) fn new(max_message_bytes: usize, already_read: Vec<u8>) -> Self {
        let inside = already_read.len();
        let mut codec = Self { max_message_bytes, own: None, inside };
        if inside > 0 {
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
        let mut polled = Polled { wire, cx, read: 0 };
        let result = context.read(&mut polled);
        self.inside += polled.read;
        match result {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                if self.inside == 0 {
                    SPARE.set(Some(context));
                } else {
                    self.own = Some(context);
                }
                Poll::Pending
            }
            Ok(message) => {
                self.inside -= least_size(&message);
                self.own = Some(context);
                Poll::Ready(Ok(message))
            }
            Err(error) => {
                self.own = Some(context);
                Poll::Ready(Err(error))
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
        let _ = context.close(&mut Polled { wire, cx, read: 0 }, Some(frame));
        // Its state is this connection's now.
        self.inside += 1;
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

/// The fewest bytes that a message of a client's takes: one frame with a mask and the shortest length.
fn least_size(message: &Message) -> usize {
    let payload = match message {
        // The library shows another one where the client's was wrong. Nothing follows it anyway.
        Message::Close(_) => return 0,
        Message::Text(_)
        | Message::Binary(_)
        | Message::Ping(_)
        | Message::Pong(_)
        | Message::Frame(_) => message.len(),
    };
    payload
        + match payload {
            0..126 => 6,
            126..65_536 => 8,
            _ => 14,
        }
}

/// The wire as the library wants it: reads that would wait say so, writes never wait.
struct Polled<'a, 'b, S> {
    wire: &'a Wire<S>,
    cx: &'a mut Context<'b>,
    read: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Read for Polled<'_, '_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        match self.wire.poll_read(self.cx, &mut buffer) {
            Poll::Ready(Ok(())) => {
                let read = buffer.filled().len();
                self.read += read;
                Ok(read)
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
