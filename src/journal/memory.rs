//! A log in this process: positions count up from one, the oldest entries make room for new ones.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::{
    Decision, Entry, Lost, Record,
    index::{Index, Key},
};
use crate::{
    config::LogLimits,
    event::{Event, Position},
    id::RoomId,
    room::{Change, Waiter},
};

/// How long followers sleep at least between two wakings. Waking 10,000 of them at each of 1,000
/// events a second costs 1.8 cores; at 50 ticks a second a fraction of that.
const TICK: Duration = Duration::from_millis(20);

/// What followers are shown of an entry takes about so many bytes beside its texts: ids, times, field numbers, and a
/// block of memory that is shared.
const SHOWN_BYTES: usize = 256;

/// See the module.
#[derive(Debug)]
pub struct MemoryLog {
    epoch: AtomicU64,
    limits: LogLimits,
    kept: Mutex<Kept>,
    grown: Notify,
    head: watch::Sender<Position>,
}

/// A cursor on the log, for all rooms or for some. It has no queue: what it has not read is where the log has it.
#[derive(Debug)]
pub struct Follower {
    log: Arc<MemoryLog>,
    epoch: u64,
    cursor: Position,
    scope: Scope,
}

#[derive(Debug)]
enum Scope {
    All(watch::Receiver<Position>),
    Rooms {
        key: Key,
        woken: Arc<Notify>,
        /// The index has whatever follows this. What comes before it is looked for among all entries.
        indexed_after: Position,
    },
}

#[derive(Debug)]
struct Kept {
    records: VecDeque<Arc<Record>>,
    bytes: usize,
    head: Position,
    index: Index,
}

impl Follower {
    /// Without `cursor`, from now on.
    pub(super) fn new(
        log: Arc<MemoryLog>,
        cursor: Option<Position>,
        rooms: Option<BTreeSet<RoomId>>,
    ) -> Self {
        let mut kept = log.kept.lock();
        let head = kept.head;
        let scope = match rooms {
            None => Scope::All(log.head.subscribe()),
            Some(rooms) => {
                let (key, woken) = kept.index.follow(rooms);
                Scope::Rooms { key, woken, indexed_after: head }
            }
        };
        let epoch = log.epoch();
        drop(kept);
        Self { log, epoch, cursor: cursor.unwrap_or(head), scope }
    }

    /// At most `max` entries that follow, in order, and moves the cursor behind them. None if there are no more, or
    /// while it is [behind](Self::is_behind). What happened since the last tick may be left for the next one.
    ///
    /// # Errors
    /// [`Lost::Trimmed`], if the log no longer holds something that would follow; while it is behind, that may be any
    /// entry. [`Lost::BegunAnew`], if the log has another epoch.
    pub fn read(&mut self, max: usize) -> Result<Vec<Arc<Record>>, Lost> {
        let is_behind = self.is_behind();
        let mut kept = self.log.kept.lock();
        if self.log.epoch() != self.epoch {
            return Err(Lost::BegunAnew);
        }
        let (records, cursor) = match &mut self.scope {
            Scope::All(head) => {
                head.mark_unchanged();
                kept.read(self.cursor, max)?
            }
            Scope::Rooms { key, indexed_after, .. } if is_behind => {
                kept.search(*key, self.cursor, *indexed_after, max)?
            }
            Scope::Rooms { key, .. } => {
                let (positions, cursor) = kept.index.read(*key, self.cursor, max)?;
                (positions.into_iter().map(|position| kept.at(position)).collect(), cursor)
            }
        };
        drop(kept);
        self.cursor = cursor;
        Ok(records)
    }

    /// Whether it follows rooms by their names and looks for what happened in them before it came: then it passes
    /// over entries that others are to read, and a read that gives nothing does not mean that there is nothing.
    pub fn is_behind(&self) -> bool {
        match self.scope {
            Scope::All(_) => false,
            Scope::Rooms { indexed_after, .. } => self.cursor < indexed_after,
        }
    }

    /// Its cursor: whatever it follows up to there was read.
    pub fn position(&self) -> Position {
        self.cursor
    }

    /// Waits until there may be something to read.
    pub async fn grown(&mut self) {
        if self.is_behind() {
            return;
        }
        match &mut self.scope {
            // The log lives as long as this.
            Scope::All(head) => drop(head.changed().await),
            Scope::Rooms { woken, .. } => woken.notified().await,
        }
    }

    /// Whatever has happened by now can be read, without waiting for the tick.
    pub fn catch_up(&self) {
        self.log.tell();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Scope::Rooms { key, .. } = self.scope {
            self.log.kept.lock().index.unfollow(key);
        }
    }
}

impl MemoryLog {
    pub(super) fn new(limits: LogLimits) -> Self {
        let kept = Kept {
            records: VecDeque::new(),
            bytes: 0,
            head: Position::ZERO,
            index: Index::default(),
        };
        let head = watch::Sender::new(Position::ZERO);
        let (epoch, _) = Uuid::new_v4().as_u64_pair();
        let epoch = AtomicU64::new(epoch);
        Self { epoch, limits, kept: Mutex::new(kept), grown: Notify::new(), head }
    }

    /// Empty, to be told what another log has.
    pub(super) fn mirror(limits: LogLimits, epoch: u64) -> Self {
        Self { epoch: AtomicU64::new(epoch), ..Self::new(limits) }
    }

    pub(super) fn note(&self, record: Record) {
        self.kept.lock().push(Arc::new(record), self.limits);
        self.grown.notify_one();
    }

    pub(super) fn head(&self) -> Position {
        self.kept.lock().head
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    pub(super) fn newest(&self, max: usize) -> Vec<Position> {
        let kept = self.kept.lock();
        let older = kept.records.len().saturating_sub(max);
        kept.records.range(older..).map(|record| record.position()).collect()
    }

    pub(super) fn begin_anew(&self, epoch: u64, head: Position) {
        let mut kept = self.kept.lock();
        self.epoch.store(epoch, Ordering::SeqCst);
        while kept.give_up_oldest() {}
        kept.head = head;
        let concerned = kept.index.begin_anew(head);
        drop(kept);
        self.head.send_replace(head);
        concerned.iter().for_each(|woken| woken.notify_one());
    }

    pub(super) fn append<C>(
        &self,
        decision: Decision<C>,
        entry: impl Fn(Event<C>) -> Entry,
    ) -> Vec<Arc<Record>> {
        let Decision { decided_on: mut prev, changes, cause, now: at } = decision;
        let mut appended = Vec::with_capacity(changes.len());
        let mut kept = self.kept.lock();
        for change in changes {
            let log_prev = kept.head;
            let position = Position(log_prev.0 + 1);
            let event = Event { position, prev, at, cause: cause.clone(), change };
            let record = Arc::new(Record::new(log_prev, entry(event)));
            kept.push(Arc::clone(&record), self.limits);
            appended.push(record);
            prev = position;
        }
        drop(kept);
        self.grown.notify_one();
        appended
    }

    pub(super) async fn tick(&self) {
        loop {
            self.grown.notified().await;
            self.tell();
            tokio::time::sleep(TICK).await;
        }
    }

    fn tell(&self) {
        let (head, rooms) = {
            let kept = self.kept.lock();
            (kept.head, kept.index.grown())
        };
        // Every follower asks for this in the end: they shall not wake each other over and over.
        self.head.send_if_modified(|told| std::mem::replace(told, head.max(*told)) < head);
        // The lock is taken for each room: whoever appends waits for the followers of one at most.
        for _ in 0..rooms {
            self.kept.lock().index.tell_one();
        }
        let concerned = self.kept.lock().index.told(head);
        concerned.iter().for_each(|woken| woken.notify_one());
    }
}

impl Kept {
    fn push(&mut self, record: Arc<Record>, limits: LogLimits) {
        self.head = record.position();
        self.bytes += weight(&record);
        if !self.index.is_empty()
            && let Some(id) = record.room_id()
        {
            self.index.push(id, self.head);
        }
        self.records.push_back(record);
        while self.records.len() > limits.events || self.bytes > limits.bytes {
            if !self.give_up_oldest() {
                break;
            }
        }
    }

    /// Whether there was one.
    fn give_up_oldest(&mut self) -> bool {
        let Some(oldest) = self.records.pop_front() else { return false };
        self.bytes -= weight(&oldest);
        if !self.index.is_empty()
            && let Some(id) = oldest.room_id()
        {
            self.index.trim(id, oldest.position());
        }
        true
    }

    fn read(&self, cursor: Position, max: usize) -> Result<(Vec<Arc<Record>>, Position), Lost> {
        let start = self.place(cursor).ok_or(Lost::Trimmed { cursor })?;
        let records: Vec<_> = self.records.range(start..).take(max).cloned().collect();
        if records.first().is_some_and(|first| first.log_prev != cursor) {
            return Err(Lost::Trimmed { cursor });
        }
        let cursor = records.last().map_or(cursor, |last| last.position());
        Ok((records, cursor))
    }

    /// Which of the next `max` entries a follower in the index wants, up to `last`, and where its cursor stands when
    /// they are read.
    fn search(
        &self,
        key: Key,
        cursor: Position,
        last: Position,
        max: usize,
    ) -> Result<(Vec<Arc<Record>>, Position), Lost> {
        let (mut records, cursor) = self.read(cursor, max)?;
        let follows = |id: &RoomId| self.index.is_followed_by(id, key);
        records.retain(|record| record.position() <= last && record.room_id().is_some_and(follows));
        Ok((records, cursor.min(last)))
    }

    fn at(&self, position: Position) -> Arc<Record> {
        let next = self.place(position).expect("the index holds what the log does");
        Arc::clone(&self.records[next - 1])
    }

    /// Where the entry after this position is, or will be; None if it is no longer kept.
    fn place(&self, position: Position) -> Option<usize> {
        // The log of a fleet counts with gaps.
        let place = self.records.partition_point(|record| record.position() <= position);
        let is_kept = match self.records.get(place) {
            Some(next) => place > 0 || next.log_prev <= position,
            None => position >= self.head,
        };
        is_kept.then_some(place)
    }
}

/// What an entry holds alive, in bytes: itself, the texts that it may be the last to refer to, and what followers
/// are shown, which has them once more.
fn weight(record: &Record) -> usize {
    let texts = match &record.entry {
        Entry::Room { id, event } => id.as_str().len() + texts(&event.change),
        Entry::Ban(event) => event.change.ban().weight(),
    };
    size_of::<Record>() + SHOWN_BYTES + 2 * texts
}

fn texts(change: &Change) -> usize {
    match change {
        Change::Joined(member)
        | Change::Renamed { member, .. }
        | Change::RoleChanged { member, .. }
        | Change::Moved { member }
        | Change::Waiting(Waiter { member, .. }) => member.weight(),
        Change::Created { settings } | Change::Updated { settings } => {
            let password = settings.password.as_ref().map_or(0, |hash| hash.as_str().len());
            settings.metadata.len() + password
        }
        Change::Left { user_id, .. } | Change::WaitingEnded { user_id, .. } => {
            user_id.as_ref().map_or(0, |id| id.as_str().len())
        }
        Change::Locked | Change::Unlocked | Change::Closed => 0,
    }
}

#[cfg(test)]
mod tests;
