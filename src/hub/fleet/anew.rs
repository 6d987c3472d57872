//! When the log has lost what was in it: another epoch begins, and each server puts into the new log what is missing of
//! its own.

use std::{
    array::from_fn,
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{
    Enforcement, Fleet, Job, NotBanned, figures::Restored, follow::told_by, life::BACK_OFF,
};
use crate::{
    ban::{Ban, Bans, Command},
    event::{Cause, Position},
    hub::{
        Hub,
        cell::{Motion, Told},
    },
    id::{Incarnation, RoomId},
    room::{self, Room},
    store::Subject,
};

/// So many of the newest events are looked for in a log that has lost some.
const COUNTED: usize = 10_000;

impl Fleet {
    /// This server has seen that the log lost something in the epoch `seen`: another one begins. It is taken up where the
    /// log is followed, for which this waits a while.
    pub(super) async fn lost_writes(&self, seen: u64) {
        self.renew_epoch(seen).await;
        self.doubt(seen).await;
    }

    /// Has the log have another epoch than `seen`, as soon as Redis answers.
    pub(super) async fn renew_epoch(&self, seen: u64) {
        while let Err(error) = self.store.renew_epoch(seen).await {
            tracing::debug!(%error, "no other epoch yet");
            sleep(BACK_OFF).await;
        }
    }

    /// What the log got of each room behind `last`, before it began the life that it has now, as far as Redis tells.
    async fn missed_since(&self, last: Position) -> HashMap<RoomId, Vec<Told>> {
        let mut missed: HashMap<_, Vec<_>> = HashMap::new();
        let got = self.store.since(last, COUNTED).await.unwrap_or_default();
        for entry in got.iter().filter(|entry| entry.position <= self.store.epoch_begins_at()) {
            if let (Some(room_id), Some(told)) = (entry.room.clone(), told_by(entry)) {
                missed.entry(room_id).or_default().push(told);
            }
        }
        missed
    }

    /// The log may be in another epoch than `seen`. Waits a while for that.
    pub(super) async fn doubt(&self, seen: u64) {
        let mut epochs = self.epoch.subscribe();
        self.doubts.notify_one();
        let other = epochs.wait_for(|epoch| *epoch != seen);
        let _ = timeout(self.patience(), other).await;
    }
}

impl Hub {
    /// Goes on in the epoch that the log has now, which was followed up to `last`. Returns whether it is another one.
    pub(super) async fn begin_anew(&self, fleet: &Fleet, last: Position) -> bool {
        if fleet.store.epoch() == fleet.epoch() {
            return false;
        }
        let mut missed = fleet.missed_since(last).await;
        let (epoch, begins_at) = (fleet.store.epoch(), fleet.store.epoch_begins_at());
        tracing::warn!(
            "the log is not the one that was followed; what is this server's own is put back there"
        );
        let until = Instant::now() + (fleet.lease / 2).max(fleet.store.notices_within());
        let (known, before) = (self.journal.newest(COUNTED), fleet.figures.restored());
        fleet.do_soon(Job::Account { known, before, until });
        self.journal.begin_anew(epoch, begins_at);
        self.directory.for_each(|cell| {
            if cell.outlive(until, missed.remove(cell.id()).unwrap_or_default()) {
                fleet.do_soon(Job::Drive(Arc::clone(cell)));
            }
        });
        let stand = |bans: &Bans| bans.after(None, self.now()).cloned().collect();
        fleet.do_soon(Job::LoadBans { lost: self.bans.during(stand) });
        fleet.do_soon(Job::Sweep);
        fleet.epoch.send_replace(epoch);
        true
    }

    /// Says what the log had lost of that of which this server knew, and how much of it was put back by then.
    pub(super) async fn account(
        &self,
        fleet: &Fleet,
        known: Vec<Position>,
        before: Restored,
        until: Instant,
    ) {
        let mut lost = 0;
        if let Some(first) = known.first() {
            let kept = loop {
                match fleet.store.since(Position(first.0 - 1), COUNTED).await {
                    Ok(kept) => break kept,
                    Err(_) => sleep(BACK_OFF).await,
                }
            };
            let kept: HashSet<_> = kept.iter().map(|entry| entry.position).collect();
            lost = known.iter().filter(|position| !kept.contains(position)).count();
        }
        fleet.figures.lost_events(lost);
        sleep_until(until).await;
        let now = fleet.figures.restored();
        let [seats, rooms, settings, bans] = from_fn(|kind| now[kind] - before[kind]);
        tracing::warn!(lost, seats, rooms, settings, bans, "the log had lost events; put back");
    }

    /// Frees the seats that the log has of this server, and of which it does not know any more.
    pub(super) async fn sweep(&self, fleet: &Fleet) {
        let Ok(rooms) = fleet.store.rooms_of(fleet.node()).await else {
            sleep(BACK_OFF).await;
            return fleet.do_soon(Job::Sweep);
        };
        for room_id in rooms.iter().filter_map(|name| name.parse::<RoomId>().ok()) {
            let lost = Arc::new(Room::vacant(room_id.clone(), Arc::clone(&self.rules)));
            let (clients, leaving, node) = (Vec::new(), Vec::new(), Incarnation::NONE);
            let restore = room::Command::Restore { lost, clients, leaving, node };
            // Where there is no space for the room, nobody can be seated either.
            let _ = self.propose(fleet, &room_id, Motion::new(restore, Cause::Server));
        }
    }

    /// Takes up the bans that the log has, and puts back those of `lost` that it has not.
    pub(super) async fn take_up_bans(&self, fleet: &Fleet, lost: Vec<Arc<Ban>>) {
        let epoch = fleet.epoch();
        let Ok(loaded) = fleet.store.load(Subject::Bans).await else {
            sleep(BACK_OFF).await;
            return fleet.do_soon(Job::LoadBans { lost });
        };
        for ban in self.load_bans(loaded, epoch) {
            let (cause, after, tells) = (Cause::Server, Duration::ZERO, None);
            fleet.do_soon(Job::Enforce(Enforcement { ban, cause, after, tells }));
        }
        let missing = |bans: &Bans| {
            let is_missing =
                |ban: &Arc<Ban>| bans.get(ban.id, self.now()).is_none() && !fleet.has_ended(ban.id);
            lost.into_iter().filter(is_missing).collect::<Vec<_>>()
        };
        let missing = self.bans.during(missing);
        if missing.is_empty() {
            return;
        }
        // Another server may come first, with the same ones.
        let create = Command::Create(missing.clone());
        match self.commit_shared_bans(fleet, create, Cause::Server).await {
            Ok(_) => fleet.figures.bans_restored(missing.len()),
            Err(NotBanned::Denied(denied)) => {
                tracing::error!(%denied, count = missing.len(), "bans cannot be put back");
            }
            Err(error) => {
                tracing::debug!(%error, "bans were not put back yet");
                sleep(BACK_OFF).await;
                fleet.do_soon(Job::LoadBans { lost: missing });
            }
        }
    }
}
