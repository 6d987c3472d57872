//! When the log has lost what was in it: another epoch begins, and each server puts into the new log what is missing of
//! its own.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::{Fleet, Job, life::BACK_OFF};
use crate::{
    ban::Command,
    event::{Cause, Position},
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
        fleet.do_soon(Job::RestoreBans);
    }

    /// Puts back the bans, if the log has none.
    pub(super) async fn restore_bans(&self, fleet: &Fleet) {
        let Ok(loaded) = fleet.store.load(Subject::Bans).await else {
            sleep(BACK_OFF).await;
            return fleet.do_soon(Job::RestoreBans);
        };
        let lost =
            self.bans.during(|bans| bans.after(None, self.now()).cloned().collect::<Vec<_>>());
        let is_empty = loaded.version == Position::ZERO;
        self.load_bans(loaded);
        if is_empty && !lost.is_empty() {
            // Another server may come first, with the same ones.
            let _ = self.commit_shared_bans(fleet, Command::Create(lost), Cause::Server).await;
        }
    }
}
