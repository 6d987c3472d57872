//! How long a client takes to answer a ping (RFC 6455, section 5.5.3): each ping has a payload of its own, so that only
//! the answer to the last one counts, and that once.

use std::time::Duration;

use tokio::time::Instant;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct RoundTrip {
    /// When the last ping was written, until it is answered.
    since: Option<Instant>,
    last: u8,
}

impl RoundTrip {
    /// The payload of a ping that is written now.
    pub(super) fn begin(&mut self) -> [u8; 1] {
        self.since = Some(Instant::now());
        self.last = self.last.wrapping_add(1);
        [self.last]
    }

    /// How long it took, if this is the payload of the answer.
    pub(super) fn end(&mut self, answer: &[u8]) -> Option<Duration> {
        self.since.take_if(|_| answer == [self.last]).map(|since| since.elapsed())
    }
}
