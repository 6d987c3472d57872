//! Which nodes there are, and which of them live: each holds a lease that it renews, and what is left of one whose
//! lease is over is cleared away by one other at a time.

use std::{sync::LazyLock, time::Duration};

use redis::{Cmd, cmd};
use tokio::join;

use super::{Store, StoreError, link::Code};
use crate::id::Incarnation;

static ENTER: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("node_enter.lua")));
static FORGET: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("node_forget.lua")));
static CLAIM: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("node_claim.lua")));
static NODES: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("nodes.lua")));

/// A node that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRecord {
    /// Its name.
    pub incarnation: Incarnation,
    /// What it says of itself, as it was given to [`Store::enter`].
    pub info: Vec<u8>,
    /// What is left of its lease, unless that is over.
    pub lease: Option<Duration>,
}

impl Store {
    /// Makes a node known, and gives it a lease. Its inbox is open by then.
    ///
    /// # Errors
    /// [`StoreError`]; then a node tries it with another name.
    pub async fn enter(
        &self,
        node: Incarnation,
        info: &[u8],
        lease: Duration,
    ) -> Result<(), StoreError> {
        let add = |command: &mut Cmd| {
            command.arg(node.to_string()).arg(info).arg(milliseconds(lease));
        };
        let keys = [&*self.0.keys.lease(node), &*self.0.keys.nodes];
        self.0.link.run(&ENTER, &keys, add).await
    }

    /// Has the lease hold for as long again, and the inbox live on. False where either is over: it cannot be had back, for
    /// others may be giving up the node's seats, or have found nowhere to leave their letters. A lease's name is its
    /// holder's, so nobody renews another's.
    ///
    /// # Errors
    /// [`StoreError`]. The lease may be over by then.
    pub async fn renew(&self, node: Incarnation, lease: Duration) -> Result<bool, StoreError> {
        let key = self.0.keys.lease(node);
        let mut command = cmd("PEXPIRE");
        command.arg(&key).arg(milliseconds(lease));
        let (held, kept) = join!(self.0.link.ask(&key, &command), self.keep_inbox(node, lease));
        // Before an inbox expires it can fail to be kept as often as three leases can fail to be renewed.
        let is_kept = kept.unwrap_or_else(|error| {
            tracing::debug!(%node, %error, "the inbox was not renewed");
            true
        });
        held.map(|held: bool| held && is_kept)
    }

    /// Gives up the lease and the inbox, and has the node forgotten if it has no seats any more.
    ///
    /// # Errors
    /// [`StoreError`]. What is left is cleared away by another node.
    pub async fn leave(&self, node: Incarnation) -> Result<(), StoreError> {
        self.forget(node, true).await?;
        self.remove_inbox(node).await;
        Ok(())
    }

    /// Every node that is known, in no order. It is one moment that is shown.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn nodes(&self) -> Result<Vec<NodeRecord>, StoreError> {
        let add = |command: &mut Cmd| {
            command.arg(self.0.keys.leases());
        };
        let known: Vec<(String, Vec<u8>, i64)> =
            self.0.link.run(&NODES, &[&self.0.keys.nodes], add).await?;
        let record = |(name, info, left): (String, _, i64)| {
            let lease = u64::try_from(left).ok().map(Duration::from_millis);
            Some(NodeRecord { incarnation: name.parse().ok()?, info, lease })
        };
        Ok(known.into_iter().filter_map(record).collect())
    }

    /// Whether `by` alone may give up the seats of a node whose lease is over, for so long. Who has the claim has it for
    /// as long again.
    ///
    /// # Errors
    /// [`StoreError`]. The claim may have been given.
    pub async fn claim_reaping(
        &self,
        of: Incarnation,
        by: Incarnation,
        time: Duration,
    ) -> Result<bool, StoreError> {
        let add = |command: &mut Cmd| {
            command.arg(by.to_string()).arg(milliseconds(time));
        };
        let keys = [&*self.0.keys.lease(of), &*self.0.keys.claim(of)];
        self.0.link.run(&CLAIM, &keys, add).await
    }

    /// Forgets a node whose lease is over and whose seats are all given up, and removes its inbox and the claim. False
    /// where one of the two is not so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn buried(&self, of: Incarnation) -> Result<bool, StoreError> {
        let is_forgotten = self.forget(of, false).await?;
        if is_forgotten {
            self.remove_inbox(of).await;
        }
        Ok(is_forgotten)
    }

    async fn forget(&self, node: Incarnation, leaves: bool) -> Result<bool, StoreError> {
        let add = |command: &mut Cmd| {
            command.arg(node.to_string()).arg(u8::from(leaves));
        };
        let keys = [
            &*self.0.keys.lease(node),
            &*self.0.keys.nodes,
            &*self.0.keys.seats(node),
            &*self.0.keys.claim(node),
        ];
        self.0.link.run(&FORGET, &keys, add).await
    }
}

/// A time as Redis has it.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
