//! What a host asks for, of the room that it sits in.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use super::{Session, not_in_room};
use crate::{
    hub::cell::{Commander, NotDone, RoomCell},
    id::ClientId,
    protocol::{Code, Order, Rejected, Reply, RequestId, RoomUpdate},
    room::{By, Command, Update},
};

impl Session {
    pub(super) fn order(
        &mut self,
        order: Order,
        request_id: Option<&RequestId>,
    ) -> Result<(), Rejected> {
        let cell = self.own_room()?;
        match order {
            Order::SetRole { target, host } => {
                self.change()?;
                self.command(&cell, |by, _| Command::SetRole { by, target, host })?;
            }
            Order::Remove { target, seconds } => {
                self.change()?;
                self.may_change(&cell)?;
                let now = SystemTime::now();
                let until = seconds.map(|seconds| now + Duration::from_secs(seconds.into()));
                self.hub().remove_by_host(&self.client, &cell, target, until, now)?;
            }
            Order::AskToMute { target } => cell.ask_to_mute(&self.client, target)?,
            Order::Admit { target } => {
                self.command(&cell, |by, banned| Command::Admit { by, target, banned })?;
            }
            Order::Deny { target } => self.command(&cell, |by, _| Command::Deny { by, target })?,
        }
        self.reply(&Reply::Done { request_id });
        Ok(())
    }

    pub(super) async fn update_room<E>(
        &mut self,
        update: RoomUpdate,
        request_id: Option<&RequestId>,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), Rejected>, E> {
        let RoomUpdate { locked, max_members, password, lobby } = update;
        if let Err(rejected) = self.may_update(max_members) {
            return Ok(Err(rejected));
        }
        let password = match password {
            None => None,
            Some(None) => Some(None),
            Some(Some(password)) => match self.hash(&password, meanwhile).await? {
                Ok(hash) => Some(Some(hash)),
                Err(rejected) => return Ok(Err(rejected)),
            },
        };
        let update = Update { max_members, locked, password, lobby, ..Update::default() };
        // Hashing took a while: it may sit elsewhere by now, or not be a host any more.
        let updated = self.own_room().and_then(|cell| {
            let command = |by, banned| Command::Update { by, update, settled_at: None, banned };
            self.command(&cell, command)
        });
        Ok(updated.map(|()| self.reply(&Reply::Done { request_id })))
    }

    /// Before anything is done for it that takes a while.
    fn may_update(&self, max_members: Option<usize>) -> Result<(), Rejected> {
        let cell = self.own_room()?;
        cell.may_host(self.client.id)?;
        // An administrator may have made it larger than others are.
        let own = || cell.summary().map_or(0, |room| room.settings.max_members);
        let most = self.hub().limits.members.max(own());
        if max_members.is_some_and(|wanted| wanted > most) {
            let text = format!("`maxMembers` must be at most {most} here");
            return Err(Rejected::new(Code::BadMessage, text));
        }
        Ok(())
    }

    fn command(
        &self,
        cell: &RoomCell,
        command: impl FnOnce(By, Vec<ClientId>) -> Command,
    ) -> Result<(), Rejected> {
        self.may_change(cell)?;
        let (hub, by) = (self.hub(), Commander::Client(&self.client));
        let carried_out = cell.carry_out(hub, by, command, SystemTime::now());
        carried_out.map(drop).map_err(Rejected::from)
    }

    fn own_room(&self) -> Result<Arc<RoomCell>, Rejected> {
        let seat = self.seat.as_ref().filter(|cell| cell.seats(self.client.id));
        seat.cloned().ok_or_else(not_in_room)
    }
}

impl From<NotDone> for Rejected {
    fn from(not_done: NotDone) -> Self {
        match not_done {
            NotDone::Denied(denied) => denied.into(),
            NotDone::TooManyBans => {
                let text = "The server takes no more bans: remove it without a time";
                Self::new(Code::Unavailable, text)
            }
        }
    }
}
