//! What administrators ask of rooms.

use std::{num::NonZeroUsize, sync::Arc, time::SystemTime};

use super::{
    Ending, Hub, NotFound,
    cell::{Commander, Motion, Refused, RoomCell, Word},
    directory::TooManyRooms,
    fleet::{Held, NotHeld},
};
use crate::{
    config::limits,
    event::{Administrator, Position},
    id::RoomId,
    protocol::Code,
    room::{Command, Denied, Room, Settings, Summary, Update},
};

/// In how many rooms something ends at once for its time, so that others have their turn.
const EXPIRED_AT_ONCE: usize = 10_000;

/// Where a change stands that too few replicas have.
pub(super) const NOT_REPLICATED: &str = "the change was made, but too few replicas of Redis have it \
                                         (--redis-wait-replicas): a failover may lose it";

/// What becomes of a change whose answer Redis did not give in time.
pub(super) const UNSETTLED: &str =
    "Redis has not said whether it was done: it may or may not have been; look, and try again";

/// Why a room is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMade {
    /// There is one of that name.
    #[error("the room exists already")]
    Exists,
    /// There are as many as there may be.
    #[error("the server takes no more rooms")]
    TooMany,
    /// What the servers of a fleet share cannot be reached.
    #[error("what the servers share cannot be reached now; try again")]
    Unavailable,
    /// The same, and it may have been made.
    #[error("{UNSETTLED}")]
    Unsettled,
}

/// Why a room is not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    /// It is not there.
    #[error("no such room")]
    NotFound,
    /// Its settings are others than those that the change is meant for.
    #[error("the room's settings are others by now")]
    Changed,
    /// What the servers of a fleet share cannot be reached.
    #[error("what the servers share cannot be reached now; try again")]
    Unavailable,
    /// The same, and it may have been changed.
    #[error("{UNSETTLED}")]
    Unsettled,
    /// It is changed, and may be lost.
    #[error("{NOT_REPLICATED}")]
    NotReplicated,
}

impl Hub {
    /// At most `max` rooms that `keep` holds of, with names after `after` that begin with `prefix`, in the order of
    /// their names; and after which name to go on, unless all were looked at. Whatever exists from the first page to
    /// the last is on exactly one.
    ///
    /// A page may be short, or empty, and not the last: no more than [`limits::ROOMS_LOOKED_AT`] are looked at.
    ///
    /// # Errors
    /// [`NotFound::Unavailable`].
    pub async fn rooms(
        &self,
        after: Option<&RoomId>,
        max: NonZeroUsize,
        prefix: &str,
        keep: impl Fn(&Summary) -> bool,
    ) -> Result<(Vec<Summary>, Option<RoomId>), NotFound> {
        self.catch_up().await?;
        let mut rooms = Vec::new();
        let mut last = after.cloned();
        let (mut left, now) = (limits::ROOMS_LOOKED_AT, self.now());
        loop {
            // One more than there is room for tells whether it is the last page.
            let wanted = (max.get() + 1 - rooms.len()).min(left + 1);
            let page = self.summaries(last.as_ref(), prefix, wanted).await?;
            let exhausted = page.len() < wanted;
            for (id, room) in page {
                if rooms.len() == max.get() || left == 0 {
                    return Ok((rooms, last));
                }
                left -= 1;
                // It may have closed since, or its time may be over.
                let is_over = |room: &Summary| room.expires_at.is_some_and(|at| at <= now);
                rooms.extend(room.filter(|room| !is_over(room) && keep(room)));
                last = Some(id);
            }
            if exhausted {
                return Ok((rooms, None));
            }
        }
    }

    /// The first `max` names of rooms behind `after` that begin with `prefix`, and those rooms that exist.
    async fn summaries(
        &self,
        after: Option<&RoomId>,
        prefix: &str,
        max: usize,
    ) -> Result<Vec<(RoomId, Option<Summary>)>, NotFound> {
        if let Some(fleet) = &self.fleet {
            let rooms = self.shared_rooms(fleet, after, prefix, max).await?;
            let summary = |room: Option<Room>| room.and_then(|room| room.summary());
            return Ok(rooms.into_iter().map(|(id, room)| (id, summary(room))).collect());
        }
        let cells = self.directory.page(after, prefix, max);
        Ok(cells.iter().map(|cell| (cell.id().clone(), cell.summary())).collect())
    }

    /// One room as it is now, with all that it holds.
    ///
    /// # Errors
    /// [`NotFound::Room`] and [`NotFound::Unavailable`].
    pub async fn room(&self, room_id: &RoomId) -> Result<Room, NotFound> {
        self.catch_up().await?;
        let cell = self.find(room_id).await?;
        cell.and_then(|cell| cell.snapshot()).ok_or(NotFound::Room)
    }

    /// Rooms with names after `after` that begin with `prefix`, each with all that it holds at a moment of its own, in
    /// the order of their names: of `max` at most, without those that closed. And the name after which there may be
    /// more. Some may be newer than the end of the log is here.
    ///
    /// # Errors
    /// [`NotFound::Unavailable`].
    pub async fn snapshots(
        &self,
        after: Option<&RoomId>,
        prefix: &str,
        max: NonZeroUsize,
    ) -> Result<(Vec<Room>, Option<RoomId>), NotFound> {
        if let Some(fleet) = &self.fleet {
            let page = self.shared_rooms(fleet, after, prefix, max.get()).await?;
            let last = page.last().filter(|_| page.len() == max.get());
            let last = last.map(|(id, _)| id.clone());
            return Ok((page.into_iter().filter_map(|(_, room)| room).collect(), last));
        }
        let cells = self.directory.page(after, prefix, max.get());
        let last = cells.last().filter(|_| cells.len() == max.get());
        let rooms = cells.iter().filter_map(|cell| cell.snapshot()).collect();
        Ok((rooms, last.map(|cell| cell.id().clone())))
    }

    /// One room with all that it holds, if it exists. It may be newer than the end of the log is here.
    ///
    /// # Errors
    /// [`NotFound::Unavailable`].
    pub async fn snapshot(&self, room_id: &RoomId) -> Result<Option<Room>, NotFound> {
        match &self.fleet {
            None => Ok(self.known_here(room_id)),
            Some(fleet) => Box::pin(self.shared_room(fleet, room_id)).await,
        }
    }

    /// One room with all that it holds, as this server knows it, if it exists and is held here.
    pub fn known_here(&self, room_id: &RoomId) -> Option<Room> {
        self.directory.find(room_id)?.snapshot()
    }

    /// Makes a room ahead of its members.
    ///
    /// # Errors
    /// [`NotMade`].
    pub async fn create_room(
        &self,
        by: &Administrator,
        room_id: &RoomId,
        settings: Settings,
    ) -> Result<Summary, NotMade> {
        loop {
            let cell = self.cell(room_id).await?;
            let create = Command::Create { settings: settings.clone() };
            let by = Commander::Administrator(by);
            match cell.submit(self, Motion::by(by, create)).await {
                Ok(done) => return done.room.map(|room| *room).ok_or(NotMade::Exists),
                Err(Refused::CellClosed) => self.directory.forget(&cell),
                Err(Refused::Unavailable) => return Err(NotMade::Unavailable),
                Err(Refused::Unsettled) => return Err(NotMade::Unsettled),
                Err(_) => return Err(NotMade::Exists),
            }
        }
    }

    pub(super) fn vacant(&self, room_id: &RoomId) -> RoomCell {
        RoomCell::vacant(room_id.clone(), Arc::clone(&self.rules), &self.rates)
    }

    /// A room's cell, be it a vacant one, where the server stands alone.
    pub(super) fn own_cell(&self, room_id: &RoomId) -> Result<Arc<RoomCell>, TooManyRooms> {
        loop {
            let cell = self.directory.find_or_insert(room_id, || self.vacant(room_id))?;
            if !self.is_over(&cell) {
                return Ok(cell);
            }
        }
    }

    /// A room's cell, if there is one, where the server stands alone.
    pub(super) fn find_own(&self, room_id: &RoomId) -> Option<Arc<RoomCell>> {
        self.directory.find(room_id).filter(|cell| !self.is_over(cell))
    }

    /// Whether a room's end has come, be it by its time a moment ago: then it is not to be found any more.
    fn is_over(&self, cell: &Arc<RoomCell>) -> bool {
        let is_over = cell.expire(self, SystemTime::now());
        if is_over {
            self.directory.forget(cell);
        }
        is_over
    }

    /// Changes a room's settings, if they are those of `settled_at`, and shows it as it is then.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn update_room(
        &self,
        by: &Administrator,
        room_id: &RoomId,
        update: Update,
        settled_at: Option<Position>,
    ) -> Result<Summary, NotChanged> {
        self.settle(by, room_id, update, settled_at).await
    }

    /// Locks or unlocks a room, if its settings are those of `settled_at`, and shows it as it is then.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn lock_room(
        &self,
        by: &Administrator,
        room_id: &RoomId,
        locked: bool,
        settled_at: Option<Position>,
    ) -> Result<Summary, NotChanged> {
        let update = Update { locked: Some(locked), ..Update::default() };
        self.settle(by, room_id, update, settled_at).await
    }

    /// A room's cell, if it exists by what all servers know when this is called.
    pub(super) async fn find_now(&self, room_id: &RoomId) -> Result<Option<Held<'_>>, NotFound> {
        let found = self.find(room_id).await?;
        if found.is_some() || !self.is_shared() {
            return Ok(found);
        }
        // A replica may not know yet that the room was made.
        self.catch_up().await?;
        Ok(self.find(room_id).await?)
    }

    async fn settle(
        &self,
        by: &Administrator,
        room_id: &RoomId,
        update: Update,
        settled_at: Option<Position>,
    ) -> Result<Summary, NotChanged> {
        let cell = self.find_now(room_id).await?.ok_or(NotChanged::NotFound)?;
        let by = Commander::Administrator(by);
        let update = Command::Update { by: by.by(), update, settled_at, banned: Vec::new() };
        let settled = cell.submit(self, Motion::by(by, update)).await?;
        self.replicated(settled.at).await?;
        settled.room.map(|room| *room).ok_or(NotChanged::NotFound)
    }

    /// Ends a room, if its settings are those of `settled_at`, and the connections of its members, with `reason` for
    /// people.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn delete_room(
        &self,
        by: &Administrator,
        room_id: &RoomId,
        reason: Option<&str>,
        settled_at: Option<Position>,
    ) -> Result<(), NotChanged> {
        let cell = self.find_now(room_id).await?.ok_or(NotChanged::NotFound)?;
        let close = Motion::by(Commander::Administrator(by), Command::Close { settled_at });
        let word = Word::new(Code::RoomClosed, reason).and(Ending::RoomClosed);
        let closed = cell.submit(self, close.saying(word)).await?;
        self.directory.forget_if_closed(&cell);
        self.replicated(closed.at).await
    }

    async fn replicated(&self, up_to: Position) -> Result<(), NotChanged> {
        self.is_replicated(up_to).await.then_some(()).ok_or(NotChanged::NotReplicated)
    }

    /// Ends the rooms in which nobody sits, as the server stops: those who mirror them see them go. A fleet's rooms stay.
    pub fn end_empty(&self) {
        if self.fleet.is_some() {
            return;
        }
        let mut last = None;
        loop {
            let cells = self.directory.page(last.as_ref(), "", EXPIRED_AT_ONCE);
            let Some(cell) = cells.last() else { return };
            last = Some(cell.id().clone());
            for cell in &cells {
                if cell.end_empty(self, SystemTime::now()) {
                    self.directory.forget(cell);
                }
            }
        }
    }

    /// Ends what has its time in rooms: that somebody waits, and the rooms that were empty for as long as they may be.
    pub(super) fn end_what_is_due(&self, now: SystemTime) {
        for room_id in self.timers.due(now, EXPIRED_AT_ONCE) {
            // Looking for it ends what is due in it.
            let _ = self.find_own(&room_id);
        }
    }
}

impl From<Refused> for NotChanged {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Denied(Denied::Changed) => Self::Changed,
            Refused::Unavailable => Self::Unavailable,
            Refused::Unsettled => Self::Unsettled,
            Refused::Denied(_) | Refused::Banned(_) | Refused::Ending | Refused::CellClosed => {
                Self::NotFound
            }
        }
    }
}

impl From<NotFound> for NotChanged {
    fn from(missing: NotFound) -> Self {
        if missing == NotFound::Unavailable { Self::Unavailable } else { Self::NotFound }
    }
}

impl From<NotHeld> for NotMade {
    fn from(not_held: NotHeld) -> Self {
        match not_held {
            NotHeld::TooMany => Self::TooMany,
            NotHeld::Unavailable => Self::Unavailable,
        }
    }
}
