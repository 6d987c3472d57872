//! An administrator's connection: its place among the others, its deadlines, and what its calls take together.

use std::{
    collections::BTreeMap,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};
use tonic::transport::server::Connected;

use super::quota::{Quota, Share};
use crate::config::limits;

/// What a client of HTTP/2 sends first (RFC 9113, section 3.4). Pings are answered or not from then on.
const PREFACE_BYTES: usize = 24;

/// See the module. It fails where the caller says nothing at first, or leaves an answer lying.
#[derive(Debug)]
pub(super) struct Line<S> {
    stream: S,
    caller: Arc<Caller>,
    preface_left: usize,
    timer: Pin<Box<Sleep>>,
    _place: Share,
}

/// What the calls on one connection share.
#[derive(Debug)]
pub(super) struct Caller {
    /// Streams that stand open.
    pub(super) standing: Arc<Quota>,
    /// The one other call that is never refused for those on other connections.
    pub(super) first: Arc<Quota>,
    /// Bytes of requests.
    pub(super) bytes: Arc<Quota>,
    answers: Mutex<Answers>,
}

/// Since when each answer waits to be taken, the oldest first.
#[derive(Debug, Default)]
struct Answers {
    begun: u64,
    waiting: BTreeMap<u64, Instant>,
}

/// An answer on its way, until it is dropped.
#[derive(Debug)]
pub(super) struct Answer {
    caller: Arc<Caller>,
    nth: u64,
}

impl<S> Line<S> {
    /// `place` is its place among all connections, and `bytes` what its requests may take.
    pub(super) fn new(stream: S, place: Share, bytes: usize) -> Self {
        let caller = Caller {
            standing: Quota::new(limits::ADMIN_STREAMS / 2),
            first: Quota::new(1),
            bytes: Quota::new(bytes),
            answers: Mutex::default(),
        };
        Self {
            stream,
            caller: Arc::new(caller),
            preface_left: PREFACE_BYTES,
            timer: Box::pin(sleep(limits::HANDSHAKE)),
            _place: place,
        }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.preface_left > 0 || self.caller.has_overdue_answer() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(Instant::now() + limits::ADMIN_ANSWER / 4);
        }
        Ok(())
    }
}

impl Caller {
    /// An answer begins, and is to be taken in time.
    pub(super) fn answer(self: &Arc<Self>) -> Answer {
        let mut answers = self.answers.lock();
        answers.begun += 1;
        let nth = answers.begun;
        answers.waiting.insert(nth, Instant::now());
        Answer { caller: Arc::clone(self), nth }
    }

    fn has_overdue_answer(&self) -> bool {
        let answers = self.answers.lock();
        let oldest = answers.waiting.first_key_value();
        oldest.is_some_and(|(_, since)| since.elapsed() > limits::ADMIN_ANSWER)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.caller.answers.lock().waiting.remove(&self.nth);
    }
}

impl<S> Connected for Line<S> {
    type ConnectInfo = Arc<Caller>;

    fn connect_info(&self) -> Arc<Caller> {
        Arc::clone(&self.caller)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let arrived = buffer.filled().len() - before;
        self.preface_left = self.preface_left.saturating_sub(arrived);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
