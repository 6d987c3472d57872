//! How a server leaves its fleet: nothing of it is left for the others to give up.

use tokio::time::sleep;

use super::Fleet;
use crate::{hub::Hub, store::StoreError};

use super::life::BACK_OFF;

impl Hub {
    /// Has the log and the other servers have all that clients of this one said and did, once their connections have
    /// ended: the seats that they had are free then. It takes as long as Redis needs for that, and [`Hub::run`].
    pub async fn settle_with_fleet(&self) {
        let Some(fleet) = &self.fleet else { return };
        while !matches!(self.free_own_seats(fleet).await, Ok(true)) {
            sleep(BACK_OFF).await;
        }
        fleet.life().post.written().await;
    }

    /// Gives up the lease, so that nobody waits for its end. [`Hub::run`] has ended before: it would take another one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn leave_fleet(&self) -> Result<(), StoreError> {
        let Some(fleet) = &self.fleet else { return Ok(()) };
        fleet.store.leave(fleet.node()).await
    }

    /// Whether there are none any more.
    async fn free_own_seats(&self, fleet: &Fleet) -> Result<bool, StoreError> {
        let rooms = fleet.store.rooms_of(fleet.node()).await?;
        self.free_seats_in(fleet, fleet.node(), &rooms).await;
        Ok(rooms.is_empty())
    }
}
