//! When the log has lost what was in it: another epoch begins, and each server puts into the new log what is missing of
//! its own.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::{Fleet, Job, life::BACK_OFF};
use crate::{
    ban::{Ban, Bans, Command},
    event::Cause,
    hub::Hub,
    store::Subject,
};

impl Hub {
    /// This server has seen that the log lost something: it ended before what was known of it.
    pub(super) async fn lost_writes(&self, fleet: &Fleet) {
        let seen = fleet.epoch();
        match fleet.store.renew_epoch(seen).await {
            Ok(_) => self.begin_anew(fleet).await,
            Err(error) => {
                tracing::debug!(%error, "no other epoch yet");
                sleep(BACK_OFF).await;
            }
        }
    }

    /// Goes on in the epoch that the log has now, if that is another one.
    pub(super) async fn begin_anew(&self, fleet: &Fleet) {
        let _turn = fleet.epoch_turn.lock().await;
        let epoch = match fleet.store.reopen().await {
            Ok(epoch) => epoch,
            Err(error) => {
                tracing::debug!(%error, "no other log yet");
                return sleep(BACK_OFF).await;
            }
        };
        if epoch == fleet.epoch() {
            return;
        }
        tracing::warn!("the log lost what was in it; this server puts back what is its own");
        fleet.set_epoch(epoch);
        self.journal.begin_anew(epoch);
        let until = Instant::now() + fleet.lease / 2;
        let mut rooms = 0;
        self.directory.for_each(|cell| {
            rooms += 1;
            if cell.outlive(until) {
                fleet.do_soon(Job::Drive(Arc::clone(cell)));
            }
        });
        tracing::warn!(rooms, "rooms are looked at anew");
        let stand = |bans: &Bans| bans.after(None, self.now()).cloned().collect();
        fleet.do_soon(Job::LoadBans { lost: self.bans.during(stand) });
    }

    /// Takes up the bans that the log has, and puts back those of `lost` that it has not.
    pub(super) async fn take_up_bans(&self, fleet: &Fleet, lost: Vec<Arc<Ban>>) {
        let Ok(loaded) = fleet.store.load(Subject::Bans).await else {
            sleep(BACK_OFF).await;
            return fleet.do_soon(Job::LoadBans { lost });
        };
        self.load_bans(loaded);
        let missing = |bans: &Bans| {
            let is_missing = |ban: &Arc<Ban>| bans.get(ban.id, self.now()).is_none();
            lost.into_iter().filter(is_missing).collect::<Vec<_>>()
        };
        let missing = self.bans.during(missing);
        if !missing.is_empty() {
            tracing::warn!(bans = missing.len(), "bans that the log had lost are put back");
            // Another server may come first, with the same ones.
            let _ = self.commit_shared_bans(fleet, Command::Create(missing), Cause::Server).await;
        }
    }
}
