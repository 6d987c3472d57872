//! One connection's socket, shared by its own task, which reads, and by everyone who writes to the client.
//!
//! Whoever writes holds the wire's lock for one system call that never waits. What the socket does not take
//! stays here, no more than a batch of 64 KiB, one message and some pongs; the connection's own task goes on
//! once it takes more.

use std::{
    cell::RefCell,
    fmt, io, mem,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, OpCode},
};

use super::{parting::Parting, round_trip::RoundTrip};
use crate::hub::{Due, Entry, Link, Outbox};

/// How much is given to the socket at once. More waits in the outbox, where it is counted.
const BATCH_BYTES: usize = 64 << 10;

/// How often a client is read from in one turn.
const TURN_READS: u32 = 4;

/// See the module.
pub(super) struct Wire<S>(Mutex<Inner<S>>);

struct Inner<S> {
    socket: Socket<S>,
    /// The connection's own task.
    owner: Waker,
}

struct Socket<S> {
    stream: S,
    /// What the stream did not take, if anything: an idle connection keeps no buffer.
    unsent: Option<Box<Unsent>>,
    /// Whether the stream took something that it may not have passed on, as TLS does.
    unflushed: bool,
    /// Bytes that the stream took in all, and whether any since [`Wire::flow`] last told.
    taken: u64,
    took: bool,
    /// Of the last ping.
    round_trip: RoundTrip,
    /// Whether the stream broke, whoever's flush found that out: what it was given then is lost.
    broken: bool,
}

/// Frames, but for the first, whole.
#[derive(Default)]
struct Unsent(Vec<u8>);

/// How a client reads what it is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    /// Whether anything still waits for the socket, be it a pong, or only that the socket passes it on.
    pub(super) pending: bool,
    /// Bytes that wait for the socket.
    pub(super) kept: usize,
    /// Whether the socket took anything since this was last asked.
    pub(super) took: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// The task that sends first becomes its own.
    pub(super) fn new(stream: S) -> Self {
        let socket = Socket {
            stream,
            unsent: None,
            unflushed: false,
            taken: 0,
            took: false,
            round_trip: RoundTrip::default(),
            broken: false,
        };
        Self(Mutex::new(Inner { socket, owner: Waker::noop().clone() }))
    }

    /// For the connection's own task: sends all that is due. Ready only when there is a reason to stop;
    /// pending, the task is woken when the socket takes more.
    pub(super) fn poll_send(&self, outbox: &Outbox, cx: &mut Context<'_>) -> Poll<Parting> {
        let mut inner = self.0.lock();
        if !inner.owner.will_wake(cx.waker()) {
            inner.owner = cx.waker().clone();
            outbox.owned_by(cx.waker());
        }
        inner.socket.poll_send(outbox, cx)
    }

    /// Sends what [`Wire::append`] left, and nothing from the outbox.
    pub(super) fn poll_flush(&self, outbox: &Outbox, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().socket.counted(outbox, |socket| socket.poll_flush(cx))
    }

    /// Puts a control frame behind what is unsent.
    pub(super) fn append(&self, control: Control, payload: &[u8]) {
        let unsent = &mut self.0.lock().socket.unsent;
        write_frame(&mut unsent.get_or_insert_default().0, control, payload);
    }

    /// How long the client took to answer the last ping, if this is the answer's payload and the first with it.
    pub(super) fn answered(&self, payload: &[u8]) -> Option<Duration> {
        self.0.lock().socket.round_trip.end(payload)
    }

    /// How the client reads what it is sent.
    pub(super) fn flow(&self) -> Flow {
        let Inner { socket, .. } = &mut *self.0.lock();
        let took = mem::take(&mut socket.took);
        let kept = socket.unsent.as_ref().map_or(0, |unsent| unsent.0.len());
        Flow { pending: socket.is_pending(), kept, took }
    }

    /// The reads of one turn, with nothing read yet.
    pub(super) fn reads<'a, 'w>(&'a self, cx: &'a mut Context<'w>) -> Reads<'a, 'w, S> {
        Reads { wire: self, cx, left: TURN_READS, bytes: 0 }
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().socket.stream).poll_read(cx, buffer)
    }

    pub(super) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().socket.stream).poll_shutdown(cx)
    }
}

/// The reads of one turn: after a few, others have theirs. A message may be long, and a frame be empty.
pub(super) struct Reads<'a, 'w, S> {
    wire: &'a Wire<S>,
    cx: &'a mut Context<'w>,
    left: u32,
    /// What came.
    pub(super) bytes: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reads<'_, '_, S> {
    #[inline]
    pub(super) fn poll(&mut self, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 {
            self.cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.left -= 1;
        let read = self.wire.poll_read(self.cx, room);
        // Nothing was in the room before.
        self.bytes += room.filled().len();
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Link for Wire<S> {
    fn flush(&self, outbox: &Outbox) {
        let Inner { socket, owner } = &mut *self.0.lock();
        // In the owner's name: it is the one to wake when the socket takes more.
        let stops = socket.poll_send(outbox, &mut Context::from_waker(owner)).is_ready();
        if stops || socket.is_pending() {
            outbox.summon();
        }
    }

    fn taken(&self) -> u64 {
        self.0.lock().socket.taken
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    fn poll_send(&mut self, outbox: &Outbox, cx: &mut Context<'_>) -> Poll<Parting> {
        if self.broken {
            return Poll::Ready(Parting::Lost);
        }
        let parting = ready!(self.counted(outbox, |socket| socket.poll_send_all(outbox, cx)));
        self.broken = parting == Parting::Lost;
        Poll::Ready(parting)
    }

    fn poll_send_all(&mut self, outbox: &Outbox, cx: &mut Context<'_>) -> Poll<Parting> {
        loop {
            if self.is_pending() {
                match self.poll_flush(cx) {
                    Poll::Ready(Ok(())) if outbox.acknowledge() => {}
                    Poll::Ready(Ok(())) => return Poll::Pending,
                    Poll::Ready(Err(_)) => return Poll::Ready(Parting::Lost),
                    Poll::Pending => {
                        let abandoned = outbox.abandoned().map(Parting::Ended);
                        return abandoned.map_or(Poll::Pending, Poll::Ready);
                    }
                }
            }
            let due = BATCH.with_borrow_mut(|batch| {
                let due = batch.fill(outbox);
                let ping = (due == Due::Send { ping: true }).then(|| self.round_trip.begin());
                let sent = self.send(batch.frames(ping), cx);
                batch.entries.clear();
                sent.map(|()| due)
            });
            match due {
                Ok(Due::Send { .. }) => {}
                Ok(Due::Nothing) => return Poll::Pending,
                Ok(Due::End(ending)) => return Poll::Ready(Parting::Ended(ending)),
                Err(_) => return Poll::Ready(Parting::Lost),
            }
        }
    }

    /// Gives a batch to a stream for which nothing waits, and keeps what it does not take.
    fn send(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let sent = match Pin::new(&mut self.stream).poll_write(cx, bytes) {
            Poll::Ready(sent) => sent?,
            Poll::Pending => 0,
        };
        self.count(sent);
        if sent < bytes.len() {
            self.unsent.get_or_insert_default().0.extend_from_slice(&bytes[sent..]);
        }
        self.unflushed = true;
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(unsent) = &mut self.unsent {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &unsent.0))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            unsent.0.drain(..sent);
            self.unsent.take_if(|unsent| unsent.0.is_empty());
            self.count(sent);
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    /// Does this, and says how many bytes the stream took.
    fn counted<T>(&mut self, outbox: &Outbox, send: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.taken;
        let sent = send(self);
        outbox.sent(self.taken - before);
        sent
    }

    fn count(&mut self, sent: usize) {
        self.taken += sent as u64;
        self.took |= sent > 0;
    }

    fn is_pending(&self) -> bool {
        self.unflushed || self.unsent.is_some()
    }
}

/// What is being sent on this thread: one buffer for all its connections.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

thread_local! {
    static BATCH: RefCell<Batch> = RefCell::default();
}

impl Batch {
    fn fill(&mut self, outbox: &Outbox) -> Due {
        // Those of a batch that panicked were for somebody else.
        self.entries.clear();
        outbox.take_due(&mut self.entries, BATCH_BYTES)
    }

    /// All that is to be sent, in one piece: a message alone, as most are, where it lies.
    fn frames(&mut self, ping: Option<[u8; 1]>) -> &[u8] {
        if let ([alone], None) = (&*self.entries, ping) {
            return alone.frame().as_bytes();
        }
        self.bytes.clear();
        // A list of a thousand members shall not stay for ever.
        self.bytes.shrink_to(2 * BATCH_BYTES);
        for entry in &self.entries {
            self.bytes.extend_from_slice(entry.frame().as_bytes());
        }
        if let Some(payload) = ping {
            write_frame(&mut self.bytes, Control::Ping, &payload);
        }
        &self.bytes
    }
}

/// A whole control frame as a server sends it: not masked (RFC 6455, section 5.1).
fn write_frame(bytes: &mut Vec<u8>, control: Control, payload: &[u8]) {
    let header = FrameHeader { opcode: OpCode::Control(control), ..FrameHeader::default() };
    header.format(payload.len() as u64, bytes).expect("a Vec takes everything");
    bytes.extend_from_slice(payload);
}

impl<S> fmt::Debug for Wire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    /// An Arc takes 16 more, and 128 is one of the allocator's sizes.
    #[test]
    fn an_idle_connections_socket_takes_128_bytes() {
        assert!(size_of::<Wire<TcpStream>>() <= 128 - 16);
    }
}
