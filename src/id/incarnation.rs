//! The name of one life of a node of a fleet.

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// A node from when it took its lease until it lost or gave it up: drawn at random anew each time, so that what belongs
/// to an earlier life is never taken for the later one's. [`Self::NONE`] is a server that stands alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Incarnation(pub u64);

impl Incarnation {
    /// Of no fleet.
    pub const NONE: Self = Self(0);

    /// A name that no other life has; never [`Self::NONE`].
    pub fn random() -> Self {
        // Each half has some bits that are always the same, and not at the other's places.
        let (high, low) = Uuid::new_v4().as_u64_pair();
        Self((high ^ low).max(1))
    }

    /// Whether it is that of a server that stands alone.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }
}

/// Always 16 hexadecimal digits.
impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no incarnation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 16 hexadecimal digits")]
pub struct InvalidIncarnation;

impl FromStr for Incarnation {
    type Err = InvalidIncarnation;

    /// Only the form in which it is written, but for the letters' case.
    fn from_str(text: &str) -> Result<Self, InvalidIncarnation> {
        // The standard library also reads a sign.
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidIncarnation);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| InvalidIncarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incarnations_are_written_as_16_digits_and_read_so() {
        assert_eq!(Incarnation(0xbeef).to_string(), "000000000000beef");
        let one = Incarnation::random();
        assert_eq!(one.to_string().parse(), Ok(one));
        for other in ["", "beef", "+00000000000beef", "000000000000beeg", "0000000000000beef"] {
            assert_eq!(other.parse::<Incarnation>(), Err(InvalidIncarnation), "{other}");
        }
        assert!(!one.is_none() && Incarnation::default().is_none());
        assert_ne!(one, Incarnation::random());
    }
}
