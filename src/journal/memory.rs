//! A log in this process: positions count up from one, the oldest entries make room for new ones.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::{
    Decision, Entry, Record, Trimmed,
    index::{Index, Key},
};
use crate::{
    config::LogLimits,
    event::{Event, Position},
    id::RoomId,
    room::Change,
};

/// How long followers sleep at least between two wakings. Waking 10,000 of them at each of 1,000
/// events a second costs 1.8 cores; at 50 ticks a second a fraction of that.
const TICK: Duration = Duration::from_millis(20);

/// See the module.
#[derive(Debug)]
pub struct MemoryLog {
    epoch: u64,
    limits: LogLimits,
    kept: Mutex<Kept>,
    grown: Notify,
    head: watch::Sender<Position>,
}

/// A cursor on the log, for all rooms or for some. It has no queue: what it has not read is where the log has it.
#[derive(Debug)]
pub struct Follower {
    log: Arc<MemoryLog>,
    cursor: Position,
    scope: Scope,
}

#[derive(Debug)]
enum Scope {
    All(watch::Receiver<Position>),
    Rooms(Key, Arc<Notify>),
}

#[derive(Debug)]
struct Kept {
    records: VecDeque<Arc<Record>>,
    bytes: usize,
    head: Position,
    index: Index,
}

impl Follower {
    pub(super) fn new(log: Arc<MemoryLog>, rooms: Option<BTreeSet<RoomId>>) -> Self {
        let mut kept = log.kept.lock();
        let cursor = kept.head;
        let scope = match rooms {
            None => Scope::All(log.head.subscribe()),
            Some(rooms) => {
                let (key, woken) = kept.index.follow(rooms);
                Scope::Rooms(key, woken)
            }
        };
        drop(kept);
        Self { log, cursor, scope }
    }

    /// At most `max` entries that follow, in order, and moves the cursor behind them; none if there are no more.
    /// What happened since the last tick may be left for the next one.
    ///
    /// # Errors
    /// [`Trimmed`], if the log no longer holds something that would follow.
    pub fn read(&mut self, max: usize) -> Result<Vec<Arc<Record>>, Trimmed> {
        let mut kept = self.log.kept.lock();
        let (records, cursor) = match &mut self.scope {
            Scope::All(head) => {
                head.mark_unchanged();
                kept.read(self.cursor, max)?
            }
            Scope::Rooms(key, _) => {
                let (positions, cursor) = kept.index.read(*key, self.cursor, max)?;
                (positions.into_iter().map(|position| kept.at(position)).collect(), cursor)
            }
        };
        self.cursor = cursor;
        Ok(records)
    }

    /// Where it stands.
    pub fn cursor(&self) -> Position {
        self.cursor
    }

    /// Waits until there may be something to read.
    pub async fn grown(&mut self) {
        match &mut self.scope {
            // The log lives as long as this.
            Scope::All(head) => drop(head.changed().await),
            Scope::Rooms(_, woken) => woken.notified().await,
        }
    }

    /// Whatever has happened by now can be read, without waiting for the tick.
    pub fn catch_up(&self) {
        self.log.tell();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Scope::Rooms(key, _) = self.scope {
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
        Self { epoch, limits, kept: Mutex::new(kept), grown: Notify::new(), head }
    }

    pub(super) fn head(&self) -> Position {
        self.kept.lock().head
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
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
            let record = Arc::new(Record { log_prev, entry: entry(event) });
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
        if rooms == 0 {
            return;
        }
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
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes -= weight(&oldest);
            if !self.index.is_empty()
                && let Some(id) = oldest.room_id()
            {
                self.index.trim(id, oldest.position());
            }
        }
    }

    fn read(&self, cursor: Position, max: usize) -> Result<(Vec<Arc<Record>>, Position), Trimmed> {
        let start = self.place(cursor).ok_or(Trimmed { cursor })?;
        let records: Vec<_> = self.records.range(start..).take(max).cloned().collect();
        let cursor = records.last().map_or(cursor, |last| last.position());
        Ok((records, cursor))
    }

    fn at(&self, position: Position) -> Arc<Record> {
        let next = self.place(position).expect("the index holds what the log does");
        Arc::clone(&self.records[next - 1])
    }

    /// Where the entry after this position is, or will be; None if it is no longer kept.
    fn place(&self, position: Position) -> Option<usize> {
        let behind = usize::try_from(self.head.0.saturating_sub(position.0));
        self.records.len().checked_sub(behind.unwrap_or(usize::MAX))
    }
}

/// What an entry holds alive, in bytes: itself and the texts that it may be the last to refer to.
fn weight(record: &Record) -> usize {
    let texts = match &record.entry {
        Entry::Room { id, event } => id.as_str().len() + texts(&event.change),
        Entry::Ban(event) => event.change.ban().weight(),
    };
    size_of::<Record>() + texts
}

fn texts(change: &Change) -> usize {
    match change {
        Change::Joined(member) | Change::Renamed { member, .. } => member.weight(),
        Change::Created { settings } | Change::Updated { settings } => settings.metadata.len(),
        Change::Left { user_id, .. } => user_id.as_ref().map_or(0, |id| id.as_str().len()),
        Change::Locked | Change::Unlocked | Change::Closed => 0,
    }
}

#[cfg(test)]
mod tests;
