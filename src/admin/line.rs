//! An administrator's connection: its place among the others, its deadlines, and what its calls take together.

use std::{
    collections::BTreeMap,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};
use tonic::transport::server::Connected;

use super::{
    quota::{Quota, Share},
    subject::{Peer, Subject},
};
use crate::config::limits;

/// What a client of HTTP/2 sends first (RFC 9113, section 3.4). Pings are answered or not from then on. Whoever says
/// anything else speaks HTTP/1, and has one answer.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the head of an HTTP/1 request ends with (RFC 9112, section 2.1).
const HEAD_END: u32 = u32::from_be_bytes(*b"\r\n\r\n");

/// See the module. It fails where the caller does not say at first what it wants, or leaves an answer lying.
#[derive(Debug)]
pub(super) struct Line<S> {
    stream: S,
    caller: Arc<Caller>,
    /// How many bytes came.
    heard: usize,
    is_http1: bool,
    /// The last four of them.
    last: u32,
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
    /// Whom its certificate names, once anything was read.
    subject: OnceLock<Option<Subject>>,
    /// Calls of which nobody knows who made them.
    failures: AtomicUsize,
    answers: Mutex<Answers>,
    /// Since when the only answer on a connection of HTTP/1 is due: that ends when it was taken.
    only: OnceLock<Instant>,
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
            subject: OnceLock::new(),
            failures: AtomicUsize::new(0),
            answers: Mutex::default(),
            only: OnceLock::new(),
        };
        Self {
            stream,
            caller: Arc::new(caller),
            heard: 0,
            is_http1: false,
            last: 0,
            timer: Box::pin(sleep(limits::HANDSHAKE)),
            _place: place,
        }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.timer.as_mut().poll(cx).is_ready() {
            if !self.has_begun() || self.caller.has_overdue_answer() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(Instant::now() + limits::ADMIN_ANSWER / 4);
        }
        Ok(())
    }

    /// Whether the preface has come, or a request's whole head.
    fn has_begun(&self) -> bool {
        if self.is_http1 { self.caller.only.get().is_some() } else { self.heard >= PREFACE.len() }
    }

    fn hear(&mut self, bytes: &[u8]) -> io::Result<()> {
        let preface = PREFACE.get(self.heard..).unwrap_or_default();
        self.is_http1 |= preface.iter().zip(bytes).any(|(expected, byte)| expected != byte);
        self.heard = self.heard.saturating_add(bytes.len());
        self.last = bytes.iter().fold(self.last, |last, byte| last << 8 | u32::from(*byte));
        if self.is_http1 && self.heard > limits::ADMIN_HEADER_BYTES as usize {
            return Err(io::ErrorKind::InvalidData.into());
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

    /// An answer begins after which there is no other.
    pub(super) fn answers_once(&self) {
        self.only.get_or_init(Instant::now);
    }

    /// Whom the certificate names that the connection came with.
    pub(super) fn subject(&self) -> Option<&Subject> {
        self.subject.get()?.as_ref()
    }

    /// A call comes without a credential that is taken.
    pub(super) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    fn has_failed_too_often(&self) -> bool {
        self.failures.load(Ordering::Relaxed) > limits::ADMIN_FAILURES
    }

    fn has_overdue_answer(&self) -> bool {
        let answers = self.answers.lock();
        let oldest = answers.waiting.first_key_value().map(|(_, since)| since);
        oldest
            .into_iter()
            .chain(self.only.get())
            .any(|since| since.elapsed() > limits::ADMIN_ANSWER)
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

impl<S: AsyncRead + Peer + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        if self.caller.has_failed_too_often() {
            return Poll::Ready(Err(io::ErrorKind::PermissionDenied.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            let subject = || self.stream.certificate().and_then(Subject::of);
            self.caller.subject.get_or_init(subject);
        }
        self.hear(&buffer.filled()[before..])?;
        let is_at_end = read.is_ready() && buffer.filled().len() == before;
        if is_at_end && self.is_http1 && self.last == HEAD_END {
            // Who has asked and says no more may still listen: hyper would take it for gone, and answer nothing.
            return Poll::Pending;
        }
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
