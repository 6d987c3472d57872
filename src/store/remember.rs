//! What is remembered for a time, by a name: no part of the state, and in no log.

use std::time::Duration;

use super::{Store, StoreError, presence::milliseconds};

impl Store {
    /// Remembers something under a name for a time, unless something is already: then that is returned.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remember(
        &self,
        name: &str,
        value: &[u8],
        time: Duration,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let key = self.0.keys.remembered(name);
        let mut command = redis::cmd("SET");
        command.arg(&key).arg(value).arg("NX").arg("GET").arg("PX").arg(milliseconds(time));
        self.0.link.ask(&key, &command).await
    }

    /// Remembers something under a name for a time, whatever was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remember_instead(
        &self,
        name: &str,
        value: &[u8],
        time: Duration,
    ) -> Result<(), StoreError> {
        let key = self.0.keys.remembered(name);
        let mut command = redis::cmd("SET");
        command.arg(&key).arg(value).arg("PX").arg(milliseconds(time));
        self.0.link.ask(&key, &command).await
    }

    /// Remembers nothing under a name any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_remembered(&self, name: &str) -> Result<(), StoreError> {
        let key = self.0.keys.remembered(name);
        self.0.link.ask(&key, redis::cmd("DEL").arg(&key)).await
    }
}
