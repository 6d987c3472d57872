//! One connected client, as everyone but its own connection sees it.

use std::{
    fmt::Debug,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{
    outbox::{Entry, Flush, Outbox},
    turn,
};
use crate::{config::OutboxLimits, id::ClientId};

/// Its name, what is due to it and how that gets there, and when it was last heard of.
#[derive(Debug)]
pub struct Client {
    /// The server's name for it.
    pub id: ClientId,
    /// What is due to it.
    pub outbox: Outbox,
    link: OnceLock<Arc<dyn Link>>,
    heard_at: AtomicU32,
}

/// The way from an outbox to its client's socket, for those who do not own the connection.
pub trait Link: Debug + Send + Sync {
    /// Sends what is due as far as the socket takes it at once. What it does not take is left to the
    /// connection's own task.
    fn flush(&self, outbox: &Outbox);
}

impl Client {
    pub(super) fn new(limits: OutboxLimits) -> Self {
        Self {
            id: ClientId::random(),
            outbox: Outbox::new(limits),
            link: OnceLock::new(),
            heard_at: AtomicU32::new(0),
        }
    }

    /// From now on, whoever has something to say to this client flushes `link` at the end of its turn.
    pub fn attach(&self, link: Arc<dyn Link>) {
        let attached = self.link.set(link);
        debug_assert!(attached.is_ok(), "a client has one connection");
    }

    /// Says something to the client: it is sent at the end of the caller's turn, or by the client's own task.
    pub(super) fn push(self: &Arc<Self>, entry: Entry) {
        match self.outbox.push(entry) {
            Flush::Scheduled => {}
            Flush::Later => turn::flush_later(self, false),
            Flush::Soon => turn::flush_later(self, true),
        }
    }

    pub(super) fn flush(&self) {
        match self.link.get() {
            Some(link) => link.flush(&self.outbox),
            None => self.outbox.summon(),
        }
    }

    pub(super) fn heard(&self, tick: u32) {
        self.heard_at.store(tick, Ordering::Relaxed);
    }

    /// The heartbeat's tick in which it last sent anything, a pong included.
    pub(super) fn heard_at(&self) -> u32 {
        self.heard_at.load(Ordering::Relaxed)
    }
}
