//! The rooms of a fleet as administrators see them, whichever server holds them.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::timeout;

use super::Fleet;
use crate::{
    hub::{Hub, NotFound},
    id::RoomId,
    journal::{Follower, stored},
    room::Room,
    store::{Loaded, StoreError, Subject},
};

/// Rooms that are loaded at a time.
const LOADED_AT_ONCE: usize = 64;

impl Hub {
    /// Waits until this server knows whatever the others knew when this was called. One that stands alone does.
    ///
    /// # Errors
    /// [`NotFound::Unavailable`].
    pub async fn catch_up(&self) -> Result<(), NotFound> {
        let Some(fleet) = &self.fleet else { return Ok(()) };
        // In a box, as most servers stand alone.
        let head = Box::pin(fleet.store.head()).await?;
        let mut followed = fleet.followed.subscribe();
        let reached = followed.wait_for(|followed| *followed >= head);
        match timeout(fleet.patience(), reached).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(NotFound::Unavailable),
        }
    }

    /// A cursor on the log, for what happens in `rooms`; without them, for all that happens. Whatever is not in a copy
    /// of a room that is taken from now on follows it.
    pub fn follower(&self, rooms: Option<BTreeSet<RoomId>>) -> Follower {
        match &self.fleet {
            None => self.journal.follow(rooms),
            // The log has what rooms are about to hear.
            Some(fleet) => self.journal.follow_from(*fleet.followed.borrow(), rooms),
        }
    }

    /// The names of rooms behind `after` that begin with `prefix`, `max` at most, in their order; and those of them
    /// that exist still, each as it is now.
    pub(in crate::hub) async fn shared_rooms(
        &self,
        fleet: &Fleet,
        after: Option<&RoomId>,
        prefix: &str,
        max: usize,
    ) -> Result<Vec<(RoomId, Option<Room>)>, NotFound> {
        let names = fleet.store.names(after.map(RoomId::as_str), prefix, max).await?;
        let ids = names.into_iter().filter_map(|name| name.parse::<RoomId>().ok());
        let look = |id: RoomId| async move {
            let room = self.shared_room(fleet, &id).await?;
            Ok((id, room))
        };
        stream::iter(ids).map(look).buffered(LOADED_AT_ONCE).try_collect().await
    }

    /// A room as it is now, if it exists. It is not held here for that.
    pub(in crate::hub) async fn shared_room(
        &self,
        fleet: &Fleet,
        id: &RoomId,
    ) -> Result<Option<Room>, NotFound> {
        let held = self.directory.find(id).filter(|cell| cell.is_loaded());
        if let Some(room) = held.and_then(|cell| cell.snapshot()) {
            return Ok(Some(room));
        }
        let Loaded { version, settled_at, fields, .. } =
            fleet.store.load(Subject::Room(id)).await?;
        match stored::room(id.clone(), Arc::clone(&self.rules), version, settled_at, fields) {
            Ok(room) => Ok(Some(room).filter(Room::exists)),
            Err(error) => {
                tracing::error!(room = ?id, %error, "the room cannot be read");
                Ok(None)
            }
        }
    }
}

impl From<StoreError> for NotFound {
    fn from(error: StoreError) -> Self {
        tracing::debug!(%error, "what the servers share cannot be read");
        Self::Unavailable
    }
}
