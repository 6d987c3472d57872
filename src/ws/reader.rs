//! Finds messages in what a client sends (RFC 6455, section 5). A whole frame is read where it lies, and what
//! the protocol forbids is refused as soon as the head of a frame tells.

use std::{
    io::{self, Cursor},
    str,
    task::Poll,
};

use tokio::io::ReadBuf;
use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{CloseCode as AnyCode, Control, Data, OpCode},
};

use super::{buffer::Buffer, parting::Parting};
use crate::protocol::CloseCode;

/// The longest payload of a control frame (RFC 6455, section 5.5).
const CONTROL_BYTES: usize = 125;
/// How much is read of what is not handled yet.
const AHEAD_BYTES: usize = 64 << 10;
/// The longest head of a frame: a byte, the length in nine, the mask in four.
const HEAD_BYTES: usize = 14;

/// See the module.
#[derive(Debug)]
pub struct Reader {
    /// Between turns, only what is unfinished.
    buffer: Option<Box<Buffer>>,
    fragments: Option<Box<Fragments>>,
}

/// What a client says.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A message.
    Text(&'a str),
    /// To be answered with the same payload.
    Ping(&'a [u8]),
    /// The answer to a ping with this payload, or to none.
    Pong(&'a [u8]),
    /// Goodbye, to be answered with this code, or with none.
    Close(Option<u16>),
}

impl Reader {
    /// Reads messages, the first of them from `already_read`.
    pub fn new(already_read: Vec<u8>) -> Self {
        let buffer = (!already_read.is_empty()).then(|| Buffer::of(already_read));
        Self { buffer, fragments: None }
    }

    /// What the client says next, at most `max_message_bytes` long, read by `read` where that is not here yet. While
    /// it is pending, nothing is kept but what is unfinished.
    ///
    /// # Errors
    /// [`Parting::Lost`] and [`Parting::Fault`], after which nothing makes sense any more.
    pub fn poll_next(
        &mut self,
        max_message_bytes: usize,
        mut read: impl FnMut(&mut ReadBuf<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<Result<Incoming<'_>, Parting>> {
        self.fragments.take_if(|fragments| fragments.complete);
        let frame = loop {
            let buffer = self.buffer.get_or_insert_with(Buffer::spare);
            let fragments = self.fragments.as_deref();
            match Frame::find(buffer.unhandled(), fragments, max_message_bytes)? {
                Found::Whole(frame) if frame.is_final => break frame,
                Found::Whole(frame) => {
                    let payload = frame.take_from(buffer);
                    self.fragments.get_or_insert_default().add(payload)?;
                }
                Found::Part { frame_bytes } => match buffer.poll_fill(frame_bytes, &mut read) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Parting::Lost)),
                    Poll::Pending => {
                        self.rest();
                        return Poll::Pending;
                    }
                },
            }
        };
        let payload = frame.take_from(self.buffer.as_mut().expect("the frame is in it"));
        Poll::Ready(Ok(match (frame.opcode, &mut self.fragments) {
            (OpCode::Control(Control::Close), _) => Incoming::Close(answer_to_close(payload)?),
            (OpCode::Control(Control::Ping), _) => Incoming::Ping(payload),
            (OpCode::Control(_), _) => Incoming::Pong(payload),
            (OpCode::Data(_), None) => Incoming::Text(text(payload)?),
            (OpCode::Data(_), Some(fragments)) => {
                fragments.add(payload)?;
                fragments.complete = true;
                Incoming::Text(text(&fragments.bytes)?)
            }
        }))
    }

    /// How many bytes are kept of a message that is not finished, or not handled.
    pub fn kept_bytes(&self) -> usize {
        let fragments = self.fragments.as_ref().filter(|fragments| !fragments.complete);
        self.buffer.as_ref().map_or(0, |buffer| buffer.unhandled().len())
            + fragments.map_or(0, |fragments| fragments.bytes.len().max(1))
    }

    /// Reads ahead a little, while nothing may be handled, so that an end is noticed: ready with it.
    pub fn poll_lost(
        &mut self,
        mut read: impl FnMut(&mut ReadBuf<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<Parting> {
        loop {
            let buffer = self.buffer.get_or_insert_with(Buffer::spare);
            let filled = if buffer.unhandled().len() < AHEAD_BYTES {
                buffer.poll_fill(2 * AHEAD_BYTES, &mut read)
            } else {
                Poll::Pending
            };
            match filled {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Parting::Lost),
                Poll::Pending => {
                    self.rest();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Gives the thread its buffer back, for a while in which nothing is read.
    pub fn rest(&mut self) {
        self.buffer = self.buffer.take().and_then(Buffer::rest);
    }
}

/// A frame that is in the buffer as a whole.
struct Frame {
    opcode: OpCode,
    /// Whether it is no fragment that others follow.
    is_final: bool,
    mask: [u8; 4],
    head_bytes: usize,
    payload_bytes: usize,
}

enum Found {
    Whole(Frame),
    /// The beginning of one that takes so many bytes in all, as far as it tells.
    Part {
        frame_bytes: usize,
    },
}

impl Frame {
    /// The frame that `bytes` begin with, if it may follow these fragments.
    fn find(
        bytes: &[u8],
        fragments: Option<&Fragments>,
        max_message_bytes: usize,
    ) -> Result<Found, CloseCode> {
        let mut cursor = Cursor::new(bytes);
        let head = FrameHeader::parse(&mut cursor).map_err(|_| CloseCode::Protocol)?;
        let Some((head, payload_bytes)) = head else {
            return Ok(Found::Part { frame_bytes: HEAD_BYTES });
        };
        let FrameHeader { is_final, rsv1, rsv2, rsv3, opcode, mask } = head;
        let fits = |bytes: &usize| *bytes <= max_message_bytes;
        let payload_bytes = usize::try_from(payload_bytes).ok().filter(fits);
        let payload_bytes = payload_bytes.ok_or(CloseCode::TooLarge)?;
        let mask = mask.filter(|_| !(rsv1 || rsv2 || rsv3)).ok_or(CloseCode::Protocol)?;
        match (opcode, fragments) {
            (OpCode::Control(_), _) if is_final && payload_bytes <= CONTROL_BYTES => {}
            (OpCode::Data(Data::Text), None) => {}
            (OpCode::Data(Data::Continue), Some(fragments)) => {
                if !fits(&(fragments.bytes.len() + payload_bytes)) {
                    return Err(CloseCode::TooLarge);
                }
            }
            (OpCode::Data(Data::Binary), None) => return Err(CloseCode::Unsupported),
            (OpCode::Data(_) | OpCode::Control(_), _) => return Err(CloseCode::Protocol),
        }
        let head_bytes = usize::try_from(cursor.position()).expect("at most 14");
        let frame_bytes = head_bytes + payload_bytes;
        if bytes.len() < frame_bytes {
            return Ok(Found::Part { frame_bytes });
        }
        Ok(Found::Whole(Self { opcode, is_final, mask, head_bytes, payload_bytes }))
    }

    /// Its payload, no longer masked.
    fn take_from<'a>(&self, buffer: &'a mut Buffer) -> &'a mut [u8] {
        let payload = buffer.take(self.head_bytes, self.payload_bytes);
        let [a, b, c, d] = self.mask;
        let (words, rest) = payload.as_chunks_mut();
        for word in words {
            let mask = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
            *word = (u64::from_ne_bytes(*word) ^ mask).to_ne_bytes();
        }
        rest.iter_mut().zip(self.mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        payload
    }
}

/// A message that comes in parts.
#[derive(Debug, Default)]
struct Fragments {
    bytes: Vec<u8>,
    /// How many of them are whole characters.
    checked: usize,
    complete: bool,
}

impl Fragments {
    /// Adds a part, and checks as much as can be.
    fn add(&mut self, part: &[u8]) -> Result<(), CloseCode> {
        self.bytes.extend_from_slice(part);
        match str::from_utf8(&self.bytes[self.checked..]) {
            Ok(rest) => self.checked += rest.len(),
            // The rest of a character may be in the next part.
            Err(cut) if cut.error_len().is_none() => self.checked += cut.valid_up_to(),
            Err(_) => return Err(CloseCode::InvalidText),
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str, CloseCode> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| CloseCode::InvalidText)
}

/// The code to answer with (RFC 6455, sections 5.5.1 and 7.4): the client's own, where it is one to be sent.
fn answer_to_close(payload: &[u8]) -> Result<Option<u16>, CloseCode> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(CloseCode::Protocol) };
    };
    text(reason)?;
    let code = AnyCode::from(u16::from_be_bytes(*code));
    Ok(Some(if code.is_allowed() { code.into() } else { CloseCode::Protocol as u16 }))
}
