//! A time of the system's clock in eight bytes, for what is kept of every client and written for every change.

use std::{
    fmt,
    num::NonZeroU64,
    time::{Duration, SystemTime},
};

/// Nanoseconds since 1970, which are enough until 2554: half the size of a [`SystemTime`], as is an `Option` of it. What
/// was before counts as 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    after_1969: NonZeroU64,
}

impl Timestamp {
    /// The first one after this.
    #[must_use]
    pub fn next(self) -> Self {
        Self { after_1969: self.after_1969.saturating_add(1) }
    }

    /// This one, or the first after `last` where that is later.
    #[must_use]
    pub fn behind(self, last: Option<Self>) -> Self {
        last.map_or(self, |last| self.max(last.next()))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX).into()
    }
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> Self {
        Self::UNIX_EPOCH + Duration::from_nanos(timestamp.into())
    }
}

impl From<u64> for Timestamp {
    fn from(nanoseconds: u64) -> Self {
        Self { after_1969: NonZeroU64::MIN.saturating_add(nanoseconds) }
    }
}

impl From<Timestamp> for u64 {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.after_1969.get() - 1
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SystemTime::from(*self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_exact_as_the_clock_from_1970_to_2554() {
        let at = |since: Duration| SystemTime::UNIX_EPOCH + since;
        for nanoseconds in [0, 1, 1_700_000_000_123_456_789, u64::MAX - 1] {
            let time = at(Duration::from_nanos(nanoseconds));
            assert_eq!(SystemTime::from(Timestamp::from(time)), time);
            assert_eq!(u64::from(Timestamp::from(time)), nanoseconds);
        }
        let early = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from(early), Timestamp::from(0));
        assert_eq!(Timestamp::from(at(Duration::MAX / 4)), Timestamp::from(u64::MAX - 1));
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
    }

    #[test]
    fn none_is_as_early_as_the_one_before_it() {
        for (this, last, behind) in
            [(7, None, 7), (7, Some(6), 7), (7, Some(7), 8), (7, Some(9), 10)]
        {
            assert_eq!(Timestamp::from(this).behind(last.map(Into::into)), Timestamp::from(behind));
        }
    }
}
