//! The etags of rooms (AIP-154): which settings of a room are meant, in which life of the server.

use crate::event::Position;

/// Gives out etags, and reads them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Etags {
    epoch: u64,
}

impl Etags {
    /// Those of the life that `epoch` names.
    pub(super) fn new(epoch: u64) -> Self {
        Self { epoch }
    }

    /// Names the settings that the event at this position made.
    pub(super) fn of(self, settled_at: Position) -> String {
        format!("{:016x}{:x}", self.epoch, settled_at.0)
    }

    /// Which settings a caller means: none, if it gave nothing; nobody's, if it gave something else.
    pub(super) fn meant(self, etag: &str) -> Option<Position> {
        if etag.is_empty() {
            return None;
        }
        let epoch = format!("{:016x}", self.epoch);
        let position = etag.strip_prefix(&epoch).and_then(|rest| {
            let position = Position(u64::from_str_radix(rest, 16).ok()?);
            // Only as it was written.
            (self.of(position) == etag).then_some(position)
        });
        Some(position.unwrap_or(Position::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_good_for_its_settings_and_its_life() {
        let etags = Etags::new(0xab);
        let etag = etags.of(Position(0x1f));
        assert_eq!(etag, "00000000000000ab1f");
        assert_eq!(etags.meant(&etag), Some(Position(0x1f)));
        assert_eq!(etags.meant(""), None);
        for other in ["x", "00000000000000ab", "00000000000000ab+1f", "00000000000000ab01f", "語"]
        {
            assert_eq!(etags.meant(other), Some(Position::ZERO), "{other}");
        }
        assert_eq!(Etags::new(0xac).meant(&etag), Some(Position::ZERO));
    }
}
