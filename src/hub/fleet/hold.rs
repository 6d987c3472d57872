//! Which rooms a server of a fleet holds: those where somebody of its own sits or waits, and others for as long as
//! somebody looks at them.

use std::{fmt, ops::Deref, sync::Arc};

use tokio::{sync::oneshot, time::timeout};

use super::{Fleet, Job};
use crate::{
    hub::{
        Hub, NotFound,
        cell::{Done, Motion, Refused, RoomCell},
        directory::TooManyRooms,
    },
    id::RoomId,
};

/// A room that stays here for as long as this lives.
pub(in crate::hub) struct Held<'h> {
    cell: Arc<RoomCell>,
    /// None where the server stands alone.
    hub: Option<&'h Hub>,
}

/// Why a room is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum NotHeld {
    /// The server holds as many as it may.
    TooMany,
    /// What the servers share cannot be reached.
    Unavailable,
}

impl Hub {
    /// A room's cell, be it a vacant one.
    pub(in crate::hub) async fn cell(&self, room_id: &RoomId) -> Result<Held<'_>, NotHeld> {
        match &self.fleet {
            None => {
                let cell = self.own_cell(room_id).map_err(|TooManyRooms| NotHeld::TooMany)?;
                Ok(Held { cell, hub: None })
            }
            // In a box: most servers stand alone.
            Some(fleet) => Box::pin(self.shared_cell(fleet, room_id)).await,
        }
    }

    /// A room's cell, if it exists.
    pub(in crate::hub) async fn find(&self, room_id: &RoomId) -> Result<Option<Held<'_>>, NotHeld> {
        if !self.is_shared() {
            return Ok(self.find_own(room_id).map(|cell| Held { cell, hub: None }));
        }
        Ok(Some(self.cell(room_id).await?).filter(|held| held.exists()))
    }

    async fn shared_cell(&self, fleet: &Fleet, room_id: &RoomId) -> Result<Held<'_>, NotHeld> {
        let held = self.hold(fleet, room_id, false)?;
        let mut loading = held.loading();
        let loaded = async { loading.wait_for(|loaded| *loaded).await.is_ok() };
        if timeout(fleet.patience(), loaded).await != Ok(true) {
            return Err(NotHeld::Unavailable);
        }
        if held.is_over(self.now()) {
            self.expire_held(&held).await;
        }
        Ok(held)
    }

    fn hold(&self, fleet: &Fleet, room_id: &RoomId, owed: bool) -> Result<Held<'_>, NotHeld> {
        let vacant = || self.vacant(room_id).shared();
        let held = self.directory.hold(room_id, owed, vacant);
        let (cell, is_to_be_driven) = held.map_err(|TooManyRooms| NotHeld::TooMany)?;
        if is_to_be_driven {
            fleet.do_soon(Job::Drive(Arc::clone(&cell)));
        }
        Ok(Held { cell, hub: Some(self) })
    }

    /// Puts something before a room. What comes of it is told when the log has it.
    ///
    /// # Errors
    /// [`Refused::Unavailable`].
    pub(in crate::hub) fn propose(
        &self,
        fleet: &Fleet,
        room_id: &RoomId,
        motion: Motion,
    ) -> Result<oneshot::Receiver<Result<Done, Refused>>, Refused> {
        // Whose seats are to be freed may have been where this server has nobody.
        let held = self.hold(fleet, room_id, motion.is_owed());
        let held = held.map_err(|_: NotHeld| Refused::Unavailable)?;
        let (answer, is_to_be_driven) = held.enqueue(motion)?;
        if is_to_be_driven {
            fleet.do_soon(Job::Drive(Arc::clone(&held)));
        }
        Ok(answer)
    }
}

impl RoomCell {
    /// Puts something before the room, and waits for what comes of it.
    pub(in crate::hub) async fn submit(&self, hub: &Hub, motion: Motion) -> Result<Done, Refused> {
        let Some(fleet) = &hub.fleet else { return self.put(hub, motion, hub.now()) };
        let answer = hub.propose(fleet, self.id(), motion)?;
        answer.await.unwrap_or(Err(Refused::Unavailable))
    }

    /// The same, of a departure. It comes about in any case, so nobody waits for longer than Redis may need to say so.
    ///
    /// # Errors
    /// [`Refused::Unsettled`], where it has not said so.
    pub(in crate::hub) async fn depart(&self, hub: &Hub, motion: Motion) -> Result<Done, Refused> {
        let left = self.submit(hub, motion);
        let Some(fleet) = &hub.fleet else { return left.await };
        timeout(2 * fleet.patience(), left).await.unwrap_or(Err(Refused::Unsettled))
    }

    /// The same, of something that is never refused and need not be waited for.
    pub(in crate::hub) fn owe(&self, hub: &Hub, motion: Motion) {
        let _ = match &hub.fleet {
            None => self.put(hub, motion, hub.now()).map(drop),
            Some(fleet) => hub.propose(fleet, self.id(), motion).map(drop),
        };
    }
}

impl From<NotHeld> for NotFound {
    fn from(_: NotHeld) -> Self {
        Self::Unavailable
    }
}

impl Deref for Held<'_> {
    type Target = Arc<RoomCell>;

    fn deref(&self) -> &Arc<RoomCell> {
        &self.cell
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(hub) = self.hub {
            self.cell.release();
            hub.directory.forget_if_idle(&self.cell);
        }
    }
}

impl fmt::Debug for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cell.fmt(f)
    }
}
