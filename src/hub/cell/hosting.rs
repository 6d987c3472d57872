//! What hosts and administrators do to a room and to those who wait for a seat in it.

use std::{sync::Arc, time::SystemTime};

use super::{Inner, RoomCell, commit::Occasion};
use crate::{
    ban::{self, Ban, BanId, Bans, Subject},
    event::Administrator,
    hub::{Client, Hub, outbox::Entry},
    id::ClientId,
    protocol::{Frame, Reply},
    room::{By, Command, Denied, Member, Room, Summary},
};

/// What people read whom a host removes, and who is kept out by that.
pub(in crate::hub) const REMOVED_BY_HOST: &str = "Removed by a host";

/// Why a host does not get what it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum NotDone {
    /// The room refuses.
    Denied(Denied),
    /// Hosts have made as many bans as they may.
    TooManyBans,
}

impl From<Denied> for NotDone {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

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
    /// Carries out what `command` makes of who wants it and of those who wait and are banned, and shows the room as it
    /// is then, unless that ended it.
    pub(in crate::hub) fn carry_out(
        &self,
        hub: &Hub,
        commander: Commander<'_>,
        command: impl FnOnce(By, Vec<ClientId>) -> Command,
        now: SystemTime,
    ) -> Result<Option<Summary>, Denied> {
        self.carry_out_and(hub, commander, command, Room::summary, now)
    }

    /// The same, with what is to be shown of the room as it is then.
    pub(in crate::hub) fn carry_out_and<T>(
        &self,
        hub: &Hub,
        commander: Commander<'_>,
        command: impl FnOnce(By, Vec<ClientId>) -> Command,
        show: impl FnOnce(&Room) -> T,
        now: SystemTime,
    ) -> Result<T, Denied> {
        let mut inner = self.inner.lock();
        hub.bans.during(|bans| {
            let command = command(commander.by(), inner.banned_who_wait(bans, now));
            inner.commit(hub, command, commander.into(), now)
        })?;
        Ok(show(&inner.room))
    }

    /// Whether this client may do what is for hosts.
    pub(in crate::hub) fn may_host(&self, client_id: ClientId) -> Result<(), Denied> {
        self.inner.lock().room.may(By::Client(client_id))
    }

    /// Takes a member's seat, and tells it so with `word`. A ban keeps it out `until` then, and is returned.
    pub(in crate::hub) fn remove(
        &self,
        hub: &Hub,
        host: &Arc<Client>,
        target: ClientId,
        (word, until): (Frame, Option<SystemTime>),
        now: SystemTime,
    ) -> Result<Option<Arc<Ban>>, NotDone> {
        let mut inner = self.inner.lock();
        let command = Command::Remove { by: By::Client(host.id), target };
        // First of all: whoever may not remove it may not ban it either.
        inner.room.decide(command.clone(), now)?;
        let seat = inner.room.seat_of(target).ok_or(Denied::NotAMember)?;
        let client = Arc::clone(&inner.clients[seat]);
        let ban = until.map(|until| inner.ban_by_host(host, &client, until, now));
        if let Some(ban) = &ban {
            hub.bans.create_by_host(hub, ban, host.id, now).map_err(|_| NotDone::TooManyBans)?;
        }
        inner.commit(hub, command, Occasion::of_client(host), now)?;
        client.push(Entry::Frame(word));
        Ok(ban)
    }

    /// Has a member know that a host wants it to be silent.
    pub(in crate::hub) fn ask_to_mute(
        &self,
        host: &Arc<Client>,
        target: ClientId,
    ) -> Result<(), Denied> {
        let request = Reply::MuteRequested { from_id: host.id }.encode();
        let inner = self.inner.lock();
        inner.room.may(By::Client(host.id))?;
        let seat = inner.room.seat_of(target).ok_or(Denied::NotAMember)?;
        inner.clients[seat].push_from(host, Entry::Frame(request));
        Ok(())
    }
}

impl Inner {
    /// By its name where a token vouches for that, otherwise by where it comes from.
    fn ban_by_host(
        &self,
        host: &Client,
        target: &Client,
        until: SystemTime,
        now: SystemTime,
    ) -> Arc<Ban> {
        let vouched = self.room.member(target.id).filter(|member| member.vouched.is_some());
        let user_id = vouched.and_then(|member| member.identity.user_id.clone());
        Arc::new(Ban {
            id: BanId::random(),
            room_id: Some(self.room.id().clone()),
            subject: user_id.map_or_else(|| target.address.into(), Subject::User),
            reason: Some(REMOVED_BY_HOST.into()),
            created_at: now,
            expires_at: Some(until),
            host: Some(ban::network_of(host.address)),
        })
    }

    fn banned_who_wait(&self, bans: &Bans, now: SystemTime) -> Vec<ClientId> {
        let people = self.room.waiting().zip(&self.waiting);
        let banned = people.filter(|(waiter, knocker)| {
            let Member { identity, vouched, .. } = &*waiter.member;
            let who = (identity.user_id.as_ref(), vouched.is_some());
            bans.against(Some(self.room.id()), who, knocker.arrival.client.address, now).is_some()
        });
        banned.map(|(waiter, _)| waiter.member.client_id).collect()
    }
}
