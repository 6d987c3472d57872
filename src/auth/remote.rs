//! A JWK Set behind an https address: fetched every now and then, and when a token names a key that it does not have.
//! While its source is away, or has nothing proper to say, the last good one holds on.

#[cfg(test)]
mod tests;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, header::ACCEPT};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use parking_lot::{Mutex, RwLock};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::rustls::crypto::ring;
use url::Url;

use super::{
    jwk_set,
    key::{BadKey, Key},
};
use crate::config::limits;

/// Brings the set's text, however that is done.
pub(super) type Fetch = Box<dyn Fn() -> Fetching + Send + Sync>;
type Fetching = Pin<Box<dyn Future<Output = Result<Bytes, NotFetched>> + Send>>;

/// See the module.
pub(super) struct Remote {
    /// For people.
    name: String,
    fetch: Fetch,
    keys: RwLock<Arc<[Key]>>,
    state: Mutex<State>,
    /// Tells [`Remote::run`] that the set is wanted now.
    wanted: watch::Sender<()>,
    /// Tells who waits that a fetch is over.
    fetched: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    /// When it was last fetched for a key that was not known.
    asked_at: Option<Instant>,
    is_fetching: bool,
}

/// Why there is no new set.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotFetched {
    #[error("{0}")]
    NoAnswer(Box<dyn std::error::Error + Send + Sync>),
    #[error("it answers {0}; redirects are not followed")]
    Status(hyper::StatusCode),
    #[error("it did not answer in 10 s")]
    Late,
    #[error(transparent)]
    BadKey(#[from] BadKey),
}

impl Remote {
    pub(super) fn new(name: String, fetch: Fetch) -> Self {
        Self {
            name,
            fetch,
            keys: RwLock::new([].into()),
            // As it is, from the first poll of `run` on: whoever comes before that waits for it.
            state: Mutex::new(State { asked_at: None, is_fetching: true }),
            wanted: watch::Sender::new(()),
            fetched: watch::Sender::new(()),
        }
    }

    /// The keys of the last good set.
    pub(super) fn keys(&self) -> Arc<[Key]> {
        Arc::clone(&self.keys.read())
    }

    /// Has the set fetched if none of its keys has this name, or it has no key at all where none is named; unless it
    /// was a moment ago. Returns whether there may be others now.
    pub(super) async fn look_for(&self, key_id: Option<&str>) -> bool {
        let mut has_looked = false;
        let looking = async {
            loop {
                let mut fetched = self.fetched.subscribe();
                let is_it = |key: &Key| key_id.is_none() || key.id.as_deref() == key_id;
                if self.keys().iter().any(is_it) || !self.ask() {
                    return;
                }
                has_looked |= fetched.changed().await.is_ok();
            }
        };
        let _ = timeout(limits::JWKS_WAIT, looking).await;
        has_looked
    }

    /// Has the set fetched, however short ago it was.
    pub(super) fn renew(&self) {
        let was_fetching = std::mem::replace(&mut self.state.lock().is_fetching, true);
        if !was_fetching {
            self.wanted.send_replace(());
        }
    }

    /// Fetches the set for as long as it is polled.
    pub(super) async fn run(&self) {
        let mut wanted = self.wanted.subscribe();
        loop {
            wanted.mark_unchanged();
            let pause = match self.fetch().await {
                Ok(()) => limits::JWKS_EVERY,
                Err(error) => {
                    let kept = self.keys().len();
                    tracing::error!(%error, kept, "--jwks {}: the keys of before stay", self.name);
                    limits::JWKS_AGAIN
                }
            };
            self.state.lock().is_fetching = false;
            self.fetched.send_replace(());
            tokio::select! {
                () = sleep(pause) => self.state.lock().is_fetching = true,
                _ = wanted.changed() => {}
            }
        }
    }

    /// Returns false where it is too early to fetch the set again.
    fn ask(&self) -> bool {
        let mut state = self.state.lock();
        if state.is_fetching {
            return true;
        }
        let now = Instant::now();
        if state.asked_at.is_some_and(|at| now < at + limits::JWKS_AGAIN) {
            return false;
        }
        *state = State { asked_at: Some(now), is_fetching: true };
        drop(state);
        self.wanted.send_replace(());
        true
    }

    async fn fetch(&self) -> Result<(), NotFetched> {
        let json = timeout(limits::JWKS_ANSWER, (self.fetch)());
        let json = json.await.map_err(|_| NotFetched::Late)??;
        let keys: Arc<[Key]> = jwk_set::read(&json)?.into();
        let ids = |keys: &[Key]| keys.iter().map(|key| key.id.clone()).collect::<Vec<_>>();
        let before = std::mem::replace(&mut *self.keys.write(), Arc::clone(&keys));
        if ids(&before) != ids(&keys) {
            tracing::info!(keys = keys.len(), "--jwks {}: other keys than before", self.name);
        }
        Ok(())
    }
}

/// Fetches by https from whom the system trusts.
///
/// # Errors
/// The system trusts nobody.
pub(super) fn by_https(url: &Url) -> std::io::Result<Fetch> {
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(ring::default_provider())?
        .https_only()
        .enable_http1()
        .build();
    let executor = TokioExecutor::new();
    let client = Client::builder(executor).pool_max_idle_per_host(0).build(connector);
    let request = Request::get(url.as_str()).header(ACCEPT, "application/jwk-set+json, */*;q=0.5");
    let request = request.body(Empty::<Bytes>::new()).map_err(std::io::Error::other)?;
    Ok(Box::new(move || {
        let answer = client.request(request.clone());
        Box::pin(async move {
            let answer =
                answer.await.map_err(|error| NotFetched::NoAnswer(whole(&error).into()))?;
            if !answer.status().is_success() {
                return Err(NotFetched::Status(answer.status()));
            }
            let body = Limited::new(answer.into_body(), limits::JWKS_BYTES).collect();
            Ok(body.await.map_err(NotFetched::NoAnswer)?.to_bytes())
        })
    }))
}

/// An error with what is behind it, which says more.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("keys", &self.keys).finish_non_exhaustive()
    }
}
