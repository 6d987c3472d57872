//! What is due to one client: a bounded, counted queue between everyone who has something to say to it and
//! whoever writes to its socket.
//!
//! Counted means: an entry counts until the client has it. `taken` of them are on their way to the socket;
//! a plain client acknowledges them by having its socket take them.

use std::{
    cell::RefCell,
    collections::VecDeque,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
};

use parking_lot::Mutex;

use crate::{
    config::{OutboxLimits, limits::OUTBOX_MESSAGE_OVERHEAD},
    protocol::{Announcement, Frame},
    room::LeaveReason,
};

thread_local! {
    /// The buffers of outboxes that ran empty, for the next ones that fill: an idle client has none, and a
    /// busy one need not allocate.
    static SPARES: RefCell<Vec<VecDeque<Entry>>> = const { RefCell::new(Vec::new()) };
}

/// How many buffers a thread keeps, and how large they may be.
const SPARES_KEPT: usize = 64;
const SPARE_ENTRIES: usize = 64;

/// See the module.
#[derive(Debug)]
pub struct Outbox {
    /// In 4 bytes each, as everybody has them: 4 GiB are more than any limit.
    most_messages: u32,
    most_bytes: u32,
    queue: Mutex<Queue>,
    /// Whether the connection's own task has to look at the outbox, or at its socket, itself.
    summoned: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    entries: VecDeque<Entry>,
    bytes: usize,
    taken_bytes: usize,
    taken: u32,
    ping: bool,
    /// Whether somebody is going to flush, so that nobody else need see to it: set by the push whose caller
    /// will, cleared by whoever takes the last entry. While the socket is full it stays set: the
    /// connection's own task goes on once the socket takes more.
    scheduled: bool,
    ending: Option<Ending>,
    /// The connection's own task.
    owner: Option<Waker>,
}

/// One message, shared with whoever else gets it.
#[derive(Debug, Clone)]
pub enum Entry {
    /// Ready to send.
    Frame(Frame),
    /// To be encoded by whoever sends it first.
    Announcement(Arc<Announcement>),
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

/// Why the server ends a connection of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The server stops. What is due is still sent.
    GoingAway,
    /// No answer to a ping. What is due is dropped.
    HeartbeatTimeout,
    /// The outbox was full. What is due is dropped.
    SlowConsumer,
    /// The server stops now. What is due is dropped.
    CutOff,
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
    pub(super) fn new(limits: OutboxLimits) -> Self {
        Self {
            most_messages: limits.messages.try_into().unwrap_or(u32::MAX),
            most_bytes: limits.bytes.try_into().unwrap_or(u32::MAX),
            queue: Mutex::default(),
            summoned: AtomicBool::new(false),
        }
    }

    /// Adds a message, or ends the connection if there is no room for it: a message is never left out.
    pub(super) fn push(&self, entry: Entry) -> Flush {
        let mut queue = self.queue.lock();
        if queue.ending.is_some() {
            return Flush::Scheduled;
        }
        let (messages, bytes) = (queue.messages() + 1, queue.bytes + entry.weight());
        let (most_messages, most_bytes) = (self.most_messages as usize, self.most_bytes as usize);
        if messages > most_messages || bytes > most_bytes {
            self.end_locked(&mut queue, Ending::SlowConsumer);
            return Flush::Scheduled;
        }
        queue.bytes = bytes;
        if queue.entries.capacity() == 0 {
            queue.entries = SPARES.with_borrow_mut(Vec::pop).unwrap_or_default();
        }
        queue.entries.push_back(entry);
        let scheduled = mem::replace(&mut queue.scheduled, true);
        if 2 * messages > most_messages || 2 * bytes > most_bytes {
            Flush::Soon
        } else if scheduled {
            Flush::Scheduled
        } else {
            Flush::Later
        }
    }

    /// Has the client pinged.
    pub fn ping(&self) {
        let mut queue = self.queue.lock();
        queue.ping = true;
        self.summon_locked(&queue);
    }

    /// Ends the connection, by its own task. The first reason stands, unless what came later is more urgent.
    pub fn end(&self, ending: Ending) {
        let mut queue = self.queue.lock();
        if queue.ending.is_none_or(|first| first.in_order() && !ending.in_order()) {
            self.end_locked(&mut queue, ending);
        }
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
            && let Some(entry) = queue.entries.pop_front()
        {
            bytes += entry.weight();
            batch.push(entry);
            queue.taken += 1;
        }
        queue.taken_bytes += bytes;
        queue.scheduled = !queue.entries.is_empty();
        if queue.entries.is_empty() {
            let buffer = mem::take(&mut queue.entries);
            if (1..=SPARE_ENTRIES).contains(&buffer.capacity()) {
                SPARES.with_borrow_mut(|spares| {
                    if spares.len() < SPARES_KEPT {
                        spares.push(buffer);
                    }
                });
            }
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
        queue.bytes -= queue.taken_bytes;
        (queue.taken, queue.taken_bytes) = (0, 0);
        !queue.entries.is_empty() || queue.ping || queue.ending.is_some()
    }

    /// Where the socket is full: how the connection is to end whatever is still unsent.
    pub fn abandoned(&self) -> Option<Ending> {
        self.queue.lock().ending.filter(|ending| !ending.in_order())
    }

    fn end_locked(&self, queue: &mut Queue, ending: Ending) {
        queue.ending = Some(ending);
        if !ending.in_order() {
            queue.entries = VecDeque::new();
            (queue.bytes, queue.taken, queue.taken_bytes) = (0, 0, 0);
        }
        self.summon_locked(queue);
    }

    fn summon_locked(&self, queue: &Queue) {
        self.summoned.store(true, Ordering::Release);
        if let Some(owner) = &queue.owner {
            owner.wake_by_ref();
        }
    }
}

impl Queue {
    fn messages(&self) -> usize {
        self.entries.len() + self.taken as usize
    }
}

impl Entry {
    /// The message as it is sent.
    pub fn frame(self) -> Frame {
        match self {
            Self::Frame(frame) => frame,
            Self::Announcement(announcement) => announcement.frame(),
        }
    }

    fn weight(&self) -> usize {
        OUTBOX_MESSAGE_OVERHEAD
            + match self {
                Self::Frame(frame) => frame.as_str().len(),
                Self::Announcement(announcement) => announcement.weight(),
            }
    }
}

impl Ending {
    fn in_order(self) -> bool {
        self == Self::GoingAway
    }

    /// What the room-mates are told.
    pub fn leave_reason(self) -> LeaveReason {
        match self {
            Self::GoingAway | Self::CutOff => LeaveReason::ServerShutdown,
            Self::HeartbeatTimeout => LeaveReason::Timeout,
            Self::SlowConsumer => LeaveReason::SlowConsumer,
        }
    }
}
