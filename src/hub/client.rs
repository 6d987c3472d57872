//! One connected client, as everyone but its own connection sees it.

use std::sync::atomic::{AtomicU32, Ordering};

use super::outbox::Outbox;
use crate::{config::OutboxLimits, id::ClientId};

/// Its name, what is due to it, and when it was last heard of.
#[derive(Debug)]
pub struct Client {
    /// The server's name for it.
    pub id: ClientId,
    /// What is due to it.
    pub outbox: Outbox,
    heard_at: AtomicU32,
}

impl Client {
    pub(super) fn new(limits: OutboxLimits) -> Self {
        Self { id: ClientId::random(), outbox: Outbox::new(limits), heard_at: AtomicU32::new(0) }
    }

    pub(super) fn heard(&self, tick: u32) {
        self.heard_at.store(tick, Ordering::Relaxed);
    }

    /// The heartbeat's tick in which it last sent anything, a pong included.
    pub(super) fn heard_at(&self) -> u32 {
        self.heard_at.load(Ordering::Relaxed)
    }
}
