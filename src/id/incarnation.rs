//! The name of one life of a server in a fleet.

use std::{fmt, str::FromStr};

/// A server's name for as long as it holds its lease: whoever lost it takes another name, so that nothing done in the
/// old one can be mistaken for its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Incarnation(pub u64);

/// A text that is no [`Incarnation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 16 hexadecimal digits")]
pub struct NotAnIncarnation;

impl Incarnation {
    /// Of a server that stands alone.
    pub const NONE: Self = Self(0);

    /// A name that no other life has: 64 random bits, not all of them zero.
    pub fn random() -> Self {
        let bits = uuid::Uuid::new_v4().as_u64_pair();
        // A UUID fixes six of its bits, which are at different places in its halves.
        Self((bits.0 ^ bits.1.rotate_left(32)).max(1))
    }

    /// Whether it is that of a server that stands alone.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// The name's bits; zero of [`Incarnation::NONE`].
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl From<u64> for Incarnation {
    fn from(bits: u64) -> Self {
        Self(bits)
    }
}

impl FromStr for Incarnation {
    type Err = NotAnIncarnation;

    /// Reads what [`Display`](fmt::Display) writes: 16 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, NotAnIncarnation> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAnIncarnation);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| NotAnIncarnation)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incarnations_are_sixteen_hexadecimal_digits() {
        let one = Incarnation::random();
        assert_ne!(one, Incarnation::NONE);
        assert_ne!(one, Incarnation::random());
        assert_eq!(one.to_string().parse(), Ok(one));
        assert_eq!(Incarnation::from(0xab).to_string(), "00000000000000ab");
        for other in ["", "ab", "+0000000000000ab", "00000000000000abc"] {
            assert_eq!(other.parse::<Incarnation>(), Err(NotAnIncarnation), "{other}");
        }
    }
}
