//! What the server keeps for its clients: how much in all, and how long it bears with those that do not take
//! what is due to them, or do not finish what they began to say.

use std::{
    cmp::Reverse,
    collections::HashMap,
    mem,
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use super::{Client, Ending, heartbeat::TICKS_A_SECOND};
use crate::config::{OutboxLimits, limits};

/// After how many looks it is known whose socket takes nothing.
const TAKES_NOTHING_KNOWN: u32 = 2;

/// See the module. One for all clients of a server.
#[derive(Debug)]
pub(super) struct Keep {
    /// What is kept for one client, a half of it, and a quarter.
    pub(super) full: OutboxLimits,
    pub(super) half: OutboxLimits,
    pub(super) quarter: OutboxLimits,
    /// For all of them.
    most_bytes: usize,
    bytes: AtomicUsize,
    /// For whom more is kept than a moment's messages, since the last look at them. Not for longer than they are
    /// there: their sockets close with them.
    enlisted: Mutex<Vec<Weak<Client>>>,
    watched: Mutex<Vec<Watched>>,
    /// For how many looks in a row it has been tight.
    tight_for: AtomicU32,
}

/// A client for whom something is kept, and how it goes on.
#[derive(Debug)]
struct Watched {
    client: Weak<Client>,
    /// What its socket had taken in all at the last look, and since when that is so.
    taken: u64,
    still_since: u32,
    /// Since when its outbox is over half full, or when that was last found to drain, and what had been taken then.
    pressed: Option<(u32, u64)>,
}

impl Keep {
    pub(super) fn new(outbox: OutboxLimits, most_bytes: usize) -> Self {
        let part =
            |of: usize| OutboxLimits { messages: outbox.messages / of, bytes: outbox.bytes / of };
        Self {
            full: outbox,
            half: part(2),
            quarter: part(4),
            most_bytes,
            bytes: AtomicUsize::new(0),
            enlisted: Mutex::default(),
            watched: Mutex::default(),
            tight_for: AtomicU32::new(0),
        }
    }

    /// Whether there is nothing left for anybody new.
    pub(super) fn is_tight(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.most_bytes - self.most_bytes / 8
    }

    /// What is kept for all clients.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed) as u64
    }

    /// Notes that `after` bytes are kept where it was `before`.
    pub(super) fn adjust(&self, before: usize, after: usize) {
        self.bytes.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }

    /// From now on, what is kept for this client is looked at, for as long as there is much.
    pub(super) fn enlist(&self, client: &Arc<Client>) {
        self.enlisted.lock().push(Arc::downgrade(client));
    }

    /// Ends those with whom the server has borne for long enough and, where it is tight, those who are the cause.
    pub(super) fn look(&self, now: u32) {
        let mut watched = self.watched.lock();
        let new = mem::take(&mut *self.enlisted.lock());
        watched.extend(new.into_iter().map(|client| Watched::new(client, now)));
        watched.retain_mut(|watched| {
            let Some(client) = watched.client.upgrade() else { return false };
            if let Some(ending) = watched.look(&client, now) {
                client.outbox.end(ending);
            }
            client.owes() || !client.strike_off()
        });
        if self.is_tight() {
            let tight_for = self.tight_for.fetch_add(1, Ordering::Relaxed);
            self.shed(&watched, tight_for, now);
        } else {
            self.tight_for.store(0, Ordering::Relaxed);
        }
    }

    fn shed(&self, watched: &[Watched], tight_for: u32, now: u32) {
        let kept = self.bytes.load(Ordering::Relaxed);
        tracing::warn!(
            kept,
            "near --memory-budget: nobody new is let in, and clients that make the server keep much are closed"
        );
        // An address is spared for which less than this is kept. The longer nobody new is let in, the less it is: many
        // together may be the cause.
        let share = (self.most_bytes / 8).checked_shr(tight_for).unwrap_or(0);
        let mut excess = kept.saturating_sub(self.most_bytes / 4 * 3);
        let clients = || watched.iter().filter_map(|watched| watched.client.upgrade());
        let unfinished = clients().map(|client| (client.unfinished_bytes(), client));
        shed(unfinished, &mut excess, share, Ending::Unfinished);
        let still = watched.iter().filter(|watched| now - watched.still_since >= TICKS_A_SECOND);
        let still = still.filter_map(|watched| watched.client.upgrade());
        let unread = still.map(|client| (client.outbox.bytes(), client));
        shed(unread, &mut excess, share, Ending::SlowConsumer);
        // Who takes a little goes after all who take nothing, which is known of them by then.
        if tight_for >= TAKES_NOTHING_KNOWN {
            let slow = clients().map(|client| (client.outbox.bytes(), client));
            shed(slow, &mut excess, share, Ending::SlowConsumer);
        }
    }
}

impl Watched {
    fn new(client: Weak<Client>, now: u32) -> Self {
        Self { client, taken: 0, still_since: now, pressed: None }
    }

    fn look(&mut self, client: &Client, now: u32) -> Option<Ending> {
        let taken = client.taken();
        if taken != self.taken {
            (self.taken, self.still_since) = (taken, now);
        }
        if client.unfinished_is_overdue(now) {
            return Some(Ending::Unfinished);
        }
        if !client.outbox.is_pressed() {
            self.pressed = None;
            return None;
        }
        let (since, taken_then) = *self.pressed.get_or_insert((now, taken));
        let waited = now - since;
        if waited < limits::SLOW_SECONDS * TICKS_A_SECOND {
            return None;
        }
        let least = limits::SLOW_BYTES_A_SECOND * (waited / TICKS_A_SECOND);
        self.pressed = Some((now, taken));
        (taken - taken_then < u64::from(least)).then_some(Ending::SlowConsumer)
    }
}

/// Ends clients until so many bytes less are kept: first those of the address for whose clients the most is kept, and
/// of these the one for whom the most is. An address for which no more than `share` is kept is spared.
fn shed(
    clients: impl Iterator<Item = (usize, Arc<Client>)>,
    excess: &mut usize,
    share: usize,
    ending: Ending,
) {
    let mut by_address: HashMap<_, Vec<_>> = HashMap::new();
    for (bytes, client) in clients.filter(|(bytes, _)| *bytes > 0) {
        by_address.entry(client.network()).or_default().push((bytes, client));
    }
    let total = |clients: &Vec<(usize, _)>| clients.iter().map(|(bytes, _)| bytes).sum::<usize>();
    let mut by_address: Vec<_> = by_address.into_values().collect();
    by_address.retain(|clients| total(clients) > share);
    by_address.sort_by_key(|clients| Reverse(total(clients)));
    for mut clients in by_address {
        clients.sort_by_key(|(bytes, _)| Reverse(*bytes));
        for (bytes, client) in clients {
            if *excess == 0 {
                return;
            }
            client.outbox.end(ending);
            *excess = excess.saturating_sub(bytes);
        }
    }
}
