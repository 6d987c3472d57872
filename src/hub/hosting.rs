//! What administrators do about those who wait for a seat, and about who is host: as hosts do, without being one.

use std::{sync::Arc, time::SystemTime};

use super::{
    Hub, NotFound,
    cell::{Commander, RoomCell},
};
use crate::{
    event::Administrator,
    id::{ClientId, RoomId},
    room::{By, Command, Denied, Member, Room, Waiter},
};

/// Why what hosts do was not done for an administrator. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
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
    pub fn waiting(&self, room_id: &RoomId) -> Result<Vec<Waiter>, NotFound> {
        let cell = self.find(room_id).ok_or(NotFound::Room)?;
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
        let admit = |by, banned| Command::Admit { by, target: Some(id), banned };
        self.host(by, id, room_id, NotHosted::NotWaiting, admit, |_| Some(())).await
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
        let deny = |by, _| Command::Deny { by, target: id };
        self.host(by, id, room_id, NotHosted::NotWaiting, deny, |_| Some(())).await
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
        let set = |by, _| Command::SetRole { by, target: id, host };
        let show = |room: &Room| room.member(id).cloned();
        self.host(by, id, room_id, NotHosted::NotInRoom, set, show).await
    }

    /// `elsewhere` is said of a client that is not where the command needs it.
    #[expect(clippy::unused_async, reason = "a journal shared by several servers must be awaited")]
    async fn host<T>(
        &self,
        by: &Administrator,
        id: ClientId,
        room_id: Option<&RoomId>,
        elsewhere: NotHosted,
        command: impl FnOnce(By, Vec<ClientId>) -> Command,
        show: impl FnOnce(&Room) -> Option<T>,
    ) -> Result<T, NotHosted> {
        let client = self.clients.find(id).ok_or(NotFound::Client)?;
        let is_meant = |cell: &Arc<RoomCell>| room_id.is_none_or(|id| cell.id() == id);
        let cell = client.seat().filter(is_meant).ok_or(elsewhere)?;
        let (by, now) = (Commander::Administrator(by), SystemTime::now());
        let done = cell.carry_out_and(self, by, command, show, now);
        done.map_err(|denied| match denied {
            Denied::Full => NotHosted::Full,
            Denied::LastHost => NotHosted::LastHost,
            Denied::Locked
            | Denied::Held
            | Denied::Banned
            | Denied::PasswordRequired
            | Denied::PasswordUnchecked
            | Denied::PasswordNotSet
            | Denied::LobbyFull
            | Denied::Forbidden
            | Denied::NotAMember
            | Denied::NotWaiting
            | Denied::NoSuchRoom
            | Denied::Exists
            | Denied::Changed => elsewhere,
        })?
        .ok_or(elsewhere)
    }
}
