//! Tokens that clients show, and how many refused ones an address may: they are verified on the threads that relay.

use std::time::Duration;

use super::{
    Hub, Network,
    bucket::{Buckets, Shape},
    heartbeat::TICKS_A_SECOND,
    rate::milliseconds,
};
use crate::{
    auth::{Authority, Pass, Refused},
    config::limits,
};

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// It was looked at.
    Refused,
    /// It was not, as too many of its address were refused lately.
    TooMany {
        /// After which time one is looked at again.
        retry_after: Duration,
    },
}

const OF_ADDRESS: Shape =
    Shape { most: limits::REFUSED_TOKENS, ticks: TICKS_A_SECOND / limits::REFUSED_TOKENS_A_SECOND };

impl Hub {
    /// What a token says. Only refused ones count for the address, so that those who come in with good ones, however
    /// many at once, have no share in the limit.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub async fn check_token(
        &self,
        authority: &Authority,
        network: Network,
        token: &str,
    ) -> Result<Pass, NotTaken> {
        let checked = match self.refused_tokens.has_one(network, self.heartbeat.now()) {
            Ok(()) => authority.check(token).await.map_err(|_: Refused| {
                // Others may have emptied it meanwhile: emptier than that it does not get.
                let _ = self.refused_tokens.take(network, self.heartbeat.now());
                NotTaken::Refused
            }),
            Err(ticks) => {
                Err(NotTaken::TooMany { retry_after: Duration::from_millis(milliseconds(ticks)) })
            }
        };
        self.metrics.token(checked.is_ok());
        checked
    }
}

pub(super) fn refused_tokens() -> Buckets {
    Buckets::new(OF_ADDRESS)
}
