//! What the log has, as Redis keeps it.

use bytes::Bytes;
use redis::Value;

use super::{append::BatchId, fault::StoreError};
use crate::{event::Position, id::RoomId};

/// Bits of a position that count what comes in one millisecond.
const SEQUENCE_BITS: u32 = 16;

/// One change, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub position: Position,
    /// Where the entry before it stands. A reader that saw another one has missed something.
    pub log_prev: Position,
    /// The version, before it, of what it is about.
    pub prev: Position,
    /// The room that it is about; none: who is kept out.
    pub room: Option<RoomId>,
    /// The decision that it is a part of.
    pub batch: BatchId,
    /// Which of that decision's orders it comes of.
    pub order: u32,
    /// What it is, in the words of whoever appended it.
    pub payload: Bytes,
}

impl Entry {
    /// Reads what XRANGE and XREAD have of one: its id, and names and values.
    pub(super) fn read(entry: Value) -> Option<Self> {
        let Value::Array(parts) = entry else { return None };
        let [id, Value::Array(fields)] = <[Value; 2]>::try_from(parts).ok()? else { return None };
        let mut read = Self {
            position: position(&text(bytes(id)?)?)?,
            log_prev: Position::ZERO,
            prev: Position::ZERO,
            room: None,
            batch: [0; 16],
            order: 0,
            payload: Bytes::new(),
        };
        let mut fields = fields.into_iter();
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            let value = bytes(value)?;
            match &*bytes(name)? {
                b"n" if value.is_empty() => {}
                b"n" => read.room = Some(text(value)?.parse().ok()?),
                b"d" => read.payload = value.into(),
                b"b" => read.batch = value.try_into().ok()?,
                b"i" => read.order = text(value)?.parse().ok()?,
                b"p" => read.prev = position(&text(value)?)?,
                b"l" => read.log_prev = position(&text(value)?)?,
                // Of a newer release.
                _ => {}
            }
        }
        Some(read)
    }

    /// Reads a list of them.
    pub(super) fn read_all(entries: Value) -> Result<Vec<Self>, StoreError> {
        let strange = || StoreError::Unknown("the log has an entry that makes no sense".into());
        let Value::Array(entries) = entries else { return Err(strange()) };
        entries.into_iter().map(Self::read).collect::<Option<_>>().ok_or_else(strange)
    }
}

/// Reads a stream's id: milliseconds, and a count within one.
pub(super) fn position(id: &str) -> Option<Position> {
    let (milliseconds, sequence) = id.split_once('-')?;
    let (milliseconds, sequence): (u64, u16) = (milliseconds.parse().ok()?, sequence.parse().ok()?);
    let fits = milliseconds < 1 << (u64::BITS - SEQUENCE_BITS);
    fits.then(|| Position(milliseconds << SEQUENCE_BITS | u64::from(sequence)))
}

/// A position as a stream's id.
pub(super) fn id(position: Position) -> String {
    let (milliseconds, sequence) =
        (position.0 >> SEQUENCE_BITS, position.0 & ((1 << SEQUENCE_BITS) - 1));
    format!("{milliseconds}-{sequence}")
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    redis::from_redis_value(value).ok()
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_keep_their_order_as_ids() {
        for (text, bits) in
            [("0-0", 0), ("1-0", 65_536), ("1764170460000-65535", 1_764_170_460_001 * 65_536 - 1)]
        {
            assert_eq!(position(text), Some(Position(bits)));
            assert_eq!(id(Position(bits)), text);
        }
        for text in ["", "1", "1-65536", "281474976710656-0", "1-", "-1", "1-x"] {
            assert_eq!(position(text), None, "{text}");
        }
    }
}
