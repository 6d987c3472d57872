//! Calls of administrators that act once, whichever servers of a fleet they are made to.

use std::{fmt, time::Duration};

use tokio::time::sleep;

use super::{Fleet, Job};
use crate::{config::limits, hub::Hub, store::StoreError};

/// For so long a call is some server's to make: longer than any call takes.
const CLAIMED: Duration = Duration::from_secs(20);
/// How long to wait before it is looked at again what became of a call.
const LOOKED_AT_AGAIN: Duration = Duration::from_millis(50);

const DIGEST_BYTES: usize = 32;

/// What is known of a call.
#[derive(Debug)]
pub enum Claim<'h> {
    /// The server stands alone.
    Alone,
    /// Nobody has made it: whoever asks does.
    Claimed(Claimed<'h>),
    /// It was made, and had this answer.
    Answered(Vec<u8>),
}

/// A call that is this server's to make. It is anybody's again when this is dropped without an answer.
pub struct Claimed<'h> {
    fleet: &'h Fleet,
    name: String,
    digest: [u8; DIGEST_BYTES],
    is_answered: bool,
}

/// Why a call is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotClaimed {
    /// The name is another call's.
    #[error("was given to another call")]
    Reused,
    /// What the servers of a fleet share cannot be reached.
    #[error("what the servers share cannot be reached now; try again")]
    Unavailable,
}

impl Hub {
    /// Makes a call this server's, by a name of the caller's that is only for what has this digest. While another
    /// server makes it, this waits.
    ///
    /// # Errors
    /// [`NotClaimed`].
    pub async fn claim_call(
        &self,
        name: String,
        digest: [u8; DIGEST_BYTES],
    ) -> Result<Claim<'_>, NotClaimed> {
        let Some(fleet) = &self.fleet else { return Ok(Claim::Alone) };
        while let Some(known) = fleet.store.remember(&name, &digest, CLAIMED).await? {
            match known.split_at_checked(DIGEST_BYTES) {
                Some((theirs, _)) if theirs != digest => return Err(NotClaimed::Reused),
                // An answer, be it an empty one, has a byte before it.
                Some((_, [_, answer @ ..])) => return Ok(Claim::Answered(answer.to_vec())),
                Some((_, [])) | None => sleep(LOOKED_AT_AGAIN).await,
            }
        }
        Ok(Claim::Claimed(Claimed { fleet, name, digest, is_answered: false }))
    }
}

impl Claimed<'_> {
    /// From now on all servers know the answer, for [`limits::REQUEST_ID_KEPT`].
    pub async fn answered(mut self, answer: &[u8]) {
        self.is_answered = true;
        let value = [&self.digest, &[0][..], answer].concat();
        let kept = self.fleet.store.remember_instead(&self.name, &value, limits::REQUEST_ID_KEPT);
        if let Err(error) = kept.await {
            tracing::warn!(%error, "a call's answer is not remembered for its request_id");
        }
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.fleet.do_soon(Job::ForgetCall(std::mem::take(&mut self.name)));
        }
    }
}

impl Fleet {
    pub(super) async fn forget_call(&self, name: &str) {
        // Otherwise it is forgotten in its time.
        let _ = self.store.forget_remembered(name).await;
    }
}

impl fmt::Debug for Claimed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claimed({})", self.name)
    }
}

impl From<StoreError> for NotClaimed {
    fn from(error: StoreError) -> Self {
        tracing::debug!(%error, "a call cannot be claimed");
        Self::Unavailable
    }
}
