//! The calls about those who wait for a seat, and about roles.

use std::{
    fmt::{self, Display},
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    convert::{self, named, room},
    page::{self, Pages},
    pb,
    problem::{Faults, Problem, Reason},
    service::Service,
};
use crate::{
    event::Administrator,
    hub::NotHosted,
    id::{ClientId, RoomId},
    room::Waiter,
};

/// When somebody came and who it is: the order of those who wait, be the clock set back meanwhile or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    since: SystemTime,
    id: ClientId,
}

impl Service {
    pub(super) async fn list_of_waiting(
        &self,
        request: &pb::ListWaitingRequest,
    ) -> Result<pb::ListWaitingResponse, Problem> {
        let pb::ListWaitingRequest { room_id, page_size, page_token } = request;
        let pages = Pages::new("ListWaiting", room_id);
        let (room_id, max, after) = Faults::gather(|faults| {
            let room_id = faults.merge(convert::room_id(room_id));
            let max = faults.check("page_size", page::size(*page_size));
            let after = faults.check("page_token", pages.after::<Place>(page_token));
            Some((room_id?, max?.get(), after?))
        })?;
        let missing = |error| Problem::from(error).with("room_id", &room_id);
        let mut waiting = self.hub.waiting(&room_id).await.map_err(missing)?;
        waiting.sort_by_key(Place::of);
        waiting.retain(|waiter| Some(Place::of(waiter)) > after);
        let last = waiting.get(max - 1).filter(|_| waiting.len() > max);
        let next_page_token = last.map(|last| pages.token(&Place::of(last))).unwrap_or_default();
        let waiting = waiting.iter().take(max).map(room::waiting).collect();
        Ok(pb::ListWaitingResponse { waiting, next_page_token })
    }

    pub(super) async fn seat_client(
        &self,
        by: &Administrator,
        pb::AdmitClientRequest { client_id, room_id }: &pb::AdmitClientRequest,
    ) -> Result<pb::Client, Problem> {
        let (id, room_id) = Faults::gather(|faults| whom(faults, client_id, room_id))?;
        let admitted = self.hub.admit_client(by, id, room_id.as_ref()).await;
        admitted.map_err(|error| Problem::from(error).with("client_id", id))?;
        self.shown(id).await
    }

    pub(super) async fn send_client_away(
        &self,
        by: &Administrator,
        pb::DenyClientRequest { client_id, room_id }: &pb::DenyClientRequest,
    ) -> Result<pb::Client, Problem> {
        let (id, room_id) = Faults::gather(|faults| whom(faults, client_id, room_id))?;
        let denied = self.hub.deny_client(by, id, room_id.as_ref()).await;
        denied.map_err(|error| Problem::from(error).with("client_id", id))?;
        self.shown(id).await
    }

    pub(super) async fn give_role(
        &self,
        by: &Administrator,
        request: &pb::SetRoleRequest,
    ) -> Result<pb::Member, Problem> {
        let ((id, room_id), host) = Faults::gather(|faults| {
            let whom = whom(faults, &request.client_id, &request.room_id);
            let host = faults.merge(is_host(request.role));
            Some((whom?, host?))
        })?;
        let member = self.hub.set_role(by, id, room_id.as_ref(), host).await;
        let member = member.map_err(|error| Problem::from(error).with("client_id", id))?;
        Ok(room::member(&member))
    }
}

impl Place {
    fn of(waiter: &Waiter) -> Self {
        Self { since: waiter.member.joined_at.into(), id: waiter.member.client_id }
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since.duration_since(UNIX_EPOCH).unwrap_or_default();
        write!(f, "{}.{:09} {}", since.as_secs(), since.subsec_nanos(), self.id)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (since, id) = text.split_once(' ').ok_or(())?;
        let (seconds, nanos) = since.split_once('.').ok_or(())?;
        let nanos = nanos.parse().ok().filter(|nanos| *nanos < 1_000_000_000).ok_or(())?;
        let since = Duration::new(seconds.parse().map_err(drop)?, nanos);
        let since = UNIX_EPOCH.checked_add(since).ok_or(())?;
        Ok(Self { since, id: id.parse().map_err(drop)? })
    }
}

fn whom(faults: &mut Faults, client_id: &str, room_id: &str) -> Option<(ClientId, Option<RoomId>)> {
    let id = faults.merge(named("client_id", client_id));
    let room_id = faults.merge(convert::any_room_id(room_id));
    Some((id?, room_id?))
}

/// Whether a role that somebody shall have is a host's.
fn is_host(role: i32) -> Result<bool, Faults> {
    match pb::Role::try_from(role) {
        Ok(pb::Role::Host) => Ok(true),
        Ok(pb::Role::Member) => Ok(false),
        _ => Err(Faults::of("role", "must be ROLE_HOST or ROLE_MEMBER")),
    }
}

impl From<NotHosted> for Problem {
    fn from(error: NotHosted) -> Self {
        let reason = match error {
            NotHosted::NotFound(missing) => return missing.into(),
            NotHosted::NotWaiting => Reason::NotWaiting,
            NotHosted::NotInRoom => Reason::NotInRoom,
            NotHosted::Full => Reason::RoomFull,
            NotHosted::LastHost => Reason::LastHost,
        };
        Self::new(reason, error.to_string())
    }
}
