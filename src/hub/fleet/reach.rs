//! Whether a server of a fleet can do what it is for, which takes a Redis that answers.

use tokio::sync::watch;

use super::Fleet;
use crate::hub::Hub;

impl Fleet {
    /// Redis renewed the lease, or gave one, or has not done so for as long as a lease lasts.
    pub(super) fn is_reached(&self, answers: bool) {
        let has_changed = self.in_reach.send_if_modified(|before| {
            let has_changed = *before != answers;
            *before = answers;
            has_changed
        });
        match (has_changed, answers) {
            (true, true) => tracing::info!("Redis answers again"),
            (true, false) => {
                tracing::warn!(
                    "Redis does not answer: nobody can come into a room, or do anything to one"
                );
            }
            (false, _) => {}
        }
    }
}

impl Hub {
    /// Whether what servers share can be reached; always, where the server stands alone. It is said late rather than at
    /// each pause: who is sent elsewhere finds servers there that lack the same Redis.
    pub fn fleet_in_reach(&self) -> watch::Receiver<bool> {
        let own = || watch::Sender::new(true).subscribe();
        self.fleet.as_ref().map_or_else(own, |fleet| fleet.in_reach.subscribe())
    }
}
