//! One browser's connection after the handshake: texts in go to the session, what its outbox has goes out.
//!
//! Writing goes before reading, and while the socket takes no more, nothing is read: whoever does not
//! listen is not listened to, and cannot make the server hold more than its outbox.

use std::task::{Context, Poll, ready};

use futures_util::{SinkExt, StreamExt, future::poll_fn};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Bytes, Error, Message, Utf8Bytes,
        error::ProtocolError,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

use crate::{
    config::limits,
    hub::{Due, Ending, Entry, Session},
    protocol::CloseCode,
    room::LeaveReason,
};

/// How much is given to the socket at once. More waits in the outbox, where it is counted.
const BATCH_BYTES: usize = 64 << 10;

/// Serves a connection until it ends; `already_read` is what came with the handshake.
pub async fn run<S>(stream: S, already_read: Vec<u8>, session: Session, max_message_bytes: usize)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(2 * BATCH_BYTES)
        .max_message_size(Some(max_message_bytes))
        .max_frame_size(Some(max_message_bytes));
    let role = Role::Server;
    let socket = WebSocketStream::from_partially_read(stream, already_read, role, Some(config));
    let socket = socket.await;
    let mut connection = Connection { socket, session, batch: Vec::new(), unflushed: false };
    let parting = connection.converse().await;

    let Connection { socket, session, .. } = connection;
    tracing::debug!(client_id = %session.client().id, ?parting, "disconnected");
    // First the seat, then the courtesies: those may take a while.
    session.end(parting.leave_reason());
    let _ = timeout(limits::CLOSE, say_goodbye(socket, parting)).await;
}

struct Connection<S> {
    socket: WebSocketStream<S>,
    session: Session,
    batch: Vec<Entry>,
    unflushed: bool,
}

/// How a connection ends.
#[derive(Debug)]
enum Parting {
    /// The client said goodbye.
    ClosedByClient,
    /// The client is gone without a word.
    Lost,
    /// The client broke a rule of the WebSocket protocol.
    Fault(CloseCode),
    /// The server wants it.
    Ended(Ending),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn converse(&mut self) -> Parting {
        loop {
            let received = match poll_fn(|cx| self.poll_turn(cx)).await {
                Ok(message) => message,
                Err(parting) => return parting,
            };
            self.session.heard();
            match received {
                Message::Text(text) => self.session.receive(&text).await,
                Message::Binary(_) => return Parting::Fault(CloseCode::Unsupported),
                Message::Close(_) => return Parting::ClosedByClient,
                // The library answers pings itself.
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Parting>> {
        if let Poll::Ready(parting) = self.poll_write(cx) {
            return Poll::Ready(Err(parting));
        }
        if self.unflushed {
            return Poll::Pending;
        }
        Poll::Ready(match ready!(self.socket.poll_next_unpin(cx)) {
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(error.into()),
            None => Err(Parting::Lost),
        })
    }

    /// Ready only if the connection is over.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Parting> {
        let outbox = &self.session.client().outbox;
        loop {
            if self.unflushed {
                match self.socket.poll_flush_unpin(cx) {
                    Poll::Ready(Ok(())) => outbox.acknowledge(),
                    Poll::Ready(Err(error)) => return Poll::Ready(error.into()),
                    Poll::Pending => return outbox.poll_abandoned(cx).map(Parting::Ended),
                }
                self.unflushed = false;
            }
            let ping = match ready!(outbox.poll_due(cx, &mut self.batch, BATCH_BYTES)) {
                Due::Send { ping } => ping,
                Due::End(ending) => return Poll::Ready(Parting::Ended(ending)),
            };
            // The library's buffer takes the whole batch; it was empty.
            let texts = self.batch.drain(..).map(|entry| Message::Text(entry.frame().into_utf8()));
            for message in texts.chain(ping.then(|| Message::Ping(Bytes::new()))) {
                if let Err(error) = self.socket.start_send_unpin(message) {
                    return Poll::Ready(error.into());
                }
            }
            self.unflushed = true;
        }
    }
}

/// The closing handshake (RFC 6455, section 7), either way round.
async fn say_goodbye<S>(mut socket: WebSocketStream<S>, parting: Parting)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some(code) = parting.close_code() {
        let reason = Utf8Bytes::from_static(code.reason());
        let _ = socket.close(Some(CloseFrame { code: (code as u16).into(), reason })).await;
    }
    while let Some(Ok(_)) = socket.next().await {}
    let stream = socket.get_mut();
    let _ = stream.shutdown().await;
    if let Parting::Fault(_) = parting {
        // What is left unread when a socket closes becomes a reset, which could overtake the close frame.
        let _ = tokio::io::copy(stream, &mut tokio::io::sink()).await;
    }
}

impl Parting {
    fn leave_reason(&self) -> LeaveReason {
        match self {
            Self::ClosedByClient | Self::Lost => LeaveReason::Disconnected,
            Self::Fault(_) => LeaveReason::ProtocolError,
            Self::Ended(ending) => ending.leave_reason(),
        }
    }

    fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::ClosedByClient | Self::Lost => None,
            Self::Fault(code) => Some(*code),
            Self::Ended(Ending::GoingAway) => Some(CloseCode::GoingAway),
            Self::Ended(Ending::HeartbeatTimeout) => Some(CloseCode::HeartbeatTimeout),
            Self::Ended(Ending::SlowConsumer) => Some(CloseCode::SlowConsumer),
        }
    }
}

impl From<Error> for Parting {
    fn from(error: Error) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum may grow")]
        match error {
            Error::Capacity(_) => Self::Fault(CloseCode::TooLarge),
            Error::Utf8(_) => Self::Fault(CloseCode::InvalidText),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Self::Lost,
            Error::Protocol(_) => Self::Fault(CloseCode::Protocol),
            _ => Self::Lost,
        }
    }
}
