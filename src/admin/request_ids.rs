//! Calls with a `request_id` act once: whoever repeats one gets the answer that it had (AIP-155).

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    str::FromStr,
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;
use sha2::{Digest, Sha256};
use tokio::{sync::OnceCell, time::Instant};
use tonic::Status;

use super::problem::{Faults, Problem, Reason};
use crate::{
    config::limits,
    event::Administrator,
    hub::{Claim, Hub, NotClaimed},
    id::{InvalidName, is_longer},
};

/// A caller's name for one call: at most [`limits::REQUEST_ID_CHARS`] characters. An empty one is no name, and the same
/// one of another administrator is another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RequestId {
    text: Arc<str>,
    by: Administrator,
}

impl RequestId {
    /// The same one, of this administrator.
    pub(super) fn of(self, by: &Administrator) -> Self {
        Self { by: by.clone(), ..self }
    }

    /// What it is called where all servers of a fleet have it: nobody's words.
    fn shared(&self) -> String {
        let digest = Sha256::new().chain_update(self.by.to_string()).chain_update([0]);
        BASE64_URL_SAFE_NO_PAD.encode(digest.chain_update(&*self.text).finalize())
    }
}

impl FromStr for RequestId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let max_chars = limits::REQUEST_ID_CHARS;
        if is_longer(text, max_chars) {
            return Err(InvalidName::TooLong { max_chars });
        }
        Ok(Self { text: text.into(), by: Administrator::default() })
    }
}

/// The calls that succeeded lately, with their answers, and those that run.
#[derive(Debug, Default)]
pub(super) struct RequestIds(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    by_id: HashMap<RequestId, Call>,
    /// Those with an answer, and until when it is remembered: the oldest first.
    answered: VecDeque<(Instant, RequestId)>,
    /// Of all answers.
    bytes: usize,
}

#[derive(Debug)]
struct Call {
    /// Of its method and what it asked for.
    digest: [u8; 32],
    answer: Arc<OnceCell<Bytes>>,
    /// Callers that run it or wait for it.
    callers: usize,
}

impl RequestIds {
    /// The answer of `act`, or the one that the same call with the same `id` had. While one runs, others wait
    /// for it; if it fails or its caller goes, the next of them acts. `request` is without its request_id. An
    /// answer is remembered for [`limits::REQUEST_ID_KEPT`], failures are not.
    ///
    /// # Errors
    /// What `act` fails with. [`Reason::RequestIdReused`], if `id` was given to another method or request;
    /// [`Reason::TooManyRequestIds`], if no more answers can be remembered. Then nothing is done.
    pub(super) async fn once<A: Message + Default>(
        &self,
        method: &'static str,
        id: &RequestId,
        request: &impl Message,
        act: impl Future<Output = Result<A, Status>>,
    ) -> Result<A, Status> {
        if id.text.is_empty() {
            return act.await;
        }
        let caller = self.enter(id, digest(method, request))?;
        let acting = async || {
            let answer = Bytes::from(act.await?.encode_to_vec());
            self.0.lock().count(id, &answer);
            Ok::<_, Status>(answer)
        };
        let answer = caller.answer.get_or_try_init(acting).await?;
        Ok(A::decode(&**answer).expect("encoded by the same method"))
    }

    fn enter(&self, id: &RequestId, digest: [u8; 32]) -> Result<Caller<'_>, Problem> {
        let mut calls = self.0.lock();
        let now = Instant::now();
        calls.forget(now);
        if !calls.by_id.contains_key(id) && calls.is_full() {
            let problem = Problem::new(
                Reason::TooManyRequestIds,
                "no more calls can be remembered by their request_id",
            );
            let oldest = calls.answered.front();
            return Err(match oldest {
                Some((until, _)) => problem.retry_after(*until - now),
                None => problem,
            });
        }
        let vacant = || Call { digest, answer: Arc::default(), callers: 0 };
        let call = calls.by_id.entry(id.clone()).or_insert_with(vacant);
        if call.digest != digest {
            let faults = Faults::of("request_id", "was given to another call");
            return Err(faults.because(Reason::RequestIdReused));
        }
        call.callers += 1;
        Ok(Caller { ids: self, id: id.clone(), answer: Arc::clone(&call.answer) })
    }
}

/// The same in the whole fleet: the answer of `act`, or the one that another server gave to the same call. It acts once
/// there only, if answers can be remembered.
///
/// # Errors
/// What `act` fails with; [`Reason::RequestIdReused`] and [`Reason::FleetUnavailable`].
pub(super) async fn once_in_fleet<A: Message + Default>(
    hub: &Hub,
    method: &'static str,
    id: &RequestId,
    request: &impl Message,
    act: impl Future<Output = Result<A, Status>>,
) -> Result<A, Status> {
    if id.text.is_empty() {
        return act.await;
    }
    let claim = Box::pin(hub.claim_call(id.shared(), digest(method, request))).await;
    match claim.map_err(Problem::from)? {
        Claim::Alone => act.await,
        Claim::Answered(answer) => {
            // Of another release, perhaps.
            A::decode(&*answer).map_err(|error| Status::internal(error.to_string()))
        }
        Claim::Claimed(claimed) => {
            let answer = act.await?;
            Box::pin(claimed.answered(&answer.encode_to_vec())).await;
            Ok(answer)
        }
    }
}

impl From<NotClaimed> for Problem {
    fn from(error: NotClaimed) -> Self {
        match error {
            NotClaimed::Reused => Faults::of("request_id", error).because(Reason::RequestIdReused),
            NotClaimed::Unavailable => Self::new(Reason::FleetUnavailable, error.to_string()),
        }
    }
}

impl Calls {
    fn is_full(&self) -> bool {
        self.by_id.len() >= limits::REQUEST_IDS || self.bytes >= limits::REQUEST_ID_BYTES
    }

    /// An answer is remembered from now on.
    fn count(&mut self, id: &RequestId, answer: &Bytes) {
        self.bytes += answer.len();
        self.answered.push_back((Instant::now() + limits::REQUEST_ID_KEPT, id.clone()));
    }

    /// Answers that were remembered for long enough.
    fn forget(&mut self, now: Instant) {
        while let Some((_, id)) = self.answered.pop_front_if(|(until, _)| *until <= now) {
            let call = self.by_id.remove(&id).expect("each is answered once");
            self.bytes -= call.answer.get().map_or(0, Bytes::len);
        }
    }
}

/// Somebody who runs a call or waits for it. The last one to go without an answer takes the call along.
struct Caller<'a> {
    ids: &'a RequestIds,
    id: RequestId,
    answer: Arc<OnceCell<Bytes>>,
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        let mut calls = self.ids.0.lock();
        // An answer may have been forgotten meanwhile, and its id given to another call.
        if self.answer.initialized() {
            return;
        }
        let call = calls.by_id.get_mut(&self.id).expect("it goes with its last caller");
        call.callers -= 1;
        if call.callers == 0 {
            calls.by_id.remove(&self.id);
        }
    }
}

fn digest(method: &str, request: &impl Message) -> [u8; 32] {
    let digest = Sha256::new().chain_update(method).chain_update([0]);
    digest.chain_update(request.encode_to_vec()).finalize().into()
}
