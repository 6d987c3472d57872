//! All rooms by name, in shards that are each in the order of names, so that a page of a listing is a merge.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use itertools::Itertools;
use parking_lot::Mutex;

use super::cell::RoomCell;
use crate::id::RoomId;

const SHARDS: usize = 32;

/// See the module.
#[derive(Debug)]
pub(super) struct Directory {
    shards: [Mutex<BTreeMap<RoomId, Arc<RoomCell>>>; SHARDS],
    hasher: RandomState,
    count: AtomicUsize,
    max: usize,
}

/// The server has as many rooms as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyRooms;

impl Directory {
    pub(super) fn new(max: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            count: AtomicUsize::new(0),
            max,
        }
    }

    pub(super) fn find(&self, id: &RoomId) -> Option<Arc<RoomCell>> {
        self.shard(id).lock().get(id).cloned()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Whether a room that is not there yet could be made.
    pub(super) fn has_space(&self) -> bool {
        self.count.load(Ordering::SeqCst) < self.max
    }

    /// The room's cell, made by `vacant` if there is none.
    pub(super) fn find_or_insert(
        &self,
        id: &RoomId,
        vacant: impl FnOnce() -> RoomCell,
    ) -> Result<Arc<RoomCell>, TooManyRooms> {
        let mut shard = self.shard(id).lock();
        if let Some(cell) = shard.get(id) {
            return Ok(Arc::clone(cell));
        }
        self.insert(&mut shard, id, self.max, vacant)
    }

    /// The same of a room that is shared with other servers, and stays until it is released; one of too many, if it is
    /// `owed`. Returns whether it is to be driven too.
    pub(super) fn hold(
        &self,
        id: &RoomId,
        owed: bool,
        vacant: impl FnOnce() -> RoomCell,
    ) -> Result<(Arc<RoomCell>, bool), TooManyRooms> {
        let mut shard = self.shard(id).lock();
        if let Some(cell) = shard.get(id) {
            return Ok((Arc::clone(cell), cell.hold()));
        }
        let max = if owed { usize::MAX } else { self.max };
        let cell = self.insert(&mut shard, id, max, vacant)?;
        let is_to_be_driven = cell.hold();
        Ok((cell, is_to_be_driven))
    }

    fn insert(
        &self,
        shard: &mut BTreeMap<RoomId, Arc<RoomCell>>,
        id: &RoomId,
        max: usize,
        vacant: impl FnOnce() -> RoomCell,
    ) -> Result<Arc<RoomCell>, TooManyRooms> {
        let free = |count| (count < max).then_some(count + 1);
        self.count
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, free)
            .map_err(|_| TooManyRooms)?;
        let cell = Arc::new(vacant());
        shard.insert(id.clone(), Arc::clone(&cell));
        Ok(cell)
    }

    /// Forgets a room that is shared with others, if nobody here has anything to do with it.
    pub(super) fn forget_if_idle(&self, idle: &Arc<RoomCell>) {
        let mut shard = self.shard(idle.id()).lock();
        if idle.is_idle() && shard.get(idle.id()).is_some_and(|cell| Arc::ptr_eq(cell, idle)) {
            shard.remove(idle.id());
            self.count.fetch_sub(1, Ordering::SeqCst);
        }
    }

    pub(super) fn for_each(&self, mut visit: impl FnMut(&Arc<RoomCell>)) {
        for shard in &self.shards {
            let cells: Vec<_> = shard.lock().values().cloned().collect();
            cells.iter().for_each(&mut visit);
        }
    }

    /// Forgets a cell that closed, unless another one has its place already.
    pub(super) fn forget(&self, closed: &Arc<RoomCell>) {
        let mut shard = self.shard(closed.id()).lock();
        if shard.get(closed.id()).is_some_and(|cell| Arc::ptr_eq(cell, closed)) {
            shard.remove(closed.id());
            self.count.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// The same where it is not known whether it closed.
    pub(super) fn forget_if_closed(&self, cell: &Arc<RoomCell>) {
        if cell.is_closed() {
            self.forget(cell);
        }
    }

    /// The first `max` cells with names after `after` that begin with `prefix`.
    pub(super) fn page(
        &self,
        after: Option<&RoomId>,
        prefix: &str,
        max: usize,
    ) -> Vec<Arc<RoomCell>> {
        // No name is shorter than what it begins with, so all of them come from there on.
        let first: Option<RoomId> = prefix.parse().ok();
        let start = match (after, &first) {
            (Some(after), Some(first)) if after < first => Bound::Included(first),
            (Some(after), _) => Bound::Excluded(after),
            (None, Some(first)) => Bound::Included(first),
            (None, None) => Bound::Unbounded,
        };
        let run = |shard: &Mutex<BTreeMap<RoomId, Arc<RoomCell>>>| {
            let shard = shard.lock();
            let cells = shard.range::<RoomId, _>((start, Bound::Unbounded));
            let cells = cells.take_while(|(id, _)| id.as_str().starts_with(prefix));
            cells.take(max).map(|(_, cell)| Arc::clone(cell)).collect::<Vec<_>>()
        };
        let runs = self.shards.iter().map(run);
        runs.kmerge_by(|a, b| a.id() < b.id()).take(max).collect()
    }

    fn shard(&self, id: &RoomId) -> &Mutex<BTreeMap<RoomId, Arc<RoomCell>>> {
        let hash = usize::try_from(self.hasher.hash_one(id) % SHARDS as u64);
        &self.shards[hash.expect("less than SHARDS")]
    }
}
