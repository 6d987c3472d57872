//! A client's socket that takes what the test says.

#![allow(unreachable_pub, reason = "each test binary has its own copy")]

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use signalpost::hub::{Client, Link, Outbox};

/// See the module.
#[derive(Debug, Default)]
pub struct Taking(AtomicU64);

impl Taking {
    /// This client's from now on; it has taken nothing yet.
    pub fn of(client: &Client) -> Arc<Self> {
        let socket = Arc::new(Self::default());
        client.attach(Arc::clone(&socket) as Arc<dyn Link>);
        socket
    }

    /// It takes so many bytes.
    pub fn takes(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Link for Taking {
    fn flush(&self, _: &Outbox) {}

    fn taken(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
