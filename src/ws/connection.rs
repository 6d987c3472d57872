//! One browser's connection after the handshake: texts in go to the session, what its outbox has goes out.
//!
//! While the socket takes nothing, nothing is read: whoever does not listen is not listened to, and cannot
//! make the server hold more than its outbox and a few batches. Who listens slowly is still heard.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::coop::{consume_budget, unconstrained},
    time::timeout,
};
use tokio_tungstenite::tungstenite::protocol::frame::coding::Control;

use super::{
    parting::Parting,
    reader::{Incoming, Reader},
    wire::{Reads, Wire},
};
use crate::{
    config::limits,
    hub::{Ending, Link, Outbox, Session, Wish, beside_turns, turn_takes_another, turns},
};

/// How much may wait for the socket before a client that takes it slowly is not read from either.
const KEPT_BYTES: usize = 128 << 10;
/// How much of what a client still says is thrown away at its end.
const THROWN_AWAY_BYTES: usize = 8 << 20;

/// Serves a connection until it ends; `already_read` is what came with the handshake.
///
/// Not an `async fn`: its arguments would stay beside what is made of them, for every connection.
pub fn run<S>(
    stream: S,
    already_read: Vec<u8>,
    mut session: Session,
) -> impl Future<Output = ()> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    session.heard(already_read.len(), 0);
    let wire = Arc::new(Wire::new(stream));
    session.client().attach(Arc::clone(&wire) as Arc<dyn Link>);
    // So that its first poll makes the task the outbox's owner, whatever is due by then.
    session.client().outbox.summon();
    let reader = Reader::new(already_read);
    let mut connection = Connection { wire, reader, session };
    async move {
        // Turns have bounds of their own, and what one sends to many is not held against whose turn it is.
        let parting = unconstrained(turns(pin!(connection.converse()))).await;
        connection.session.parts(parting.closing());
        let client_id = connection.session.client().id;
        tracing::debug!(%client_id, ?parting, "disconnected");
        // In a box, so that the many who are not leaving are smaller.
        beside_turns(Box::pin(connection.part(parting))).await;
    }
}

struct Connection<S> {
    wire: Arc<Wire<S>>,
    reader: Reader,
    session: Session,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn converse(&mut self) -> Parting {
        loop {
            match poll_fn(|cx| self.poll_turn(cx)).await {
                Ok(wish) => {
                    let Self { wire, reader, session } = self;
                    reader.rest();
                    let meanwhile = |session: &mut Session, cx: &mut Context<'_>| {
                        poll_end(wire, reader, session, cx)
                    };
                    // In a box: room for a wish would be part of every connection, and most of them are idle.
                    let carried_out = Box::pin(session.carry_out_beside(wish, meanwhile)).await;
                    if let Err(parting) = carried_out {
                        return parting;
                    }
                }
                Err(parting) => return parting,
            }
        }
    }

    /// Handles what the client says, up to a wish, which may have to be waited for.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<Wish>, Parting>> {
        let Self { wire, reader, session } = self;
        if let Some(parting) = ready!(poll_send(wire, session, cx)) {
            return Poll::Ready(Err(parting));
        }
        let may_speak = session.may_speak();
        if !may_speak && !session.client().is_held() {
            return Poll::Pending;
        }
        if !may_speak {
            return poll_lost(wire, reader, session, cx).map(Err);
        }
        let mut reads = wire.reads(cx);
        let listened = listen(wire, reader, session, &mut reads);
        let bytes = reads.bytes;
        if listened.is_ready() {
            reader.rest();
        }
        session.heard(bytes, reader.kept_bytes());
        match listened {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(end)) => Poll::Ready(end),
            Poll::Ready(None) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    /// First the seat, then the courtesies: those may take a while.
    async fn part(self, parting: Parting) {
        let Self { wire, mut reader, session } = self;
        reader.rest();
        // Who is in the middle of a message would have to finish it before it can answer a close frame: nothing is kept
        // for that.
        let reader = Some(reader).filter(|reader| reader.kept_bytes() == 0);
        let client = Arc::clone(session.client());
        let (most, killed) = (session.max_message_bytes(), session.killed().clone());
        let reason = parting.leave_reason();
        turns(pin!(async move { session.end(reason) })).await;
        let goodbye =
            timeout(limits::CLOSE, say_goodbye(&wire, &client.outbox, reader, most, parting));
        let _ = killed.run_until_cancelled(goodbye).await;
    }
}

/// Sends what is due. Ready with nothing where the client may be read from; pending where it takes too slowly.
fn poll_send<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &Wire<S>,
    session: &Session,
    cx: &mut Context<'_>,
) -> Poll<Option<Parting>> {
    let outbox = &session.client().outbox;
    if outbox.was_summoned() {
        if let Poll::Ready(parting) = wire.poll_send(outbox, cx) {
            return Poll::Ready(Some(parting));
        }
        let flow = wire.flow();
        if flow.pending {
            // Once the socket takes more.
            outbox.summon_quietly();
            if flow.took {
                // A sign of life too: the answer to a ping may be long in coming.
                session.is_alive();
            }
            if !flow.took || flow.kept > KEPT_BYTES {
                return Poll::Pending;
            }
        }
    }
    Poll::Ready(None)
}

/// Reads ahead a little of what may not be handled yet: ready where the client is gone.
fn poll_lost<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &Wire<S>,
    reader: &mut Reader,
    session: &mut Session,
    cx: &mut Context<'_>,
) -> Poll<Parting> {
    let mut reads = wire.reads(cx);
    let lost = reader.poll_lost(|room| reads.poll(room));
    let bytes = reads.bytes;
    session.read_ahead(bytes, reader.kept_bytes());
    lost
}

/// The connection's end, while a wish has to be waited for: what is due to the client is sent nevertheless.
fn poll_end<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &Wire<S>,
    reader: &mut Reader,
    session: &mut Session,
    cx: &mut Context<'_>,
) -> Poll<Parting> {
    match ready!(poll_send(wire, session, cx)) {
        Some(parting) => Poll::Ready(parting),
        None => poll_lost(wire, reader, session, cx),
    }
}

/// Pending where nothing more comes for now; ready with nothing where that is to be seen in another turn.
fn listen<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &Wire<S>,
    reader: &mut Reader,
    session: &mut Session,
    reads: &mut Reads<'_, '_, S>,
) -> Poll<Option<Result<Box<Wish>, Parting>>> {
    let most = session.max_message_bytes();
    while turn_takes_another() {
        let said = match ready!(reader.poll_next(most, |room| reads.poll(room))) {
            Ok(said) => said,
            Err(parting) => return Poll::Ready(Some(Err(parting))),
        };
        let allowed_more = session.count_message();
        match said {
            Incoming::Text(text) => {
                let wish = session.receive(text);
                if let Some(wish) = wish.and_then(|wish| session.carry_out_at_once(wish)) {
                    return Poll::Ready(Some(Ok(wish)));
                }
            }
            Incoming::Ping(payload) => {
                wire.append(Control::Pong, payload);
                session.client().outbox.summon();
            }
            Incoming::Pong(payload) => {
                if let Some(round_trip) = wire.answered(payload) {
                    session.client().answered(round_trip);
                }
            }
            Incoming::Close(code) => {
                return Poll::Ready(Some(Err(Parting::ClosedByClient(code))));
            }
        }
        if !allowed_more {
            break;
        }
    }
    Poll::Ready(None)
}

/// The closing handshake (RFC 6455, section 7), either way round.
async fn say_goodbye<S>(
    wire: &Wire<S>,
    outbox: &Outbox,
    mut reader: Option<Reader>,
    max_message_bytes: usize,
    parting: Parting,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let in_a_message = reader.is_none();
    // Whoever ends it: what is due goes out first, and nobody's flush finds anything after the close frame.
    outbox.end(Ending::GoingAway);
    if let Parting::Lost = poll_fn(|cx| wire.poll_send(outbox, cx)).await {
        return;
    }
    if let Some(payload) = parting.close_payload() {
        wire.append(Control::Close, &payload);
    }
    if let (Parting::Ended(_), Some(reader)) = (parting, &mut reader) {
        // The client's half of the handshake; whatever it says before that comes too late.
        let mut left = THROWN_AWAY_BYTES;
        let mut waits = true;
        while waits && left > 0 {
            let said = poll_fn(|cx| {
                let _ = wire.poll_flush(outbox, cx)?;
                let mut reads = wire.reads(cx);
                let said = reader.poll_next(max_message_bytes, |room| reads.poll(room));
                left = left.saturating_sub(reads.bytes);
                said.map_ok(|said| matches!(said, Incoming::Close(_)))
            });
            waits = said.await == Ok(false);
            consume_budget().await;
        }
    }
    drop(reader);
    if poll_fn(|cx| wire.poll_flush(outbox, cx)).await.is_err() {
        return;
    }
    let _ = poll_fn(|cx| wire.poll_shutdown(cx)).await;
    if matches!(parting, Parting::Fault(_)) || in_a_message && matches!(parting, Parting::Ended(_))
    {
        // In a box, since it has room for what it reads.
        Box::pin(throw_away(wire)).await;
    }
}

/// Reads what a client still says: unread, it would make a reset of the end, which could overtake the close frame.
async fn throw_away<S: AsyncRead + AsyncWrite + Unpin>(wire: &Wire<S>) {
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
