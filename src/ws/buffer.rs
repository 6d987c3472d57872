//! Bytes that were read and are not handled yet. The buffer that is read into belongs to the thread; a
//! connection keeps only what is unfinished, in at most twice as many bytes as arrived.

use std::{cell::Cell, io, task::Poll};

use tokio::io::ReadBuf;

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

thread_local! {
    static SPARE: Cell<Option<Box<Buffer>>> = const { Cell::new(None) };
}

/// See the module.
#[derive(Debug)]
pub(super) struct Buffer {
    /// All of it can be read into: it is zeroed once, not for every read.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// The thread's, empty.
    pub(super) fn spare() -> Box<Self> {
        let new = || Box::new(Self { bytes: vec![0; READ_BYTES], start: 0, end: 0 });
        SPARE.take().unwrap_or_else(new)
    }

    /// One that holds just these bytes.
    pub(super) fn of(bytes: Vec<u8>) -> Box<Self> {
        let end = bytes.len();
        Box::new(Self { bytes, start: 0, end })
    }

    /// What a connection keeps between its turns, if anything is unhandled. The thread gets its buffer back.
    pub(super) fn rest(mut self: Box<Self>) -> Option<Box<Self>> {
        let unhandled = self.unhandled();
        let kept = match unhandled.len() {
            0 => None,
            most if 2 * most >= self.bytes.len() => return Some(self),
            _ => Some(Self::of(unhandled.to_vec())),
        };
        if self.bytes.len() == READ_BYTES {
            (self.start, self.end) = (0, 0);
            SPARE.set(Some(self));
        }
        kept
    }

    /// The bytes that are not handled yet.
    pub(super) fn unhandled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// The payload of the frame that comes next, which counts as handled from now on.
    pub(super) fn take(&mut self, head_bytes: usize, payload_bytes: usize) -> &mut [u8] {
        let payload = self.start + head_bytes;
        self.start = payload + payload_bytes;
        &mut self.bytes[payload..self.start]
    }

    /// Reads once, where a frame is unfinished that takes `frame_bytes` in all. Returns how many came.
    pub(super) fn poll_fill(
        self: &mut Box<Self>,
        frame_bytes: usize,
        read: impl FnOnce(&mut ReadBuf<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<usize>> {
        self.make_room(frame_bytes);
        let mut room = ReadBuf::new(&mut self.bytes[self.end..]);
        read(&mut room).map_ok(|()| {
            let came = room.filled().len();
            self.end += came;
            came
        })
    }

    fn make_room(self: &mut Box<Self>, frame_bytes: usize) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.bytes.len() < READ_BYTES && self.end <= READ_BYTES / 2 {
            let mut spare = Self::spare();
            spare.bytes[..self.end].copy_from_slice(&self.bytes[..self.end]);
            spare.end = self.end;
            *self = spare;
        } else if self.end == self.bytes.len() {
            let room = frame_bytes.min(2 * self.end);
            self.bytes.reserve_exact(room - self.end);
            self.bytes.resize(room, 0);
        }
    }
}
