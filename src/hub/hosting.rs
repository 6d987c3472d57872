//! What administrators do about those who wait for a seat, and about who is host: as hosts do, without being one.

use std::sync::Arc;

use super::{
    Hub, NotFound,
    cell::{Commander, Motion, Refused},
    fleet::Held,
};
use crate::{
    event::Administrator,
    id::{ClientId, RoomId},
    room::{By, Command, Denied, Member, Waiter},
};

/// Why what hosts do was not done for an administrator. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHosted {
    /// The client is not there.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The client waits nowhere, or for a seat in another room.
    #[error("the client does not wait for a seat in that room")]
    NotWaiting,
    /// The client sits in no room, or in another one.
    #[error("the client does not sit in that room")]
    NotInRoom,
    /// Every seat is taken.
    #[error("every seat of the room is taken")]
    Full,
    /// There must be a host.
    #[error("the client is the room's last host: make another one first")]
    LastHost,
}

impl Hub {
    /// Who waits for a seat in a room, in the order in which they came.
    ///
    /// # Errors
    /// [`NotFound::Room`].
    pub async fn waiting(&self, room_id: &RoomId) -> Result<Vec<Waiter>, NotFound> {
        self.catch_up().await?;
        let cell = self.find(room_id).await?.ok_or(NotFound::Room)?;
        cell.waiting().ok_or(NotFound::Room)
    }

    /// Seats a client that waits, in `room_id` if that is given.
    ///
    /// # Errors
    /// [`NotHosted::NotFound`], [`NotHosted::NotWaiting`] and [`NotHosted::Full`].
    pub async fn admit_client(
        &self,
        by: &Administrator,
        id: ClientId,
        room_id: Option<&RoomId>,
    ) -> Result<(), NotHosted> {
        let admit = |by| Command::Admit { by, target: Some(id), banned: Vec::new() };
        self.host(by, id, room_id, NotHosted::NotWaiting, admit).await.map(drop)
    }

    /// Ends a client's waiting, in `room_id` if that is given.
    ///
    /// # Errors
    /// [`NotHosted::NotFound`] and [`NotHosted::NotWaiting`].
    pub async fn deny_client(
        &self,
        by: &Administrator,
        id: ClientId,
        room_id: Option<&RoomId>,
    ) -> Result<(), NotHosted> {
        let deny = |by| Command::Deny { by, target: id };
        self.host(by, id, room_id, NotHosted::NotWaiting, deny).await.map(drop)
    }

    /// Makes a host of a member, or a member of a host, in `room_id` if that is given; and shows it as it is then.
    ///
    /// # Errors
    /// [`NotHosted::NotFound`], [`NotHosted::NotInRoom`] and [`NotHosted::LastHost`].
    pub async fn set_role(
        &self,
        by: &Administrator,
        id: ClientId,
        room_id: Option<&RoomId>,
        host: bool,
    ) -> Result<Arc<Member>, NotHosted> {
        let set = |by| Command::SetRole { by, target: id, host };
        let cell = self.host(by, id, room_id, NotHosted::NotInRoom, set).await?;
        cell.member(id).ok_or(NotHosted::NotInRoom)
    }

    /// `elsewhere` is said of a client that is not where the command needs it.
    async fn host(
        &self,
        by: &Administrator,
        id: ClientId,
        room_id: Option<&RoomId>,
        elsewhere: NotHosted,
        command: impl FnOnce(By) -> Command,
    ) -> Result<Held<'_>, NotHosted> {
        let Some(room_id) = self.room_of(id, room_id).await? else { return Err(elsewhere) };
        let Some(cell) = self.find_now(&room_id).await? else { return Err(elsewhere) };
        let by = Commander::Administrator(by);
        let done = cell.submit(self, Motion::by(by, command(by.by()))).await;
        done.map_err(|refused| match refused {
            Refused::Denied(Denied::Full) => NotHosted::Full,
            Refused::Denied(Denied::LastHost) => NotHosted::LastHost,
            Refused::Unavailable => NotFound::Unavailable.into(),
            Refused::Unsettled => NotFound::Unsettled.into(),
            Refused::Denied(_) | Refused::Banned(_) | Refused::Ending | Refused::CellClosed => {
                elsewhere
            }
        })?;
        Ok(cell)
    }
}
