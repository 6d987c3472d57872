//! Whether replicas of Redis have what its log has. What they lack is lost where one of them takes its place.

use std::time::Duration;

use tokio::time::timeout;

use super::{Shared, Store, StoreError, entry::id, link, presence::milliseconds};
use crate::event::Position;

const MARK: &str = include_str!("mark.lua");

impl Store {
    /// Waits until as many replicas as `--redis-wait-replicas` wants have the log up to there, for as long as a command may
    /// take. False: fewer have it by then, or the log has lost it already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_replicated(&self, up_to: Position) -> Result<bool, StoreError> {
        if self.0.wait_replicas == 0 {
            return Ok(true);
        }
        let waiting = timeout(self.timeout(), self.wait_for_replicas(up_to));
        waiting.await.unwrap_or(Ok(false))
    }

    /// WAIT is about what its own connection wrote, and would hold up whatever else is sent there. Replicas take what is
    /// written in order: those that have a mark have all that was there before it.
    async fn wait_for_replicas(&self, up_to: Position) -> Result<bool, StoreError> {
        let Shared { link, keys, wait_replicas, .. } = &*self.0;
        let mut connection = link.dedicated(&keys.log).await?;
        let mut mark = redis::cmd("EVAL");
        mark.arg(MARK).arg(2).arg(&keys.log).arg(&keys.meta).arg(self.epoch()).arg(id(up_to));
        if !link::read::<bool>(connection.ask(&mark, Duration::ZERO).await?)? {
            return Ok(false);
        }
        let mut wait = redis::cmd("WAIT");
        wait.arg(wait_replicas).arg(milliseconds(self.timeout()));
        let have: u64 = link::read(connection.ask(&wait, self.timeout()).await?)?;
        Ok(have >= *wait_replicas)
    }
}
