//! One browser's connection after the handshake: texts in go to the session, what its outbox has goes out.
//!
//! While the socket takes nothing, nothing is read: whoever does not listen is not listened to, and cannot
//! make the server hold more than its outbox and a few batches. Who listens slowly is still heard.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::poll_fn;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::timeout,
};
use tokio_tungstenite::tungstenite::{
    Error, Message, Utf8Bytes, error::ProtocolError, protocol::CloseFrame,
};
use tokio_util::sync::CancellationToken;

use super::{
    codec::Codec,
    wire::{Stop, Wire},
};
use crate::{
    config::limits,
    hub::{Ending, Link, Outbox, Session, turn_is_full, turns},
    protocol::CloseCode,
    room::LeaveReason,
};

/// How many messages a client may have handled before others have their turn.
const TURN_MESSAGES: usize = 64;
/// How much may wait for the socket before a client that takes it slowly is not read from either.
const KEPT_BYTES: usize = 128 << 10;
/// How much of what a client still says is thrown away after its fault.
const THROWN_AWAY_BYTES: usize = 8 << 20;

/// Serves a connection until it ends, or `killed`; `already_read` is what came with the handshake.
///
/// Not an `async fn`: its arguments would stay beside what is made of them, for every connection.
pub fn run<S>(
    stream: S,
    already_read: Vec<u8>,
    session: Session,
    max_message_bytes: usize,
    killed: CancellationToken,
) -> impl Future<Output = ()> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let wire = Arc::new(Wire::new(stream));
    session.client().attach(Arc::clone(&wire) as Arc<dyn Link>);
    let codec = Codec::new(max_message_bytes, already_read);
    let mut connection = Connection { wire, codec, session, handled: 0, taken: 0 };
    async move {
        let parting = {
            let mut conversation = pin!(connection.converse());
            let mut killed = pin!(killed.cancelled());
            turns(poll_fn(|cx| match conversation.as_mut().poll(cx) {
                Poll::Pending => {
                    killed.as_mut().poll(cx).map(|()| Parting::Ended(Ending::GoingAway))
                }
                ended @ Poll::Ready(_) => ended,
            }))
            .await
        };
        let client_id = connection.session.client().id;
        tracing::debug!(%client_id, ?parting, "disconnected");
        // In a box, so that the many who are not leaving are smaller.
        Box::pin(connection.part(parting, killed)).await;
    }
}

struct Connection<S> {
    wire: Arc<Wire<S>>,
    codec: Codec,
    session: Session,
    /// Messages in this turn.
    handled: usize,
    /// What the socket had taken when something was last found to wait for it.
    taken: u64,
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
    /// First the seat, then the courtesies: those may take a while.
    async fn part(self, parting: Parting, killed: CancellationToken) {
        let Self { wire, codec, session, .. } = self;
        let client = Arc::clone(session.client());
        let reason = parting.leave_reason();
        turns(pin!(async move { session.end(reason) })).await;
        let goodbye = timeout(limits::CLOSE, say_goodbye(&wire, &client.outbox, codec, parting));
        let _ = killed.run_until_cancelled(goodbye).await;
    }

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

    /// The next message. Before the task waits for one, all that is due to the client is sent.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Parting>> {
        if self.wire.flow().pending {
            if let Poll::Ready(parting) = self.poll_send(cx) {
                return Poll::Ready(Err(parting));
            }
            let flow = self.wire.flow();
            let took = flow.taken != self.taken;
            if took {
                // A sign of life too: the answer to a ping may be long in coming.
                self.session.heard();
                self.taken = flow.taken;
            }
            if flow.pending && (!took || flow.kept > KEPT_BYTES) {
                return Poll::Pending;
            }
        }
        if self.handled == TURN_MESSAGES || turn_is_full() {
            cx.waker().wake_by_ref();
        } else if let Poll::Ready(read) = self.codec.poll_read(&self.wire, cx) {
            self.handled += 1;
            return Poll::Ready(read.map_err(Parting::from));
        }
        self.handled = 0;
        self.poll_send(cx).map(Err)
    }

    fn poll_send(&self, cx: &mut Context<'_>) -> Poll<Parting> {
        self.wire.poll_send(&self.session.client().outbox, cx).map(Parting::from)
    }
}

/// The closing handshake (RFC 6455, section 7), either way round.
async fn say_goodbye<S>(wire: &Wire<S>, outbox: &Outbox, mut codec: Codec, parting: Parting)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Whoever ends it: what is due goes out first, and nobody's flush finds anything after the close frame.
    outbox.end(Ending::GoingAway);
    if let Stop::Broken = poll_fn(|cx| wire.poll_send(outbox, cx)).await {
        return;
    }
    if let Some(code) = parting.close_code() {
        let reason = Utf8Bytes::from_static(code.reason());
        let frame = CloseFrame { code: (code as u16).into(), reason };
        codec.close(wire, frame);
    }
    if !matches!(parting, Parting::Fault(_)) {
        // The client's half of the handshake; whatever it says before that comes too late.
        while poll_fn(|cx| {
            let _ = wire.poll_flush(cx)?;
            codec.poll_read(wire, cx)
        })
        .await
        .is_ok()
        {}
    }
    if poll_fn(|cx| wire.poll_flush(cx)).await.is_err() {
        return;
    }
    let _ = poll_fn(|cx| wire.poll_shutdown(cx)).await;
    if let Parting::Fault(_) = parting {
        // What is left unread when a socket closes becomes a reset, which could overtake the close frame.
        let mut buffer = [0; 1024];
        let mut left = THROWN_AWAY_BYTES;
        while left > 0 {
            let read = poll_fn(|cx| {
                let mut buffer = ReadBuf::new(&mut buffer);
                wire.poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
            });
            match read.await {
                Ok(read) if read > 0 => left = left.saturating_sub(read),
                _ => return,
            }
        }
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

impl From<Stop> for Parting {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Ended(ending) => Self::Ended(ending),
            Stop::Broken => Self::Lost,
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
