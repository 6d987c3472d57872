//! A log in this process: positions count up from one, the oldest entries make room for new ones.

use std::{collections::VecDeque, sync::Arc, time::Duration, time::SystemTime};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::{Record, Trimmed};
use crate::{
    config::LogLimits,
    id::RoomId,
    room::{Change, Event, Position},
};

/// How long followers sleep at least between two wakings. Waking 10,000 of them at each of 1,000
/// events a second costs 1.8 cores; at 50 ticks a second a fraction of that.
const TICK: Duration = Duration::from_millis(20);

/// See the module.
#[derive(Debug)]
pub struct MemoryLog {
    limits: LogLimits,
    kept: Mutex<Kept>,
    grown: Notify,
    head: watch::Sender<Position>,
}

#[derive(Debug)]
struct Kept {
    records: VecDeque<Arc<Record>>,
    bytes: usize,
    head: Position,
}

impl MemoryLog {
    pub(super) fn new(limits: LogLimits) -> Self {
        let kept = Kept { records: VecDeque::new(), bytes: 0, head: Position::ZERO };
        let head = watch::Sender::new(Position::ZERO);
        Self { limits, kept: Mutex::new(kept), grown: Notify::new(), head }
    }

    pub(super) fn append(
        &self,
        room_id: &RoomId,
        decided_on: Position,
        changes: Vec<Change>,
        now: SystemTime,
    ) -> Vec<Arc<Record>> {
        let mut prev = decided_on;
        let mut appended = Vec::with_capacity(changes.len());
        let mut kept = self.kept.lock();
        for change in changes {
            let log_prev = kept.head;
            let position = Position(log_prev.0 + 1);
            let event = Event { position, prev, at: now, change };
            let record = Arc::new(Record { log_prev, room_id: room_id.clone(), event });
            kept.push(Arc::clone(&record), self.limits);
            appended.push(record);
            prev = position;
        }
        drop(kept);
        self.grown.notify_one();
        appended
    }

    pub(super) fn read(&self, cursor: Position, max: usize) -> Result<Vec<Arc<Record>>, Trimmed> {
        let kept = self.kept.lock();
        let behind = kept.head.0.saturating_sub(cursor.0);
        let behind = usize::try_from(behind).unwrap_or(usize::MAX);
        let start = kept.records.len().checked_sub(behind).ok_or(Trimmed { cursor })?;
        Ok(kept.records.range(start..).take(max).cloned().collect())
    }

    pub(super) fn head(&self) -> Position {
        self.kept.lock().head
    }

    pub(super) fn follow(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    pub(super) async fn tick(&self) {
        loop {
            self.grown.notified().await;
            self.head.send_replace(self.head());
            tokio::time::sleep(TICK).await;
        }
    }
}

impl Kept {
    fn push(&mut self, record: Arc<Record>, limits: LogLimits) {
        self.head = record.event.position;
        self.bytes += weight(&record);
        self.records.push_back(record);
        while self.records.len() > limits.events || self.bytes > limits.bytes {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes -= weight(&oldest);
        }
    }
}

/// What an entry holds alive, in bytes: itself and the texts that it may be the last to refer to.
fn weight(record: &Record) -> usize {
    let texts = match &record.event.change {
        Change::Joined(member) | Change::Renamed(member) => member.weight(),
        Change::Created { settings } => settings.metadata.len(),
        Change::Left { user_id, .. } => user_id.as_ref().map_or(0, |id| id.as_str().len()),
        Change::Locked | Change::Unlocked | Change::Closed => 0,
    };
    size_of::<Record>() + record.room_id.as_str().len() + texts
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: LogLimits = LogLimits { events: 4, bytes: 1 << 20 };

    fn append(log: &MemoryLog, room: &str, decided_on: u64, count: usize) -> Vec<u64> {
        let changes = vec![Change::Locked; count];
        let room_id = room.parse().unwrap();
        log.append(&room_id, Position(decided_on), changes, SystemTime::UNIX_EPOCH)
            .iter()
            .map(|record| record.event.position.0)
            .collect()
    }

    fn read(log: &MemoryLog, cursor: u64) -> Result<Vec<(u64, u64, u64)>, Trimmed> {
        let records = log.read(Position(cursor), 100)?;
        let line = |r: &Arc<Record>| (r.log_prev.0, r.event.prev.0, r.event.position.0);
        Ok(records.iter().map(line).collect())
    }

    #[test]
    fn one_order_for_all_rooms_and_a_chain_for_each() {
        let log = MemoryLog::new(SMALL);
        assert_eq!(append(&log, "a", 0, 2), [1, 2]);
        assert_eq!(append(&log, "b", 0, 1), [3]);
        assert_eq!(append(&log, "a", 2, 1), [4]);
        assert_eq!(read(&log, 0).unwrap(), [(0, 0, 1), (1, 1, 2), (2, 0, 3), (3, 2, 4)]);
        assert_eq!(read(&log, 4).unwrap(), []);
        assert_eq!(log.head(), Position(4));
    }

    #[test]
    fn a_cursor_before_the_oldest_entry_is_told() {
        let log = MemoryLog::new(SMALL);
        append(&log, "a", 0, 6);
        assert_eq!(read(&log, 2).unwrap().len(), 4);
        assert_eq!(read(&log, 1), Err(Trimmed { cursor: Position(1) }));
        assert_eq!(log.read(Position(2), 3).unwrap().len(), 3);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let log = MemoryLog::new(LogLimits { events: 1000, bytes: 1000 });
        append(&log, "a", 0, 100);
        let kept = log.kept.lock();
        assert!(kept.bytes <= 1000 && kept.records.len() < 20, "{} bytes", kept.bytes);
    }

    #[tokio::test(start_paused = true)]
    async fn followers_hear_of_a_burst_once_a_tick() {
        let log = Arc::new(MemoryLog::new(SMALL));
        let ticking = Arc::clone(&log);
        let ticker = tokio::spawn(async move { ticking.tick().await });
        let mut head = log.follow();
        append(&log, "a", 0, 1);
        head.changed().await.unwrap();
        assert_eq!(*head.borrow_and_update(), Position(1));

        let began = tokio::time::Instant::now();
        append(&log, "a", 1, 1);
        append(&log, "a", 2, 1);
        head.changed().await.unwrap();
        assert_eq!(*head.borrow_and_update(), Position(3));
        assert!(began.elapsed() >= TICK);
        ticker.abort();
    }
}
