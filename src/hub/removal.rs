//! How administrators and hosts take a client's seat, and administrators its connection.

use std::{sync::Arc, time::SystemTime};

use super::{
    Client, Ending, Hub, NotBanned, NotFound,
    bans::Committed,
    cell::{Commander, Motion, Refused, RoomCell, Word},
    outbox::Entry,
};
use crate::{
    ban::{self, Ban},
    event::{Administrator, Cause},
    id::{ClientId, RoomId},
    protocol::{CloseCode, Code, Frame, Reply},
    room::{By, Command, Denied, LeaveReason},
};

/// How somebody is to be kept out whose connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepOut {
    /// By the userId that it registered.
    pub user_id: bool,
    /// By where it comes from.
    pub address: bool,
    /// Only from the room that it sits in.
    pub room_only: bool,
    /// Until then; none: until the ban is deleted.
    pub until: Option<SystemTime>,
}

/// Why a client is not removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRemoved {
    /// It is not there.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// It sits in no room, or in another one.
    #[error("the client does not sit in that room")]
    NotInRoom,
    /// It shall be banned by its userId, and has none.
    #[error("the client has not registered a userId")]
    NoUserId,
    /// There are too many bans already.
    #[error(transparent)]
    Ban(#[from] NotBanned),
}

/// What people read whom a host removes, and who is kept out by that.
const REMOVED_BY_HOST: &str = "Removed by a host";

/// Why a host does not remove a member.
#[derive(Debug, Clone)]
pub(super) enum NotRemovedByHost {
    /// The room refuses.
    Refused(Refused),
    /// Hosts have made as many bans as they may.
    TooManyBans,
    /// It is done, but some server may not know of the ban yet, or too few replicas have it.
    UnsafeYet,
}

impl From<Refused> for NotRemovedByHost {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Denied> for NotRemovedByHost {
    fn from(denied: Denied) -> Self {
        Self::Refused(Refused::Denied(denied))
    }
}

impl Hub {
    /// Ends a client's connection, with `reason` for people, and bans it first if that is wanted. Its seat is free
    /// when this returns. The bans that were made are returned.
    ///
    /// # Errors
    /// [`NotRemoved`]: nothing was done then, but with [`NotBanned::NotConfirmed`] and [`NotBanned::NotReplicated`].
    pub async fn disconnect_client(
        &self,
        by: &Administrator,
        id: ClientId,
        reason: Option<&str>,
        keep_out: Option<KeepOut>,
    ) -> Result<Vec<Arc<Ban>>, NotRemoved> {
        let Some(client) = self.clients.find(id) else {
            return Box::pin(self.disconnect_elsewhere(by, id, reason, keep_out)).await;
        };
        let Some(keep_out) = keep_out else {
            self.disconnect(by, &client, Ending::Removed, reason).await;
            return Ok(Vec::new());
        };
        let bans = self.bans_of(&client, reason, keep_out)?;
        // A ban from a room would free its seat only, and it shall hear of this once.
        let made = self.ban_all(by, bans.clone(), Some(id)).await?;
        self.disconnect(by, &client, Ending::Banned, reason).await;
        self.bans_hold(made).await?;
        Ok(bans)
    }

    fn bans_of(
        &self,
        client: &Arc<Client>,
        reason: Option<&str>,
        KeepOut { user_id, address, room_only, until }: KeepOut,
    ) -> Result<Vec<Arc<Ban>>, NotRemoved> {
        let room_id = match room_only {
            true => Some(self.seat_of(client).ok_or(NotRemoved::NotInRoom)?.id().clone()),
            false => None,
        };
        let user = || {
            let user_id = client.names().and_then(|names| names.user_id().cloned());
            user_id.map(ban::Subject::User).ok_or(NotRemoved::NoUserId)
        };
        let user = user_id.then(user).transpose()?;
        let address = address.then(|| client.address.into());
        let ban = |subject| {
            Arc::new(Ban {
                id: ban::BanId::random(),
                room_id: room_id.clone(),
                subject,
                reason: reason.map(Into::into),
                created_at: self.now(),
                expires_at: until,
                host: None,
            })
        };
        Ok(user.into_iter().chain(address).map(ban).collect())
    }

    /// Frees a client's seat, in `room_id` if that is given. It stays connected.
    ///
    /// # Errors
    /// [`NotRemoved::NotFound`] and [`NotRemoved::NotInRoom`].
    pub async fn remove_client(
        &self,
        by: &Administrator,
        id: ClientId,
        room_id: Option<&RoomId>,
        reason: Option<&str>,
    ) -> Result<(), NotRemoved> {
        // It may have moved to another room meanwhile.
        while let Some(its) = self.room_of(id, room_id).await?
            && let Some(cell) = self.find_now(&its).await?.filter(|cell| cell.seats(id))
        {
            let remove = Command::Remove { by: By::Administrator, target: id };
            let remove = Motion::by(Commander::Administrator(by), remove);
            let word = Word::new(Code::Removed, reason);
            let removed = cell.submit(self, remove.saying(word)).await;
            self.directory.forget_if_closed(&cell);
            match removed {
                Ok(_) => return Ok(()),
                Err(Refused::Unavailable) => return Err(NotFound::Unavailable.into()),
                Err(Refused::Unsettled) => return Err(NotFound::Unsettled.into()),
                Err(_) => {}
            }
        }
        Err(NotRemoved::NotInRoom)
    }

    /// The room that a client sits in.
    pub(super) fn seat_of(&self, client: &Client) -> Option<Arc<RoomCell>> {
        // It may have lost its seat and not know it yet.
        client.seat().filter(|cell| cell.seats(client.id))
    }

    /// Frees a seat and says so to whoever had it, or ends its waiting. Returns whether it is sure that nobody has it by now.
    pub(super) async fn unseat(
        &self,
        cause: Cause,
        id: ClientId,
        cell: &Arc<RoomCell>,
        reason: LeaveReason,
        text: Option<&str>,
    ) -> bool {
        let code = if reason == LeaveReason::Banned { Code::Banned } else { Code::Removed };
        let leave = Motion::leave(id, reason, cause).saying(Word::new(code, text));
        let left = cell.depart(self, leave).await;
        self.directory.forget_if_closed(cell);
        left.is_ok()
    }

    /// Ends a connection for good: its seat is free, and it cannot take another one.
    pub(super) async fn disconnect(
        &self,
        by: &Administrator,
        client: &Arc<Client>,
        ending: Ending,
        text: Option<&str>,
    ) {
        let word = || Word::new(code_of(ending), text).and(ending);
        let leave = |cause| Motion::leave(client.id, ending.leave_reason(), cause);
        let cause = || Cause::Administrator(by.clone());
        // It may move on before its room's lock is taken: then it is looked for again.
        while let Some(cell) = self.seat_of(client) {
            let left = cell.depart(self, leave(cause()).saying(word())).await;
            self.directory.forget_if_closed(&cell);
            let has_left = left.map_or_else(|why| why.is_open(), |done| done.changed);
            if has_left && client.outbox.is_ending() {
                return;
            }
        }
        // Before its seat is looked for: whoever is about to take one asks for this after it showed where.
        self.end(client, ending, text);
        if let Some(cell) = client.seat() {
            // It is never refused.
            let _ = cell.depart(self, leave(cause())).await;
            self.directory.forget_if_closed(&cell);
        }
    }

    /// Ends a connection for good that has no seat and is not about to take one.
    pub(super) fn end(&self, client: &Client, ending: Ending, text: Option<&str>) {
        let code = code_of(ending);
        if client.outbox.end_after(Entry::Frame(removed(code, text, None)), ending) {
            self.metrics.refusal(code);
        }
    }

    /// Frees a member's seat as a host wants it, and keeps it out of the room for a time if that is wanted too. Whoever
    /// has its name goes with it; whoever has only its address may be anybody else, and does not come in again.
    pub(super) async fn remove_by_host(
        &self,
        host: &Arc<Client>,
        cell: &Arc<RoomCell>,
        target: ClientId,
        until: Option<SystemTime>,
    ) -> Result<(), NotRemovedByHost> {
        let remove = Command::Remove { by: By::Client(host.id), target };
        // First of all: whoever may not remove it may not ban it either.
        cell.would(remove.clone(), self.now())?;
        let ban = match until {
            Some(until) => self.ban_by_host(host, cell, target, until).await?,
            None => None,
        };
        let word = Word::new(Code::Removed, Some(REMOVED_BY_HOST));
        let remove = Motion::by(Commander::Client(host), remove).saying(word);
        let removed = cell.submit(self, remove).await;
        self.directory.forget_if_closed(cell);
        let Some((ban, made)) = ban else { return Ok(removed.map(drop)?) };
        let have_gone = self.enforce_by_host(&ban, &Cause::Client(host.id)).await;
        match removed {
            // Its own server was first.
            Ok(_) | Err(Refused::Denied(Denied::NotAMember)) => {}
            Err(refused) => return Err(refused.into()),
        }
        self.bans_hold(made.with(have_gone))
            .await
            .map_err(|_: NotBanned| NotRemovedByHost::UnsafeYet)
    }

    /// Sends away, of those who are connected here, whom a host's ban meets. Returns as [`Hub::enforce`] does.
    pub(super) async fn enforce_by_host(&self, ban: &Ban, cause: &Cause) -> bool {
        let cell = ban.room_id.as_ref().and_then(|room_id| self.directory.find(room_id));
        let Some(cell) = cell else { return true };
        let mut have_gone = true;
        let by_name = matches!(ban.subject, ban::Subject::User(_));
        for client in cell.people(|client| client.is_met_by(ban)) {
            if by_name || !cell.seats(client.id) {
                let (cause, text) = (cause.clone(), ban.reason.as_deref());
                have_gone &= self.unseat(cause, client.id, &cell, LeaveReason::Banned, text).await;
            }
        }
        have_gone
    }

    /// By its name where a token vouches for that, otherwise by where it comes from. None if it is not there any more.
    async fn ban_by_host(
        &self,
        host: &Client,
        cell: &RoomCell,
        target: ClientId,
        until: SystemTime,
    ) -> Result<Option<(Arc<Ban>, Committed)>, NotRemovedByHost> {
        let Some(member) = cell.member(target) else { return Ok(None) };
        let address = match self.client_anywhere(target).await {
            Ok(client) => client.address,
            Err(NotFound::Client | NotFound::Room) => return Ok(None),
            Err(NotFound::Unavailable | NotFound::Unsettled | NotFound::Unanswered(_)) => {
                return Err(Refused::Unavailable.into());
            }
        };
        let user_id = member.vouched.as_ref().and_then(|_| member.identity.user_id.clone());
        let ban = Arc::new(Ban {
            id: ban::BanId::random(),
            room_id: Some(cell.id().clone()),
            subject: user_id.map_or_else(|| address.into(), ban::Subject::User),
            reason: Some(REMOVED_BY_HOST.into()),
            created_at: self.now(),
            expires_at: Some(until),
            host: Some(ban::network_of(host.address)),
        });
        let create = ban::Command::CreateByHost(Arc::clone(&ban));
        let made = self.commit_bans(create, Cause::Client(host.id)).await;
        let made = made.map_err(|error| match error {
            NotBanned::Denied(_) => NotRemovedByHost::TooManyBans,
            NotBanned::Unavailable => NotRemovedByHost::Refused(Refused::Unavailable),
            NotBanned::Unsettled | NotBanned::NotConfirmed | NotBanned::NotReplicated => {
                NotRemovedByHost::Refused(Refused::Unsettled)
            }
        })?;
        Ok(Some((ban, made)))
    }
}

fn code_of(ending: Ending) -> Code {
    if ending == Ending::Banned { Code::Banned } else { Code::Removed }
}

/// What somebody hears whom an administrator or a host removes, in these words or the usual ones.
pub(super) fn removed(code: Code, reason: Option<&str>, room_id: Option<&RoomId>) -> Frame {
    let usual = || {
        if code == Code::Banned {
            "Banned by an administrator"
        } else if code == Code::RoomClosed {
            CloseCode::RoomClosed.reason()
        } else if code == Code::NodeLost {
            CloseCode::NodeLost.reason()
        } else {
            CloseCode::Removed.reason()
        }
    };
    let reason = reason.unwrap_or_else(usual);
    Reply::Removed { code, reason, room_id }.encode()
}
