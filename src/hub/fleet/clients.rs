//! Clients of a fleet as administrators see them, whichever server they are connected to.

use std::{num::NonZeroUsize, sync::Arc};

use super::{
    Fleet,
    questions::{Answers, PATIENCE, named},
    report,
};
use crate::{
    ban::{self, Ban, BanId},
    config::limits,
    event::Administrator,
    hub::{Hub, KeepOut, NotBanned, NotFound, NotRemoved, Report},
    id::{ClientId, Incarnation, RoomId},
    journal::stored::pb::{self, question::What as Asked},
    protocol::Frame,
};

/// Clients of which a server tells at once.
const TOLD_AT_ONCE: usize = 512;

/// A page of clients.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// In the order of their ids.
    pub clients: Vec<Report>,
    /// After which id to go on, unless all were looked at.
    pub more: Option<ClientId>,
    /// Servers that did not answer: their clients are missing.
    pub silent: Vec<Incarnation>,
}

impl Hub {
    /// One client, whichever server it is connected to.
    ///
    /// # Errors
    /// [`NotFound`].
    pub async fn client_anywhere(&self, id: ClientId) -> Result<Report, NotFound> {
        // What is not known by now does not matter for a client of this server.
        let _ = self.catch_up().await;
        match (self.client(id), &self.fleet) {
            (Some(report), _) => Ok(report),
            (None, None) => Err(NotFound::Client),
            (None, Some(fleet)) => Ok(Box::pin(self.locate(fleet, id)).await?.1),
        }
    }

    /// The same as [`Hub::clients`], of those of all servers.
    ///
    /// # Errors
    /// [`NotFound::Unavailable`], if it is not known which servers there are.
    pub async fn clients_anywhere(
        &self,
        after: Option<ClientId>,
        max: NonZeroUsize,
        keep: impl Fn(&Report) -> bool,
    ) -> Result<Listed, NotFound> {
        let Some(fleet) = &self.fleet else {
            let (clients, more) = self.clients(after, max, keep);
            return Ok(Listed { clients, more, silent: Vec::new() });
        };
        self.catch_up().await?;
        let mut asked = fleet.known_others().await?;
        let mut listed = Listed { more: after, ..Listed::default() };
        let mut left = limits::CLIENTS_LOOKED_AT;
        loop {
            let (portion, known_to) = Box::pin(self.portion(fleet, &mut asked, &mut listed)).await;
            for report in portion {
                if listed.clients.len() == max.get() || left == 0 {
                    return Ok(listed);
                }
                left -= 1;
                listed.more = Some(report.id);
                listed.clients.extend(Some(report).filter(&keep));
            }
            listed.more = known_to;
            if known_to.is_none() || left == 0 || listed.clients.len() == max.get() {
                return Ok(listed);
            }
        }
    }

    /// The clients of all servers that follow `listed.more`, up to the one that is returned if there are more. Those
    /// who do not answer are asked no more.
    async fn portion(
        &self,
        fleet: &Fleet,
        asked: &mut Vec<Incarnation>,
        listed: &mut Listed,
    ) -> (Vec<Report>, Option<ClientId>) {
        let max = NonZeroUsize::new(TOLD_AT_ONCE).expect("not zero");
        let wanted = pb::AllClients {
            after: listed.more.map(named).unwrap_or_default(),
            max: u32::try_from(max.get()).unwrap_or(u32::MAX),
        };
        let (what, at) = (Asked::Clients(wanted), self.journal.head());
        let Answers { given, silent } = fleet.ask(asked, at, what, PATIENCE, |_| false).await;
        asked.retain(|node| !silent.contains(node));
        listed.silent.extend(silent);
        let (mut portion, more) = self.clients(listed.more, max, |_| true);
        // Whoever has more of its own may have some that come before those of others.
        let mut ends: Vec<ClientId> = more.into_iter().collect();
        for (from, answer) in given {
            ends.extend(report::client_id(&answer.more_after));
            portion.extend(answer.found.into_iter().filter_map(|client| {
                let told = report::read(client);
                told.inspect_err(|error| tracing::error!(%from, %error, "a client is left out"))
                    .ok()
            }));
        }
        let known_to = ends.into_iter().min();
        portion.retain(|report| known_to.is_none_or(|last| report.id <= last));
        portion.sort_unstable_by_key(|report| report.id);
        (portion, known_to)
    }

    pub(super) fn answer_of_clients(&self, wanted: &pb::AllClients) -> pb::Answer {
        let max = usize::try_from(wanted.max).unwrap_or(TOLD_AT_ONCE).clamp(1, TOLD_AT_ONCE);
        let max = NonZeroUsize::new(max).expect("at least one");
        let (found, more) = self.clients(report::client_id(&wanted.after), max, |_| true);
        pb::Answer {
            found: found.iter().map(report::written).collect(),
            more_after: more.map(named).unwrap_or_default(),
            ..Default::default()
        }
    }

    /// The server that a client of another one is connected to, and what that knows of it.
    async fn locate(&self, fleet: &Fleet, id: ClientId) -> Result<(Incarnation, Report), NotFound> {
        let what = Asked::Client(pb::OneClient { client_id: named(id) });
        let mut answers = self.ask_others(fleet, what, |answer| !answer.found.is_empty()).await?;
        let found = answers.given.iter_mut().find_map(|(from, answer)| {
            let told = report::read(answer.found.pop()?);
            let told = told.inspect_err(|error| tracing::error!(%from, %error, "an odd client"));
            Some((*from, told.ok()?))
        });
        found.ok_or_else(|| answers.nowhere())
    }

    /// The room where a client sits or waits, be it connected to another server, if it does; in `room_id` if that is
    /// given.
    pub(in crate::hub) async fn room_of(
        &self,
        id: ClientId,
        room_id: Option<&RoomId>,
    ) -> Result<Option<RoomId>, NotFound> {
        let is_meant = |its: &RoomId| room_id.is_none_or(|id| its == id);
        if let Some(client) = self.clients.find(id) {
            let its = client.seat().map(|cell| cell.id().clone());
            return Ok(its.filter(is_meant));
        }
        let Some(fleet) = &self.fleet else { return Err(NotFound::Client) };
        self.catch_up().await?;
        if let Some(room_id) = room_id
            && self.find(room_id).await?.is_some_and(|cell| cell.knows(id))
        {
            return Ok(Some(room_id.clone()));
        }
        let (_, report) = Box::pin(self.locate(fleet, id)).await?;
        Ok(report.room_id.or(report.waiting_room_id).filter(is_meant))
    }

    /// Has the server do this that a client is connected to, which is not this one.
    pub(in crate::hub) async fn disconnect_elsewhere(
        &self,
        by: &Administrator,
        id: ClientId,
        reason: Option<&str>,
        keep_out: Option<KeepOut>,
    ) -> Result<Vec<Arc<Ban>>, NotRemoved> {
        let Some(fleet) = &self.fleet else { return Err(NotFound::Client.into()) };
        let (node, _) = self.locate(fleet, id).await?;
        let what = Asked::Disconnect(pb::Disconnect {
            client_id: named(id),
            by: by.to_string(),
            reason: reason.map(Into::into),
            keep_out: keep_out.map(|KeepOut { user_id, address, room_only, until }| {
                let until = until.map(report::nanoseconds);
                pb::KeepOut { user_id, address, room_only, until }
            }),
        });
        // It waits for others in its turn, where it bans somebody.
        let patience = if keep_out.is_some() { 2 * PATIENCE } else { PATIENCE };
        let at = self.journal.head();
        let answers = fleet.ask(&[node], at, what, patience, |_| true).await;
        let disconnected =
            answers.given.into_iter().next().and_then(|(_, answer)| answer.disconnected);
        let Some(pb::Disconnected { ban_ids, refusal }) = disconnected else {
            return Err(NotFound::Unanswered(Arc::from([node])).into());
        };
        if let Some(refusal) = refused(refusal) {
            return Err(refusal);
        }
        // Whoever asks here finds its seat free, too. If the log does not come, that is to be seen.
        let _ = self.catch_up().await;
        let ids =
            ban_ids.iter().filter_map(|id| Some(u128::from_be_bytes(id[..].try_into().ok()?)));
        Ok(ids.filter_map(|id| self.ban_of(BanId::from(id)).ok()).collect())
    }

    pub(super) async fn disconnect_for(&self, order: pb::Disconnect) -> pb::Disconnected {
        let id = report::client_id(&order.client_id);
        let Some(id) = id.filter(|id| self.clients.find(*id).is_some()) else {
            return pb::Disconnected {
                refusal: pb::Refusal::NotThere.into(),
                ..Default::default()
            };
        };
        // An empty one is nobody's name.
        let by = order.by.parse::<Administrator>().unwrap_or_default();
        let keep_out = order.keep_out.map(|keep_out| {
            let pb::KeepOut { user_id, address, room_only, until } = keep_out;
            KeepOut { user_id, address, room_only, until: until.map(report::time) }
        });
        match self.disconnect_client(&by, id, order.reason.as_deref(), keep_out).await {
            Ok(bans) => {
                let ids = bans.iter().map(|ban| u128::from(ban.id).to_be_bytes().to_vec());
                pb::Disconnected { ban_ids: ids.collect(), ..Default::default() }
            }
            Err(error) => {
                pb::Disconnected { refusal: refusal(&error).into(), ..Default::default() }
            }
        }
    }

    /// Says something to a client that is not connected to this server. Returns whether it does so: not if `says` is
    /// false.
    pub(in crate::hub) async fn say_to_one_elsewhere(
        &self,
        id: ClientId,
        frame: &Frame,
        says: bool,
    ) -> Result<bool, NotFound> {
        let Some(fleet) = &self.fleet else { return Err(NotFound::Client) };
        if !says {
            return self.locate(fleet, id).await.map(|_| false);
        }
        let what = pb::ToClient { client_id: named(id), text: frame.as_str().to_owned() };
        let reached = |answer: &pb::Answer| answer.clients > 0;
        let answers = self.ask_others(fleet, Asked::ToClient(what), reached).await?;
        match answers.given.iter().any(|(_, answer)| reached(answer)) {
            true => Ok(true),
            false => Err(answers.nowhere()),
        }
    }
}

fn refusal(error: &NotRemoved) -> pb::Refusal {
    match error {
        NotRemoved::NotFound(NotFound::Client | NotFound::Room) => pb::Refusal::NotThere,
        NotRemoved::NotInRoom => pb::Refusal::NotInRoom,
        NotRemoved::NoUserId => pb::Refusal::NoUserId,
        NotRemoved::Ban(NotBanned::Denied(_)) => pb::Refusal::TooManyBans,
        NotRemoved::Ban(NotBanned::NotConfirmed) => pb::Refusal::NotConfirmed,
        NotRemoved::Ban(NotBanned::NotReplicated) => pb::Refusal::NotReplicated,
        NotRemoved::Ban(NotBanned::Unsettled) | NotRemoved::NotFound(NotFound::Unsettled) => {
            pb::Refusal::Unsettled
        }
        NotRemoved::Ban(NotBanned::Unavailable)
        | NotRemoved::NotFound(NotFound::Unavailable | NotFound::Unanswered(_)) => {
            pb::Refusal::Unavailable
        }
    }
}

fn refused(refusal: i32) -> Option<NotRemoved> {
    match pb::Refusal::try_from(refusal) {
        Ok(pb::Refusal::Unspecified) => None,
        Ok(pb::Refusal::NotThere) => Some(NotFound::Client.into()),
        Ok(pb::Refusal::NotInRoom) => Some(NotRemoved::NotInRoom),
        Ok(pb::Refusal::NoUserId) => Some(NotRemoved::NoUserId),
        Ok(pb::Refusal::TooManyBans) => {
            Some(NotRemoved::Ban(NotBanned::Denied(ban::Denied::TooMany)))
        }
        Ok(pb::Refusal::NotConfirmed) => Some(NotRemoved::Ban(NotBanned::NotConfirmed)),
        Ok(pb::Refusal::NotReplicated) => Some(NotRemoved::Ban(NotBanned::NotReplicated)),
        Ok(pb::Refusal::Unsettled) => Some(NotFound::Unsettled.into()),
        Ok(pb::Refusal::Unavailable) | Err(_) => Some(NotFound::Unavailable.into()),
    }
}
