//! Cursors: a place in the order of events, in one life of the server, as a text that callers keep.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::event::Position;

/// What a cursor starts with before it is encoded, so that anything else is known for junk.
const PREFIX: [u8; 2] = *b"at";

/// Gives out cursors, and reads them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursors {
    epoch: u64,
}

/// Why a cursor leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Astray {
    /// It is no cursor, or of a place where nothing has happened yet.
    #[error("is not one that WatchEvents gave out")]
    NotGivenOut,
    /// Another life of the server gave it out.
    #[error("the server began anew since the cursor was given out")]
    OtherLife,
}

impl Cursors {
    /// Those of the life that `epoch` names.
    pub(super) fn new(epoch: u64) -> Self {
        Self { epoch }
    }

    pub(super) fn of(self, position: Position) -> String {
        let (mut bytes, numbers) = ([0; 18], [self.epoch, position.0]);
        bytes[..2].copy_from_slice(&PREFIX);
        for (field, number) in bytes[2..].as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
            *field = number.to_be_bytes();
        }
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place of a cursor, which is no later than `head`.
    pub(super) fn read(self, cursor: &str, head: Position) -> Result<Position, Astray> {
        let position = self.place(cursor)?;
        Some(position).filter(|position| *position <= head).ok_or(Astray::NotGivenOut)
    }

    /// The place of a cursor, be anything known that far or not.
    pub(super) fn place(self, cursor: &str) -> Result<Position, Astray> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Astray::NotGivenOut)?;
        let numbers = bytes.strip_prefix(&PREFIX).map(<[u8]>::as_chunks::<8>);
        let Some((&[epoch, position], [])) = numbers else { return Err(Astray::NotGivenOut) };
        if u64::from_be_bytes(epoch) != self.epoch {
            return Err(Astray::OtherLife);
        }
        Ok(Position(u64::from_be_bytes(position)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_is_good_for_its_place_and_its_life(
            epoch: u64, other: u64, position: u64, head: u64,
        ) {
            let (cursors, position) = (Cursors::new(epoch), Position(position));
            let cursor = cursors.of(position);
            prop_assert!(cursor.len() <= 128);
            let expected = if position.0 <= head { Ok(position) } else { Err(Astray::NotGivenOut) };
            prop_assert_eq!(cursors.read(&cursor, Position(head)), expected);
            if epoch != other {
                let elsewhere = Cursors::new(other).read(&cursor, Position(head));
                prop_assert_eq!(elsewhere, Err(Astray::OtherLife));
            }
        }

        #[test]
        fn junk_is_known(junk in ".{0,40}|[-_0-9A-Za-z]{0,40}") {
            prop_assume!(!junk.starts_with("YXQ"));
            prop_assert_eq!(Cursors::new(0).read(&junk, Position(9)), Err(Astray::NotGivenOut));
        }
    }

    #[test]
    fn what_is_longer_or_shorter_than_a_cursor_is_none() {
        let cursors = Cursors::new(7);
        let cursor = cursors.of(Position(3));
        for other in [&cursor[..20], &format!("{cursor}AAAA"), &format!("{cursor}="), "", "YXQ"] {
            assert_eq!(cursors.read(other, Position(9)), Err(Astray::NotGivenOut), "{other}");
        }
    }
}
