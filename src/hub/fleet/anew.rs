//! When the log has lost what was in it: another epoch begins, and each server puts into the new log what is missing of
//! its own.

use std::{array::from_fn, collections::HashSet, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{Enforcement, Fleet, Job, NotBanned, figures::Restored, life::BACK_OFF};
use crate::{
    ban::{Ban, Bans, Command},
    event::{Cause, Position},
    hub::{Hub, cell::Motion},
    id::{Incarnation, RoomId},
    room::{self, Room},
    store::{Entry, Subject},
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

    async fn kept_since(&self, after: Position) -> Vec<Entry> {
        loop {
            match self.store.since(after, COUNTED).await {
                Ok(kept) => return kept,
                Err(_) => sleep(BACK_OFF).await,
            }
        }
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
    /// Goes on in the epoch that the log has now. Returns whether it is another one.
    pub(super) fn begin_anew(&self, fleet: &Fleet) -> bool {
        let (epoch, begins_at) = (fleet.store.epoch(), fleet.store.epoch_begins_at());
        if epoch == fleet.epoch() {
            return false;
        }
        tracing::warn!(
            "the log is not the one that was followed; what is this server's own is put back there"
        );
        let until = Instant::now() + (fleet.lease / 2).max(fleet.store.notices_within());
        let (known, before) = (self.journal.newest(COUNTED), fleet.figures.restored());
        fleet.do_soon(Job::Account { known, before, until });
        self.journal.begin_anew(epoch, begins_at);
        self.directory.for_each(|cell| {
            if cell.outlive(until) {
                fleet.do_soon(Job::Drive(Arc::clone(cell)));
            }
        });
        let stand = |bans: &Bans| bans.after(None, self.now()).cloned().collect();
        fleet.do_soon(Job::LoadBans { lost: self.bans.during(stand) });
        fleet.do_soon(Job::Sweep);
        fleet.epoch.send_replace(epoch);
        true
    }

    /// Says what the log had lost of that of which this server knew, and how much of it was put back by then. Sees to what
    /// the log got meanwhile of which it did not know.
    pub(super) async fn account(
        &self,
        fleet: &Fleet,
        known: Vec<Position>,
        before: Restored,
        until: Instant,
    ) {
        let mut lost = 0;
        if let (Some(first), Some(last)) = (known.first(), known.last()) {
            let mut missed = fleet.kept_since(*last).await;
            let begins_at = fleet.store.epoch_begins_at();
            missed.retain(|entry| entry.position <= begins_at);
            self.learn_missed(&missed);
            let kept = fleet.kept_since(Position(first.0 - 1)).await;
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
            let (clients, node) = (Vec::new(), Incarnation::NONE);
            let restore = room::Command::Restore { lost, clients, node };
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
            fleet.do_soon(Job::Enforce(Enforcement { ban, is_known: true, cause, after, tells }));
        }
        let missing = |bans: &Bans| {
            let is_missing = |ban: &Arc<Ban>| bans.get(ban.id, self.now()).is_none();
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
