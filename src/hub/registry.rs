//! All connected clients by name. Asked on connecting, on leaving and by administrators, never for a signal.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use super::{Client, NotLetIn};
use crate::id::{ClientId, IdHasher};

const SHARDS: usize = 64;

/// See the module.
#[derive(Debug)]
pub(super) struct Registry {
    shards: [Mutex<HashMap<ClientId, Arc<Client>, IdHasher>>; SHARDS],
    hasher: IdHasher,
    count: AtomicUsize,
    most: usize,
    /// The same, or zero while nobody is let in.
    max: AtomicUsize,
}

impl Registry {
    pub(super) fn new(max: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: IdHasher::default(),
            count: AtomicUsize::new(0),
            most: max,
            max: AtomicUsize::new(max),
        }
    }

    pub(super) fn insert(&self, client: &Arc<Client>) -> Result<(), NotLetIn> {
        let mut shard = self.shard(client.id).lock();
        // Asked under the shard's lock, so that nobody slips in behind `close` and `for_each`.
        let max = self.max.load(Ordering::SeqCst);
        let free = |count| (count < max).then_some(count + 1);
        self.count
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, free)
            .map_err(|_| NotLetIn::Full)?;
        shard.insert(client.id, Arc::clone(client));
        Ok(())
    }

    pub(super) fn remove(&self, id: ClientId) {
        if self.shard(id).lock().remove(&id).is_some() {
            self.count.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Lets nobody in any more.
    pub(super) fn close(&self) {
        self.max.store(0, Ordering::SeqCst);
    }

    /// Lets them in again.
    pub(super) fn open(&self) {
        self.max.store(self.most, Ordering::SeqCst);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    pub(super) fn find(&self, id: ClientId) -> Option<Arc<Client>> {
        self.shard(id).lock().get(&id).cloned()
    }

    /// All of them. Whoever is connected meanwhile is one of them; others may be.
    pub(super) fn ids(&self) -> Vec<ClientId> {
        let mut ids = Vec::with_capacity(self.count.load(Ordering::Relaxed));
        for shard in &self.shards {
            ids.extend(shard.lock().keys());
        }
        ids
    }

    pub(super) fn for_each(&self, mut visit: impl FnMut(&Arc<Client>)) {
        for shard in &self.shards {
            // Copied first: whoever connects or leaves meanwhile shall not wait for all the visits.
            let clients: Vec<_> = shard.lock().values().cloned().collect();
            clients.iter().for_each(&mut visit);
        }
    }

    fn shard(&self, id: ClientId) -> &Mutex<HashMap<ClientId, Arc<Client>, IdHasher>> {
        let hash = usize::try_from(self.hasher.hash_one(id) % SHARDS as u64);
        &self.shards[hash.expect("less than SHARDS")]
    }
}
