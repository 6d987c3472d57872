//! How often something may be done: a bucket is one number, the tick in which it will be full again (the generic cell
//! rate algorithm of ITU-T I.371).

use std::collections::HashMap;

use parking_lot::Mutex;

use super::Network;
use crate::config::limits;

/// How many things a bucket holds, and how many ticks one takes to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) most: u32,
    pub(super) ticks: u32,
}

/// See the module. It takes 4 bytes, and is full at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) full_at: u32,
}

/// One for each address (IPv6: /48) that took something lately.
#[derive(Debug)]
pub(super) struct Buckets {
    shape: Shape,
    table: Mutex<HashMap<Network, Bucket>>,
}

impl Bucket {
    /// # Errors
    /// How many ticks it is until there is one. Then none was taken.
    pub(super) fn take(&mut self, shape: Shape, now: u32) -> Result<(), u32> {
        let full_at = self.full_at.max(now) + shape.ticks;
        let wait = (full_at - now).saturating_sub(shape.most * shape.ticks);
        if wait > 0 {
            return Err(wait);
        }
        self.full_at = full_at;
        Ok(())
    }

    pub(super) fn give_back(&mut self, shape: Shape) {
        self.full_at = self.full_at.saturating_sub(shape.ticks);
    }
}

impl Buckets {
    pub(super) fn new(shape: Shape) -> Self {
        Self { shape, table: Mutex::default() }
    }

    /// # Errors
    /// How many ticks it is until there is one.
    pub(super) fn has_one(&self, network: Network, now: u32) -> Result<(), u32> {
        let bucket = self.table.lock().get(&network.of_site()).copied();
        bucket.unwrap_or_default().take(self.shape, now)
    }

    /// # Errors
    /// How many ticks it is until there is one. Then none was taken.
    pub(super) fn take(&self, network: Network, now: u32) -> Result<(), u32> {
        let (mut table, network) = (self.table.lock(), network.of_site());
        if table.len() >= limits::COUNTED_ADDRESSES && !table.contains_key(&network) {
            return Ok(());
        }
        table.entry(network).or_default().take(self.shape, now)
    }

    pub(super) fn give_back(&self, network: Network) {
        if let Some(bucket) = self.table.lock().get_mut(&network.of_site()) {
            bucket.give_back(self.shape);
        }
    }

    /// Forgets addresses whose bucket is full.
    pub(super) fn forget(&self, now: u32) {
        self.table.lock().retain(|_, bucket| bucket.full_at > now);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.lock().len()
    }
}
