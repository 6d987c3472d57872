//! How what is put before a room gets into the log: one batch of a room at a time.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::time::{sleep, sleep_until, timeout};

use super::Fleet;
use crate::{
    event::Position,
    hub::{
        Hub,
        cell::{Draft, Planned, RoomCell},
    },
    id::Incarnation,
    journal::stored,
    room::Change,
    store::{Appended, Batch, Fresh, StoreError, Subject},
};

/// So many times another server may be faster, before what can be refused is: where two are at one room all the time,
/// eight in a row come about each minute.
const CONFLICTS: u32 = 24;
/// How long to wait before Redis is asked again, at first and at most.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

impl Hub {
    /// Loads a room and appends what is put before it, until nothing is left.
    pub(super) async fn drive(self: &Arc<Self>, fleet: &Fleet, cell: &Arc<RoomCell>) {
        let mut back_off = BACK_OFF[0];
        loop {
            self.load_patiently(fleet, cell).await;
            if cell.is_in_flight() {
                self.patiently(fleet, cell, landed(cell)).await;
                continue;
            }
            let (node, epoch) = (fleet.node(), fleet.epoch());
            let Some(draft) = cell.draft(self, node) else { break };
            let appended = fleet.store.append(&batch(cell, &draft, node)).await;
            fleet.figures.append(&appended);
            match appended {
                Ok(Appended::At(positions)) => {
                    back_off = BACK_OFF[0];
                    match positions.last() {
                        None => cell.confirmed(self),
                        Some(ends_at) => {
                            fleet.figures.appended(&draft.entries);
                            cell.appended(*ends_at);
                        }
                    }
                }
                Ok(Appended::Conflict(version)) => {
                    cell.lost_race(CONFLICTS);
                    let decided_on = draft.before.version();
                    if version < decided_on && version != Position::ZERO {
                        self.patiently(fleet, cell, fleet.lost_writes(epoch)).await;
                        continue;
                    }
                    self.pass(fleet, cell, decided_on).await;
                }
                Ok(Appended::NotLive) => {
                    cell.fell_through();
                    self.patiently(fleet, cell, fleet.reborn(node)).await;
                }
                Ok(Appended::Late) => cell.fell_through(),
                Ok(Appended::OtherEpoch) => {
                    cell.fell_through();
                    cell.refuse(self);
                    fleet.doubt(epoch).await;
                }
                Err(error @ (StoreError::Unavailable(_) | StoreError::Lost(_))) => {
                    tracing::debug!(room = ?cell.id(), %error, "not appended");
                    cell.fell_through();
                    cell.refuse(self);
                    back_off = wait(back_off).await;
                }
                Err(StoreError::Unknown(why)) => {
                    tracing::debug!(room = ?cell.id(), %why, "perhaps appended");
                    self.find_out(fleet, cell, node).await;
                }
            }
        }
        if let Some(until) = cell.is_split_until() {
            sleep_until(until).await;
            cell.reunite(self);
        }
        self.directory.forget_if_idle(cell);
    }

    async fn load(&self, fleet: &Fleet, cell: &RoomCell) -> bool {
        let loaded = match fleet.store.load(Subject::Room(cell.id())).await {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::debug!(room = ?cell.id(), %error, "not loaded");
                if let StoreError::Lost(epoch) = error {
                    self.patiently(fleet, cell, fleet.lost_writes(epoch)).await;
                }
                return false;
            }
        };
        let (id, rules) = (cell.id().clone(), Arc::clone(&self.rules));
        match stored::room(id, rules, loaded.version, loaded.settled_at, loaded.fields) {
            Ok(room) => cell.load(self, room, loaded.head),
            Err(error) => {
                tracing::error!(room = ?cell.id(), %error, "the room cannot be read");
                return false;
            }
        }
        true
    }

    /// Waits until it is known whether the batch is in the log: whatever was sent before a fence comes before it, or not
    /// at all.
    async fn find_out(&self, fleet: &Fleet, cell: &RoomCell, node: Incarnation) {
        let told = fleet.caught_up_after(|| fleet.store.fence(node));
        self.patiently(fleet, cell, told).await;
        self.load_patiently(fleet, cell).await;
        cell.fell_through();
    }

    async fn load_patiently(&self, fleet: &Fleet, cell: &RoomCell) {
        let mut back_off = BACK_OFF[0];
        while !cell.is_loaded() && !self.load(fleet, cell).await {
            cell.give_up();
            cell.refuse(self);
            back_off = wait(back_off).await;
        }
    }

    /// Waits for what may take for as long as Redis is away, or the log cannot be followed. Nobody waits in vain meanwhile
    /// for a batch of which nobody can tell, or behind it.
    async fn patiently<T>(
        &self,
        fleet: &Fleet,
        cell: &RoomCell,
        done: impl Future<Output = T>,
    ) -> T {
        let mut done = pin!(done);
        loop {
            match timeout(fleet.patience(), &mut done).await {
                Ok(done) => return done,
                Err(_) => {
                    cell.give_up();
                    cell.refuse(self);
                }
            }
        }
    }

    /// Waits until the room has gone on from a version, or loads it anew where it does not.
    async fn pass(&self, fleet: &Fleet, cell: &RoomCell, version: Position) {
        let moved = cell.moved();
        let gone_on = async {
            while cell.is_loaded() && cell.true_version() == version {
                moved.notified().await;
            }
        };
        if timeout(fleet.patience(), gone_on).await.is_err() {
            cell.unload();
        }
    }
}

impl Fleet {
    /// Waits until whatever the log has now was followed.
    pub(super) async fn caught_up(&self) {
        self.caught_up_after(|| self.store.head()).await;
    }

    async fn caught_up_after<T>(&self, head: impl Fn() -> T)
    where
        T: Future<Output = Result<Position, StoreError>>,
    {
        let mut back_off = BACK_OFF[0];
        loop {
            let epoch = self.epoch();
            let Ok(head) = head().await else {
                back_off = wait(back_off).await;
                continue;
            };
            // The senders are a part of this.
            let (mut followed, mut epochs) = (self.followed.subscribe(), self.epoch.subscribe());
            tokio::select! {
                _ = followed.wait_for(|followed| *followed >= head) => return,
                // What was there may be lost.
                _ = epochs.wait_for(|other| *other != epoch) => {}
            }
        }
    }

    /// How long somebody waits for what Redis has to say.
    pub(super) fn patience(&self) -> Duration {
        self.store.timeout()
    }
}

/// Waits until the log has brought the batch that is on its way, or the room is to be loaded with it.
async fn landed(cell: &RoomCell) {
    let moved = cell.moved();
    while cell.is_in_flight() && cell.is_loaded() {
        moved.notified().await;
    }
}

async fn wait(back_off: Duration) -> Duration {
    sleep(back_off).await;
    (back_off * 2).min(BACK_OFF[1])
}

fn batch<'a>(cell: &'a RoomCell, draft: &Draft, by: Incarnation) -> Batch<'a> {
    let Draft { id, before, after, entries } = draft;
    let changes: Vec<_> = entries.iter().map(|planned| planned.change.clone()).collect();
    let delta = stored::delta(before, after, &changes);
    let fresh = |Planned { order, at, cause, change, word }: &Planned| {
        let word = word.as_ref().map(stored::Word::from);
        Fresh { order: *order, payload: stored::entry(cause, *at, change, word.as_ref()) }
    };
    Batch {
        by,
        subject: Subject::Room(cell.id()),
        id: *id,
        decided_on: before.version(),
        entries: entries.iter().map(fresh).collect(),
        fields: delta.fields,
        exists: delta.exists,
        settled_entry: delta.settled_entry,
        due: after.has_its_time_at(),
        frees: !changes.iter().any(grows),
        seats: delta.seats,
    }
}

/// Whether there is more to keep by a change.
fn grows(change: &Change) -> bool {
    matches!(
        change,
        Change::Created { .. }
            | Change::Joined(_)
            | Change::Waiting(_)
            | Change::Renamed { .. }
            | Change::Updated { .. }
    )
}
