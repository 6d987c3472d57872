//! The log's lives: which one it is in, where that began, and whether it still has what it is known to have had.

use std::{
    collections::{BTreeSet, VecDeque},
    mem,
    ops::Bound,
    sync::LazyLock,
    time::Duration,
};

use redis::Cmd;

use super::{
    Entry, Shared, Store, StoreError,
    entry::position,
    fault::Fault,
    line::Dedicated,
    link::{self, Code},
};
use crate::event::Position;

/// So many lives that are over are known as such: each ends with a failover.
const REMEMBERED: usize = 64;

const LINEAGE: &str = include_str!("lineage.lua");
static EPOCH: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("epoch.lua")));

/// A life of the log, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Epoch {
    number: u64,
    /// Where the log ended when it began.
    begins_at: Position,
    /// The last position that it is known to have had.
    seen: Position,
    /// How far its tail has come, and positions behind that which it is known to have had.
    followed: Position,
    ahead: BTreeSet<Position>,
    /// Lives that are over, the last ones.
    over: VecDeque<u64>,
}

/// What a Redis says of the histories that it has had.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lineage {
    own: String,
    /// Of the master in whose place it came.
    former: String,
}

impl Store {
    /// Names the log's life, as it was when last looked at: another one each time that it begins anew.
    pub fn epoch(&self) -> u64 {
        self.0.epoch.lock().number
    }

    /// Where the log ended when that life began: what follows was appended in it.
    pub fn epoch_begins_at(&self) -> Position {
        self.0.epoch.lock().begins_at
    }

    /// Whether an entry of the log does follow what was read of it up to `last`, and nothing is missing in between that
    /// the log is known to have had. Then it counts as read.
    pub fn follows(&self, entry: &Entry, last: Position) -> bool {
        let mut epoch = self.0.epoch.lock();
        let left_out = (Bound::Excluded(entry.log_prev), Bound::Excluded(entry.position));
        let follows = entry.log_prev >= last
            && entry.log_prev < entry.position
            && epoch.ahead.range(left_out).next().is_none();
        if follows {
            epoch.followed = entry.position;
            epoch.ahead = epoch.ahead.split_off(&Position(entry.position.0 + 1));
        }
        follows
    }

    /// Gives the log another [epoch](Store::epoch), for whoever sees that it has lost what was in it. Where another server
    /// has done so since `seen`, that counts. Returns the one that it has now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn renew_epoch(&self, seen: u64) -> Result<u64, StoreError> {
        let Shared { link, keys, .. } = &*self.0;
        let mut seen = seen;
        loop {
            let fresh = fastrand::u64(1..);
            let add = |command: &mut Cmd| _ = command.arg(seen).arg(fresh);
            let now: Option<(u64, String)> = link.run(&EPOCH, &[&keys.meta], add).await?;
            let Some((now, begins_at)) = now else { return self.reopen().await };
            if self.0.enter(now, place(&begins_at)?) {
                return Ok(now);
            }
            seen = now;
        }
    }

    /// Looks whether the log is in this life, and has all that it is known to have had in it. A server that came in its
    /// master's place may lack what nobody knows of any more: then the log begins another life.
    pub(super) async fn look_over(
        &self,
        connection: &mut Dedicated,
        epoch: u64,
    ) -> Result<(), StoreError> {
        if let Some(Lineage { own, former }) = lineage(connection).await? {
            let mut command = redis::cmd("EVAL");
            command.arg(LINEAGE).arg(1).arg(&self.0.keys.meta);
            command.arg(own).arg(former).arg(fastrand::u64(1..));
            connection.ask(&command, Duration::ZERO).await?;
        }
        let (_, seen) = self.0.known();
        let mut command = redis::cmd("HMGET");
        command.arg(&self.0.keys.meta).arg("epoch").arg("head");
        let kept: (Option<u64>, Option<String>) =
            link::read(connection.ask(&command, Duration::ZERO).await?)?;
        let (now, head) = kept;
        let head = head.map_or(Ok(Position::ZERO), |head| place(&head))?;
        let is_whole = now == Some(epoch) && head >= seen;
        is_whole.then_some(()).ok_or(StoreError::Lost(epoch))
    }
}

impl Shared {
    /// The log is in this life. False where that is one that was over: Redis has older data than it had.
    pub(super) fn enter(&self, number: u64, begins_at: Position) -> bool {
        self.epoch.lock().enter(number, begins_at)
    }

    /// The life that is known, and the last position that the log is known to have had in it.
    pub(super) fn known(&self) -> (u64, Position) {
        let epoch = self.epoch.lock();
        (epoch.number, epoch.seen)
    }

    /// Where the log ends, which was asked for after this was known.
    pub(super) fn not_before(
        &self,
        (number, seen): (u64, Position),
        head: &str,
    ) -> Result<Position, StoreError> {
        let head = place(head)?;
        self.saw(number, head);
        if head < seen { Err(StoreError::Lost(number)) } else { Ok(head) }
    }

    /// The log had this position, in a life that was known before it was asked.
    pub(super) fn saw(&self, number: u64, position: Position) {
        let mut epoch = self.epoch.lock();
        if epoch.number == number {
            epoch.seen = epoch.seen.max(position);
            if position > epoch.followed {
                epoch.ahead.insert(position);
            }
        }
    }
}

impl Epoch {
    fn enter(&mut self, number: u64, begins_at: Position) -> bool {
        if self.over.contains(&number) {
            return false;
        }
        if self.number != number {
            let mut over = mem::take(&mut self.over);
            over.push_back(self.number);
            if over.len() > REMEMBERED {
                over.pop_front();
            }
            *self = Self {
                number,
                begins_at,
                seen: begins_at,
                followed: begins_at,
                ahead: BTreeSet::new(),
                over,
            };
        }
        true
    }
}

/// None where the user may not ask for it.
async fn lineage(connection: &mut Dedicated) -> Result<Option<Lineage>, StoreError> {
    let mut command = redis::cmd("INFO");
    command.arg("replication");
    let told = match connection.ask(&command, Duration::ZERO).await {
        Err(Fault::Refused(_)) => return Ok(None),
        told => link::read::<String>(told?)?,
    };
    Ok(Lineage::read(&told))
}

impl Lineage {
    fn read(told: &str) -> Option<Self> {
        let of = |name: &str| told.lines().find_map(|line| line.trim().strip_prefix(name));
        Some(Self {
            own: of("master_replid:")?.to_owned(),
            former: of("master_replid2:")?.to_owned(),
        })
    }
}

pub(super) fn place(text: &str) -> Result<Position, StoreError> {
    position(text).ok_or_else(|| StoreError::Unknown(format!("{text:?} is no position")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_that_is_over_is_not_lived_again() {
        let mut epoch = Epoch::default();
        assert!(epoch.enter(1, Position(5)));
        assert!(epoch.enter(2, Position(7)));
        assert!(epoch.enter(2, Position(9)));
        assert!(!epoch.enter(1, Position(5)));
        assert_eq!((epoch.number, epoch.begins_at, epoch.seen), (2, Position(7), Position(7)));
        let later = 3..=3 + REMEMBERED as u64;
        assert!(later.clone().all(|number| epoch.enter(number, Position(9))));
        assert!(!epoch.enter(*later.start(), Position(9)));
        assert_eq!(epoch.over.len(), REMEMBERED);
    }
}
