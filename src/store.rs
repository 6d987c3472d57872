//! What a fleet of servers shares, kept in Redis: the log of all changes, and the state that they add up to. It knows
//! names, positions and bytes, and no rule.

mod append;
mod attempt;
mod entry;
mod epoch;
mod fault;
mod inbox;
mod keys;
mod line;
mod link;
mod open;
mod post;
mod presence;
mod read;
mod remember;
mod replicas;
mod tail;
mod wire;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

pub use append::{Appended, Batch, BatchId, Fresh};
pub use entry::Entry;
pub use fault::{StartError, StoreError};
pub use inbox::{Inbox, InboxLost, Received};
pub use post::{Full, Lost, Post};
pub use presence::NodeRecord;
pub use read::Loaded;
pub use tail::Tail;
pub use wire::Wire;

use self::{epoch::Epoch, keys::Keys, link::Link};
use crate::id::RoomId;

/// See the module. Clones are of the same one. It lives on while Redis does not answer.
#[derive(Debug, Clone)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    link: Link,
    keys: Keys,
    epoch: Mutex<Epoch>,
    fence: AtomicU64,
    log_events: u64,
    wait_replicas: u64,
}

/// What has a version of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// One room.
    Room(&'a RoomId),
    /// Who is kept out.
    Bans,
}

impl Store {
    /// How long a command may take.
    pub fn timeout(&self) -> Duration {
        self.0.link.timeout()
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// [`StoreError`], if not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.time().await.map(|_: SystemTime| ())
    }
}
