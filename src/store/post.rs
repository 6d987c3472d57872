//! Letters to other nodes: taken without waiting, written in order and once each to the inboxes they are for, whatever
//! becomes of the connections. They are lost only with the node they are for or the life in which they were taken, or
//! where an inbox stays full.
//!
//! Each node has a queue of its own, so that one that reads slowly delays nobody else's letters.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::{
    select,
    sync::{Notify, watch},
    time::{Instant, sleep},
};

use super::{Store, inbox::Posted};
use crate::{config::limits, id::Incarnation};

/// The first pause after a letter could not be written; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// See the module. What is in it is written by [`Post::run`].
#[derive(Debug)]
pub struct Post {
    store: Store,
    from: Incarnation,
    writer: Arc<Writer>,
    queues: Mutex<Queues>,
    woken: Notify,
    emptied: Notify,
}

/// Who writes, in whichever of its lives: what it took in a former one does not come after what it takes in the next.
#[derive(Debug)]
struct Writer {
    /// Its first name, by which inboxes know up to which number they have its letters.
    name: Incarnation,
    last_number: AtomicU64,
    lost: watch::Sender<Lost>,
}

/// As much waits to be written as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many letters to other nodes wait to be written")]
pub struct Full;

/// Letters that were taken but never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// Because the node they were for has no inbox (any more).
    pub gone: u64,
    /// Because its inbox was full for too long.
    pub full: u64,
}

#[derive(Debug, Default)]
struct Queues {
    // Whoever has a queue has a delivery under way, or is in `new`.
    of: HashMap<Incarnation, Queue>,
    new: Vec<Incarnation>,
    letters: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Queue {
    letters: VecDeque<Numbered>,
    bytes: usize,
}

/// A letter, with a number above those of all earlier ones of its sender.
#[derive(Debug, Clone)]
pub(super) struct Numbered {
    pub(super) number: u64,
    pub(super) payload: Bytes,
}

impl Post {
    /// For the letters of `from`, in the first of its lives.
    pub fn new(store: Store, from: Incarnation) -> Self {
        let (last_number, lost) = (AtomicU64::new(0), watch::Sender::default());
        Self::of(store, from, Arc::new(Writer { name: from, last_number, lost }))
    }

    /// For the letters of its next life, once this one is not run any more: an inbox that has one of them takes none of
    /// this life, however late.
    pub fn next(&self, from: Incarnation) -> Self {
        Self::of(self.store.clone(), from, Arc::clone(&self.writer))
    }

    fn of(store: Store, from: Incarnation, writer: Arc<Writer>) -> Self {
        let queues = Mutex::default();
        Self { store, from, writer, queues, woken: Notify::new(), emptied: Notify::new() }
    }

    /// Takes a letter. Those to one node arrive in the order in which they were taken.
    ///
    /// # Errors
    /// Where [`limits::POST_LETTERS`] or [`limits::POST_BYTES`] wait, or half of that for this node.
    pub fn send(&self, to: Incarnation, payload: Bytes) -> Result<(), Full> {
        if self.queues.lock().add(to, payload, &self.writer.last_number)? {
            self.woken.notify_one();
        }
        Ok(())
    }

    /// How many letters were taken, former lives included.
    pub fn taken(&self) -> u64 {
        self.writer.last_number.load(Relaxed)
    }

    /// What was lost so far, former lives included, and will be.
    pub fn lost(&self) -> watch::Receiver<Lost> {
        self.writer.lost.subscribe()
    }

    /// Waits until nothing waits to be written.
    pub async fn written(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.queues.lock().letters == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Writes what was and will be taken, for as long as it is polled. To be called once.
    pub async fn run(&self) -> Infallible {
        let mut deliveries = FuturesUnordered::new();
        loop {
            let new = std::mem::take(&mut self.queues.lock().new);
            deliveries.extend(new.into_iter().map(|to| self.deliver(to)));
            select! {
                () = self.woken.notified() => {}
                Some(()) = deliveries.next() => {}
            }
        }
    }

    /// Until nothing is left for this node.
    async fn deliver(&self, to: Incarnation) {
        let (mut pause, mut full_since) = (FIRST_PAUSE, None);
        while let Some(letters) = self.front(to) {
            match self.store.post(to, (self.from, self.writer.name), &letters).await {
                Ok(Posted::Taken(0)) => {
                    let since = *full_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= limits::POST_TO_FULL {
                        self.give_up(to, |lost| &mut lost.full);
                        full_since = None;
                    }
                }
                Ok(Posted::Taken(count)) => {
                    self.queues.lock().written(to, count);
                    (pause, full_since) = (FIRST_PAUSE, None);
                    continue;
                }
                Ok(Posted::NoInbox) => {
                    self.give_up(to, |lost| &mut lost.gone);
                    continue;
                }
                // Written or not, the inbox knows which numbers it has.
                Err(error) => {
                    tracing::debug!(%to, %error, "letters could not be written; trying again")
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn front(&self, to: Incarnation) -> Option<Vec<Numbered>> {
        let mut queues = self.queues.lock();
        if queues.letters == 0 {
            self.emptied.notify_waiters();
        }
        queues.front(to)
    }

    fn give_up(&self, to: Incarnation, count: impl FnOnce(&mut Lost) -> &mut u64) {
        let mut queues = self.queues.lock();
        let letters = queues.of.get(&to).map_or(0, |queue| queue.letters.len());
        queues.written(to, letters);
        drop(queues);
        self.writer.lost.send_modify(|lost| *count(lost) += letters as u64);
    }
}

impl Queues {
    /// Returns whether the node is new here.
    fn add(
        &mut self,
        to: Incarnation,
        payload: Bytes,
        last_number: &AtomicU64,
    ) -> Result<bool, Full> {
        let (letters, bytes) = self.of.get(&to).map_or((0, 0), |q| (q.letters.len(), q.bytes));
        let fits = self.letters < limits::POST_LETTERS
            && self.bytes + payload.len() <= limits::POST_BYTES
            && letters < limits::POST_LETTERS / 2
            && bytes + payload.len() <= limits::POST_BYTES / 2;
        if !fits {
            return Err(Full);
        }
        self.letters += 1;
        self.bytes += payload.len();
        let is_new = !self.of.contains_key(&to);
        if is_new {
            self.new.push(to);
        }
        let queue = self.of.entry(to).or_default();
        queue.bytes += payload.len();
        let number = last_number.fetch_add(1, Relaxed) + 1;
        queue.letters.push_back(Numbered { number, payload });
        Ok(is_new)
    }

    /// The letters to be written next, or the end of the queue.
    fn front(&mut self, to: Incarnation) -> Option<Vec<Numbered>> {
        let queue = self.of.get(&to).filter(|queue| !queue.letters.is_empty());
        let Some(queue) = queue else {
            self.of.remove(&to);
            return None;
        };
        let mut bytes = 0;
        let fitting = queue.letters.iter().take(limits::POSTED_AT_ONCE).take_while(|letter| {
            let is_first = bytes == 0;
            bytes += letter.payload.len();
            is_first || bytes <= limits::POSTED_BYTES_AT_ONCE
        });
        Some(fitting.cloned().collect())
    }

    /// Forgets the first `count` letters.
    fn written(&mut self, to: Incarnation, count: usize) {
        let Some(queue) = self.of.get_mut(&to) else { return };
        let bytes = queue.letters.drain(..count).map(|letter| letter.payload.len()).sum::<usize>();
        queue.bytes -= bytes;
        self.letters -= count;
        self.bytes -= bytes;
    }
}
