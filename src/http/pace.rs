//! Deadlines of a connection while it speaks HTTP, by its progress: bytes that arrive or are taken are life,
//! standing still is not.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::config::limits;

/// How one connection goes on. Shared by its stream, which sees the bytes, and its service, which sees the requests.
#[derive(Debug)]
pub(super) struct Pace {
    state: Mutex<State>,
    /// Told when a deadline may have come nearer.
    nearer: Notify,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// Bytes taken of the answer, and when the last ones were.
    taken: usize,
    moved: Instant,
    /// How long an answer may stand still.
    patience: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was said yet.
    New,
    /// Between two requests.
    Idle,
    /// A request's head has begun.
    Head,
    /// A request is being answered.
    Answer,
    /// The answer is ready, and on its way.
    Answered,
    /// The answer makes it a WebSocket.
    Upgrade,
}

impl Pace {
    pub(super) fn new() -> Arc<Self> {
        let now = Instant::now();
        let patience = limits::HANDSHAKE;
        let state = State { phase: Phase::New, since: now, taken: 0, moved: now, patience };
        Arc::new(Self { state: Mutex::new(state), nearer: Notify::new() })
    }

    /// A whole head has come.
    pub(super) fn begin_answer(&self) {
        self.enter(Phase::Answer);
    }

    /// Its answer can be sent.
    pub(super) fn answered(&self) {
        let mut state = self.state.lock();
        if state.phase == Phase::Answer {
            state.phase = Phase::Answered;
        }
    }

    /// Its answer makes the connection a WebSocket.
    pub(super) fn upgrade(&self) {
        self.enter(Phase::Upgrade);
    }

    /// From now on, who does not take an answer is not waited for.
    pub(super) fn hurry(&self) {
        self.state.lock().patience = limits::REFUSAL;
        self.nearer.notify_one();
    }

    /// Done when the connection has stood still for too long.
    pub(super) async fn overdue(&self) {
        loop {
            let deadline = self.state.lock().deadline();
            tokio::select! {
                () = sleep_until(deadline) => {}
                () = self.nearer.notified() => {}
            }
            if self.state.lock().deadline() <= Instant::now() {
                return;
            }
        }
    }

    fn enter(&self, phase: Phase) {
        let now = Instant::now();
        let mut state = self.state.lock();
        (state.phase, state.since, state.moved, state.taken) = (phase, now, now, 0);
        drop(state);
        self.nearer.notify_one();
    }

    fn read(&self) {
        if matches!(self.state.lock().phase, Phase::New | Phase::Idle) {
            self.enter(Phase::Head);
        }
    }

    fn took(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.taken += bytes;
        state.moved = Instant::now();
    }

    /// Returns whether an answer has been taken to its end.
    fn flushed(&self) -> bool {
        let state = self.state.lock();
        let done = state.phase == Phase::Answered && state.taken > 0;
        drop(state);
        if done {
            self.enter(Phase::Idle);
        }
        done
    }
}

impl State {
    fn deadline(&self) -> Instant {
        match self.phase {
            Phase::New | Phase::Head | Phase::Upgrade => self.since + limits::HANDSHAKE,
            Phase::Idle => self.since + limits::HTTP_IDLE,
            Phase::Answer | Phase::Answered => {
                let earned = self.taken / limits::MESSAGE_BYTES_A_SECOND;
                let slowest = self.since + self.patience + Duration::from_secs(earned as u64);
                slowest.min(self.moved + self.patience)
            }
        }
    }
}

/// A stream that tells how it goes on.
#[derive(Debug)]
pub(super) struct Paced<S, F> {
    pub(super) stream: S,
    pub(super) pace: Arc<Pace>,
    /// Called when an answer has been taken to its end.
    pub(super) on_rest: F,
}

impl<S: AsyncRead + Unpin, F: Unpin> AsyncRead for Paced<S, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.pace.read();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin, F: Fn() + Unpin> AsyncWrite for Paced<S, F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.pace.took(taken);
        Poll::Ready(Ok(taken))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.pace.took(taken);
        Poll::Ready(Ok(taken))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.pace.flushed() {
            (self.on_rest)();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
