//! What is done once for all who wait for it.

use std::time::Duration;

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::time::Instant;

/// See the module. It has its own time: whoever gives up leaves it to the next.
#[derive(Clone)]
pub(super) struct Attempt<T: Clone> {
    until: Instant,
    done: Shared<BoxFuture<'static, T>>,
}

impl<T: Clone> Attempt<T> {
    /// Of something that takes no longer than `within` while somebody waits for it.
    pub(super) fn begin<F>(within: Duration, attempt: F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        Self { until: Instant::now() + within, done: attempt.boxed().shared() }
    }

    /// Whether it is worth waiting for. One for which nobody has waited of late may bring what was true long ago.
    pub(super) fn is_under_way(&self) -> bool {
        self.done.peek().is_none() && Instant::now() < self.until
    }

    /// What came of it, if it is done.
    pub(super) fn result(&self) -> Option<&T> {
        self.done.peek()
    }

    pub(super) async fn done(self) -> T {
        self.done.await
    }
}
