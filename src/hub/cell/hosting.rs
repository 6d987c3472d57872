//! What hosts and administrators do to a room and to those who wait for a seat in it.

use std::{net::IpAddr, sync::Arc, time::SystemTime};

use super::{Inner, RoomCell, commit::Occasion};
use crate::{
    ban::Bans,
    event::Administrator,
    hub::{Client, Hub, outbox::Entry},
    id::ClientId,
    protocol::Frame,
    room::{By, Command, Denied, Summary},
};

/// Whoever wants something that not everybody may.
#[derive(Debug, Clone, Copy)]
pub(in crate::hub) enum Commander<'a> {
    /// May all.
    Administrator(&'a Administrator),
    /// Must be a host.
    Client(&'a Arc<Client>),
}

impl Commander<'_> {
    pub(in crate::hub) fn by(self) -> By {
        match self {
            Self::Administrator(_) => By::Administrator,
            Self::Client(client) => By::Client(client.id),
        }
    }
}

impl<'a> From<Commander<'a>> for Occasion<'a> {
    fn from(commander: Commander<'a>) -> Self {
        match commander {
            Commander::Administrator(administrator) => administrator.into(),
            Commander::Client(client) => Occasion::of_client(client),
        }
    }
}

impl RoomCell {
    /// Carries out what `command` makes of who wants it, and shows the room as it is then, unless that ended it.
    pub(in crate::hub) fn carry_out(
        &self,
        hub: &Hub,
        commander: Commander<'_>,
        command: impl FnOnce(By) -> Command,
        now: SystemTime,
    ) -> Result<Option<Summary>, Denied> {
        let mut inner = self.inner.lock();
        let mut command = command(commander.by());
        hub.bans.during(|bans| {
            if let Command::Update { banned, .. } | Command::Admit { banned, .. } = &mut command {
                *banned = inner.banned_who_wait(bans, now);
            }
            inner.commit(hub, command, commander.into(), now)
        })?;
        Ok(inner.room.summary())
    }

    /// Takes a member's seat, and tells it so with `word`.
    pub(in crate::hub) fn remove(
        &self,
        hub: &Hub,
        commander: Commander<'_>,
        target: ClientId,
        word: Frame,
        now: SystemTime,
    ) -> Result<(), Denied> {
        let mut inner = self.inner.lock();
        let removed = inner.room.seat_of(target).map(|seat| Arc::clone(&inner.clients[seat]));
        let command = Command::Remove { by: commander.by(), target };
        inner.commit(hub, command, commander.into(), now)?;
        if let Some(client) = removed {
            client.push(Entry::Frame(word));
        }
        Ok(())
    }
}

impl Inner {
    fn banned_who_wait(&self, bans: &Bans, now: SystemTime) -> Vec<ClientId> {
        let people = self.room.waiting().zip(&self.waiting);
        let banned = people.filter(|(waiter, arrival)| {
            let (identity, address): (_, IpAddr) =
                (&waiter.member.identity, arrival.client.address);
            let room_id = Some(self.room.id());
            bans.against(room_id, identity.user_id.as_ref(), address, now).is_some()
        });
        banned.map(|(waiter, _)| waiter.member.client_id).collect()
    }
}
