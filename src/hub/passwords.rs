//! Passwords of rooms, hashed and compared outside of every lock and of the threads that relay, few at a time and in
//! turns by who asks.
//!
//! What waits to be hashed waits in a lane of its address, so that those who guess delay others by one password of each
//! guessing address, and how many wrong ones somebody may give is counted by client and address.

mod argon;
mod guesses;
mod queue;
mod workers;

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

pub use guesses::Guesses;

use super::{Hub, Network, rate::milliseconds};
use crate::{
    config::limits,
    metrics::{Metrics, PasswordCheck},
    password::Password,
    room::PasswordHash,
};
use {
    argon::Hasher,
    queue::Queue,
    workers::{Job, Workers},
};

/// See the module.
#[derive(Debug)]
pub(super) struct Passwords {
    workers: Workers<Task>,
    guesses: guesses::Addresses,
    metrics: Arc<Metrics>,
}

/// In whose turn a password is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// All administrators together.
    Administrator,
    /// All clients of an address (IPv6: /48) together.
    Client(Network),
}

/// Too many wait, or too many wrong ones came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords were given; try again later")]
pub struct Busy {
    /// After which time it may be tried again.
    pub retry_after: Duration,
}

struct Task {
    password: Password,
    asked_at: Instant,
    wish: Wish,
    metrics: Arc<Metrics>,
}

enum Wish {
    Hash(oneshot::Sender<PasswordHash>),
    Verify(PasswordHash, oneshot::Sender<bool>),
}

impl Hub {
    /// What a room keeps of a password. If this is dropped before its turn comes, nothing is done.
    ///
    /// # Errors
    /// Where too many wait.
    pub async fn hash_password(
        &self,
        asker: Asker,
        password: &Password,
    ) -> Result<PasswordHash, Busy> {
        self.passwords.ask(asker, password, Wish::Hash).await
    }

    /// Whether a password of a client is the one that was hashed. A wrong one counts for the client, whose `guesses`
    /// these are, and for its address. If this is dropped before its turn comes, nothing is done; it counts as wrong.
    ///
    /// # Errors
    /// Where the client or its address gave too many wrong ones, or too many wait.
    pub async fn verify_password(
        &self,
        network: Network,
        guesses: &mut Guesses,
        password: &Password,
        hash: &PasswordHash,
    ) -> Result<bool, Busy> {
        let Passwords { guesses: addresses, metrics, .. } = &self.passwords;
        if let Err(ticks) = addresses.take(network, guesses, self.heartbeat.now()) {
            metrics.password_check(PasswordCheck::Refused);
            return Err(Busy { retry_after: Duration::from_millis(milliseconds(ticks)) });
        }
        let wish = |answer| Wish::Verify(hash.clone(), answer);
        let is_right = self.passwords.ask(Asker::Client(network), password, wish).await;
        if is_right != Ok(false) {
            addresses.give_back(network, guesses);
        }
        metrics.password_check(match is_right {
            Ok(true) => PasswordCheck::Right,
            Ok(false) => PasswordCheck::Wrong,
            Err(Busy { .. }) => PasswordCheck::Refused,
        });
        is_right
    }
}

impl Passwords {
    pub(super) fn new(metrics: &Arc<Metrics>) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = (cores / 4).clamp(1, limits::PASSWORD_THREADS);
        let queue = Queue::new(limits::ADDRESS_PASSWORDS, limits::WAITING_PASSWORDS);
        Self {
            workers: Workers::new(threads, queue),
            guesses: guesses::Addresses::default(),
            metrics: Arc::clone(metrics),
        }
    }

    /// Forgets who gave wrong ones long ago.
    pub(super) fn forget(&self, now: u32) {
        self.guesses.forget(now);
    }

    async fn ask<T>(
        &self,
        asker: Asker,
        password: &Password,
        wish: impl FnOnce(oneshot::Sender<T>) -> Wish,
    ) -> Result<T, Busy> {
        let asker = match asker {
            Asker::Client(network) => Asker::Client(network.of_site()),
            Asker::Administrator => asker,
        };
        let (answer, answered) = oneshot::channel();
        let metrics = Arc::clone(&self.metrics);
        let (password, asked_at) = (password.clone(), Instant::now());
        self.workers.enqueue(asker, Task { password, asked_at, wish: wish(answer), metrics });
        answered.await.map_err(|_| Busy { retry_after: limits::PASSWORD_RETRY })
    }
}

impl Job for Task {
    type Memory = Hasher;

    fn is_wanted(&self) -> bool {
        match &self.wish {
            Wish::Hash(answer) => !answer.is_closed(),
            Wish::Verify(_, answer) => !answer.is_closed(),
        }
    }

    fn run(self, hasher: &mut Hasher) {
        self.metrics.password_wait(self.asked_at.elapsed());
        // Whoever asked may have gone meanwhile.
        match self.wish {
            Wish::Hash(answer) => drop(answer.send(hasher.hash(&self.password))),
            Wish::Verify(hash, answer) => drop(answer.send(hasher.verify(&self.password, &hash))),
        }
    }
}
