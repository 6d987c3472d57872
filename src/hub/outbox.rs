//! What is due to one client: a counted queue, which holds back who fills it, between everyone who has something to say
//! to it and whoever writes to its socket.
//!
//! Counted means: an entry counts until the client has it. `taken` of them are on their way to the socket;
//! a plain client acknowledges them by having its socket take them.

mod entry;

use std::{
    cell::RefCell,
    collections::VecDeque,
    mem,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use parking_lot::{Mutex, MutexGuard};

pub use entry::Entry;

use super::{Client, Ending, Hub, ending::Urgency, keep::Keep};
use crate::config::OutboxLimits;

thread_local! {
    /// The buffers of outboxes that ran empty, for the next ones that fill: an idle client has none, and a
    /// busy one need not allocate.
    static SPARES: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// Messages in order. In a box, so that a client without any has less.
#[derive(Debug, Default)]
struct Buffer(#[expect(clippy::box_collection, reason = "as it says")] Box<VecDeque<Entry>>);

/// How many buffers a thread keeps, and how large they may be.
const SPARES_KEPT: usize = 64;
const SPARE_ENTRIES: usize = 64;
/// In which steps it is counted what the server keeps for all: a moment's messages to one client are none.
const BLOCK_BYTES: usize = 32 << 10;

/// See the module.
#[derive(Debug)]
pub struct Outbox {
    pub(super) hub: Arc<Hub>,
    queue: Mutex<Queue>,
    /// Whether the connection's own task has to look at the outbox, or at its socket, itself.
    summoned: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    /// An idle client has none.
    entries: Option<Buffer>,
    bytes: usize,
    /// How many messages the client has.
    acknowledged: u64,
    /// A batch and a message at most.
    taken_bytes: u32,
    taken: u32,
    ping: bool,
    /// Whether somebody is going to flush, so that nobody else need see to it: set by the push whose caller
    /// will, cleared by whoever takes the last entry. While the socket is full it stays set: the
    /// connection's own task goes on once the socket takes more.
    scheduled: bool,
    ending: Option<Ending>,
    /// Who is not listened to until this drains.
    holding: Held,
    /// The connection's own task.
    owner: Option<Waker>,
}

/// Clients that wait for an outbox to drain, unless they are gone. In a box: few outboxes ever fill.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "a third of the size for everybody")]
struct Held(Option<Box<Vec<Weak<Client>>>>);

impl Held {
    fn let_go(self) {
        let clients = self.0.into_iter().flat_map(|clients| *clients);
        clients.filter_map(|client| client.upgrade()).for_each(|client| client.let_go());
    }
}

/// Whose doing it is that something is said.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cause<'a> {
    /// The server's, or an administrator's.
    Server,
    /// This client says it.
    Said(&'a Arc<Client>),
    /// It is news of this client.
    Changed(&'a Arc<Client>),
}

/// What [`Outbox::push`] has led to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pushed {
    pub(super) flush: Flush,
    /// Whether the outbox has to be looked after from now on, as it is [heavy](Outbox::is_heavy).
    pub(super) is_heavy: bool,
}

/// What an outbox holds, due or on its way, and how many messages its client has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Depth {
    pub(super) messages: usize,
    /// What the messages count, not what they take as frames.
    pub(super) bytes: usize,
    pub(super) acknowledged: u64,
    /// Whether its client [has to take it](Outbox::is_pressed).
    pub(super) is_pressed: bool,
}

/// What the caller of [`Outbox::push`] is to see to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flush {
    /// Nothing: somebody else does, or there is nothing to flush any more.
    Scheduled,
    /// A flush, when it has said all that it has to say.
    Later,
    /// A flush before it handles another message: the outbox is more than half full, and the other half is
    /// sure to take only what one message leads to.
    Soon,
}

/// What whoever flushes is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing for now.
    Nothing,
    /// Send the entries that were put into its batch, and a ping if so told.
    Send {
        /// Whether to ping, after the entries.
        ping: bool,
    },
    /// Close the connection.
    End(Ending),
}

impl Outbox {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self { hub, queue: Mutex::default(), summoned: AtomicBool::new(false) }
    }

    /// Adds a message: none is ever left out. Where that makes the outbox more than half full, or more than full,
    /// its `cause` is held until it is down to a quarter.
    pub(super) fn push(&self, entry: Entry, cause: Cause<'_>) -> Pushed {
        let mut queue = self.queue.lock();
        if queue.ending.is_some() {
            return Pushed { flush: Flush::Scheduled, is_heavy: false };
        }
        self.append(&mut queue, entry);
        let scheduled = mem::replace(&mut queue.scheduled, true);
        if queue.is_over(self.hub.keep.half) {
            let holds = match cause {
                Cause::Server => None,
                Cause::Said(client) => Some(client),
                Cause::Changed(client) => {
                    Some(client).filter(|_| queue.is_over(self.hub.keep.full))
                }
            };
            if let Some(client) = holds {
                client.hold();
                queue.holding.0.get_or_insert_default().push(Arc::downgrade(client));
            }
            return Pushed { flush: Flush::Soon, is_heavy: true };
        }
        let flush = if scheduled { Flush::Scheduled } else { Flush::Later };
        Pushed { flush, is_heavy: queue.bytes >= BLOCK_BYTES }
    }

    /// Has the client pinged.
    pub fn ping(&self) {
        let mut queue = self.queue.lock();
        queue.ping = true;
        self.summon_locked(&queue);
    }

    /// Ends the connection, by its own task. The first reason stands, unless what came later is more urgent.
    pub fn end(&self, ending: Ending) {
        self.end_locked(self.queue.lock(), ending);
    }

    /// The same after a last word, unless the connection is at its end already. Returns whether that is said.
    pub(super) fn end_after(&self, word: Entry, ending: Ending) -> bool {
        let mut queue = self.queue.lock();
        let is_said = queue.ending.is_none();
        if is_said {
            self.append(&mut queue, word);
        }
        self.end_locked(queue, ending);
        is_said
    }

    fn end_locked(&self, mut queue: MutexGuard<'_, Queue>, ending: Ending) {
        if queue.ending.is_some_and(|first| first.urgency() >= ending.urgency()) {
            return;
        }
        queue.ending = Some(ending);
        if ending.urgency() == Urgency::AtOnce {
            let before = queue.bytes;
            queue.entries = None;
            (queue.bytes, queue.taken, queue.taken_bytes) = (0, 0, 0);
            self.count(before, 0);
        }
        self.summon_locked(&queue);
        self.let_go_if_drained(queue);
    }

    /// Lets everybody go who waits for it to drain: its connection is at its end.
    pub(super) fn let_go(&self) {
        let held = mem::take(&mut self.queue.lock().holding);
        held.let_go();
    }

    /// What is kept for all clients, this one among them.
    pub(super) fn keep(&self) -> &Keep {
        &self.hub.keep
    }

    /// How much there is, and was.
    pub(super) fn depth(&self) -> Depth {
        let queue = self.queue.lock();
        Depth {
            messages: queue.messages(),
            bytes: queue.bytes,
            acknowledged: queue.acknowledged,
            is_pressed: queue.holding.0.is_some() || queue.is_over(self.hub.keep.half),
        }
    }

    /// How many bytes are due, or on their way.
    pub(super) fn bytes(&self) -> usize {
        self.queue.lock().bytes
    }

    /// Whether its client has to take what is due: it is more than half full, or somebody waits for it to drain.
    pub(super) fn is_pressed(&self) -> bool {
        self.depth().is_pressed
    }

    /// Whether it holds so much that this counts among what the server keeps.
    pub(super) fn is_heavy(&self) -> bool {
        let queue = self.queue.lock();
        queue.bytes >= BLOCK_BYTES || queue.holding.0.is_some() || queue.is_over(self.hub.keep.half)
    }

    /// Whether the connection is at its end.
    pub(super) fn is_ending(&self) -> bool {
        self.queue.lock().ending.is_some()
    }

    /// From now on `waker` wakes the connection's own task.
    pub fn owned_by(&self, waker: &Waker) {
        self.queue.lock().owner = Some(waker.clone());
    }

    /// Has the connection's own task see to what is due, and to its socket.
    pub fn summon(&self) {
        self.summon_locked(&self.queue.lock());
    }

    /// The same for the next time that its task wakes of its own accord.
    pub fn summon_quietly(&self) {
        self.summoned.store(true, Ordering::Release);
    }

    /// For the connection's own task: whether it was summoned since it last asked. One that has no message
    /// to handle and was not summoned has nothing to do.
    pub fn was_summoned(&self) -> bool {
        self.summoned.load(Ordering::Relaxed) && self.summoned.swap(false, Ordering::Acquire)
    }

    /// Tells what to do next: sending goes before an orderly end, and a disorderly end before
    /// sending. Moves entries into `batch` up to `batch_bytes` (at least one).
    pub fn take_due(&self, batch: &mut Vec<Entry>, batch_bytes: usize) -> Due {
        let mut queue = self.queue.lock();
        let mut bytes = 0;
        while bytes < batch_bytes
            && let Some(entry) = queue.entries.as_mut().and_then(|entries| entries.0.pop_front())
        {
            bytes += entry.weight();
            batch.push(entry);
            queue.taken += 1;
        }
        queue.taken_bytes += u32::try_from(bytes).expect("a batch is far below 4 GiB");
        queue.scheduled = queue.is_due();
        self.hub.metrics.sent_messages(batch.len());
        if let Some(buffer) = queue.entries.take_if(|entries| entries.0.is_empty())
            && buffer.0.capacity() <= SPARE_ENTRIES
        {
            SPARES.with_borrow_mut(|spares| {
                if spares.len() < SPARES_KEPT {
                    spares.push(buffer);
                }
            });
        }
        let ping = mem::take(&mut queue.ping);
        if !batch.is_empty() || ping {
            return Due::Send { ping };
        }
        queue.ending.map_or(Due::Nothing, Due::End)
    }

    /// The client has everything that was taken. Returns whether anything else is due.
    pub fn acknowledge(&self) -> bool {
        let mut queue = self.queue.lock();
        let before = queue.bytes;
        queue.bytes -= queue.taken_bytes as usize;
        queue.acknowledged += u64::from(queue.taken);
        (queue.taken, queue.taken_bytes) = (0, 0);
        self.count(before, queue.bytes);
        let more = queue.is_due() || queue.ping || queue.ending.is_some();
        self.let_go_if_drained(queue);
        more
    }

    /// Where the socket is full: how the connection is to end whatever is still unsent.
    pub fn abandoned(&self) -> Option<Ending> {
        self.queue.lock().ending.filter(|ending| ending.urgency() > Urgency::Patient)
    }

    /// Notes that its client's socket took so many bytes.
    pub fn sent(&self, bytes: u64) {
        self.hub.metrics.sent(bytes);
    }

    fn append(&self, queue: &mut Queue, entry: Entry) {
        let before = queue.bytes;
        queue.bytes += entry.weight();
        self.count(before, queue.bytes);
        let spare = || SPARES.with_borrow_mut(Vec::pop).unwrap_or_default();
        queue.entries.get_or_insert_with(spare).0.push_back(entry);
    }

    /// Lets everybody go whom it holds back, without its lock, if it is down to a quarter.
    fn let_go_if_drained(&self, mut queue: MutexGuard<'_, Queue>) {
        if queue.holding.0.is_some() && !queue.is_over(self.hub.keep.quarter) {
            let held = mem::take(&mut queue.holding);
            drop(queue);
            held.let_go();
        }
    }

    /// Counts what is kept among what is kept for all: most messages change nothing there.
    fn count(&self, before: usize, after: usize) {
        if before / BLOCK_BYTES != after / BLOCK_BYTES {
            self.hub
                .keep
                .adjust(before / BLOCK_BYTES * BLOCK_BYTES, after / BLOCK_BYTES * BLOCK_BYTES);
        }
    }

    fn summon_locked(&self, queue: &Queue) {
        self.summoned.store(true, Ordering::Release);
        if let Some(owner) = &queue.owner {
            owner.wake_by_ref();
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let bytes = self.queue.get_mut().bytes;
        self.count(bytes, 0);
        self.let_go();
    }
}

impl Queue {
    /// Whether there is anything that was not taken yet.
    fn is_due(&self) -> bool {
        self.entries.as_ref().is_some_and(|entries| !entries.0.is_empty())
    }

    fn messages(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| entries.0.len()) + self.taken as usize
    }

    fn is_over(&self, part: OutboxLimits) -> bool {
        self.messages() > part.messages || self.bytes > part.bytes
    }
}
