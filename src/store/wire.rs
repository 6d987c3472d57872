//! What can stand between the store and Redis: tests put a model of Redis there, with faults that a seed draws.

use std::{fmt::Debug, sync::Arc};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use redis::{Arg, Cmd, Value};

use super::{
    Shared, Store,
    fault::{Fault, StoreError},
    keys::Keys,
    link::Link,
};
use crate::config::RedisFlags;

/// See the module.
pub trait Wire: Debug + Send + Sync {
    /// Redis' answer to a command, word by word, be it one that blocks. Its faults are those of a connection.
    fn ask(&self, words: Vec<Vec<u8>>) -> BoxFuture<'_, Result<Value, StoreError>>;
}

impl Store {
    /// The store of a server whose commands go over this wire, with the prefix, the timeout and the length of the log of
    /// the flags.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn over(wire: Arc<dyn Wire>, flags: &RedisFlags) -> Result<Self, StoreError> {
        let store = Self(Arc::new(Shared {
            link: Link::over(wire, flags.timeout()),
            keys: Keys::new(&flags.redis_prefix),
            epoch: Mutex::default(),
            fence: 0.into(),
            log_events: flags.redis_log_events,
            wait_replicas: flags.redis_wait_replicas,
        }));
        store.reopen().await?;
        Ok(store)
    }
}

pub(super) async fn ask(wire: &dyn Wire, command: &Cmd) -> Result<Value, Fault> {
    let words = command.args_iter().filter_map(|arg| match arg {
        Arg::Simple(word) => Some(word.to_vec()),
        // Of SCAN and the like, which nobody asks for.
        Arg::Cursor | _ => None,
    });
    wire.ask(words.collect()).await.map_err(|error| match error {
        StoreError::Unavailable(why) => Fault::NotSent(why),
        StoreError::Unknown(why) => Fault::Lost(why),
        StoreError::Lost(_) => Fault::Lost(error.to_string()),
    })
}
