//! What a host asks for, of the room that it sits in.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use super::{
    Session, banned, not_in_room, unavailable, unsafe_until_asked_again, unsafe_yet, unsettled,
};
use crate::{
    hub::{
        cell::{Commander, Motion, Refused, RoomCell},
        removal::NotRemovedByHost,
    },
    protocol::{Code, Order, Rejected, Reply, RequestId, RoomUpdate},
    room::{By, Command, Update},
};

impl Session {
    pub(super) async fn order<E>(
        &mut self,
        order: Order,
        request_id: Option<&RequestId>,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), Rejected>, E> {
        // What is known here may be old.
        if let Err(rejected) = self.catch_up(meanwhile).await? {
            return Ok(Err(rejected));
        }
        let done = match self.allowed(order) {
            Ok(cell) => self.give(&cell, order, meanwhile).await?,
            Err(rejected) => Err(rejected),
        };
        Ok(done.map(|()| self.reply(&Reply::Done { request_id })))
    }

    fn allowed(&mut self, order: Order) -> Result<Arc<RoomCell>, Rejected> {
        let cell = self.own_room()?;
        if matches!(order, Order::SetRole { .. } | Order::Remove { .. }) {
            self.change()?;
        }
        if !matches!(order, Order::AskToMute { .. }) {
            self.may_change(&cell)?;
        }
        Ok(cell)
    }

    async fn give<E>(
        &mut self,
        cell: &Arc<RoomCell>,
        order: Order,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), Rejected>, E> {
        let by = By::Client(self.client.id);
        let command = match order {
            Order::SetRole { target, host } => Command::SetRole { by, target, host },
            Order::Remove { target, seconds } => {
                let now = self.hub().now();
                let until = |seconds: u32| now + Duration::from_secs(seconds.into());
                let (hub, host) = (Arc::clone(self.hub()), Arc::clone(&self.client));
                let (cell, until) = (Arc::clone(cell), seconds.map(until));
                let removed = async move { hub.remove_by_host(&host, &cell, target, until).await };
                return Ok(self.wait_for(removed, meanwhile).await?.map_err(Rejected::from));
            }
            Order::AskToMute { target } => {
                let asked = cell.ask_to_mute(&self.client, target).map_err(Rejected::from);
                return Ok(asked.and_then(|away| self.forward(cell, away, Some(target))));
            }
            Order::Admit { target } => Command::Admit { by, target, banned: Vec::new() },
            Order::Deny { target } => Command::Deny { by, target },
        };
        self.command(cell, command, meanwhile).await
    }

    pub(super) async fn update_room<E>(
        &mut self,
        update: RoomUpdate,
        request_id: Option<&RequestId>,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), Rejected>, E> {
        let RoomUpdate { locked, max_members, password, lobby } = update;
        // What is known here may be old.
        if let Err(rejected) = self.catch_up(meanwhile).await? {
            return Ok(Err(rejected));
        }
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
        let cell = match self.own_room().and_then(|cell| self.may_change(&cell).map(|()| cell)) {
            Ok(cell) => cell,
            Err(rejected) => return Ok(Err(rejected)),
        };
        let by = By::Client(self.client.id);
        let command = Command::Update { by, update, settled_at: None, banned: Vec::new() };
        let updated = self.command(&cell, command, meanwhile).await?;
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

    async fn command<E>(
        &mut self,
        cell: &Arc<RoomCell>,
        command: Command,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), Rejected>, E> {
        let settles = matches!(command, Command::Update { .. });
        let motion = Motion::by(Commander::Client(&self.client), command);
        let done = match self.put(cell, motion, meanwhile).await? {
            Ok(done) => done,
            Err(refused) => return Ok(Err(refused.into())),
        };
        // As where an administrator does it.
        let hub = Arc::clone(self.hub());
        let replicated = async move { !settles || hub.is_replicated(done.at).await };
        let is_replicated = self.wait_for(replicated, meanwhile).await?;
        Ok(is_replicated.then_some(()).ok_or_else(unsafe_until_asked_again))
    }

    fn own_room(&self) -> Result<Arc<RoomCell>, Rejected> {
        let seat = self.seat.as_ref().filter(|cell| cell.seats(self.client.id));
        seat.cloned().ok_or_else(not_in_room)
    }
}

impl From<Refused> for Rejected {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Denied(denied) => denied.into(),
            Refused::Banned(ban) => banned(&ban),
            Refused::Ending | Refused::CellClosed => not_in_room(),
            Refused::Unavailable => unavailable(),
            Refused::Unsettled => unsettled(),
        }
    }
}

impl From<NotRemovedByHost> for Rejected {
    fn from(not_removed: NotRemovedByHost) -> Self {
        match not_removed {
            NotRemovedByHost::Refused(refused) => refused.into(),
            NotRemovedByHost::UnsafeYet => unsafe_yet(),
            NotRemovedByHost::TooManyBans => {
                let text = "The server takes no more bans: remove it without a time";
                Self::new(Code::Unavailable, text)
            }
        }
    }
}
