//! The calls about who is kept out.

use tonic::Status;

use super::{
    convert::ban,
    pb,
    problem::{Problem, Reason},
    service::Service,
};
use crate::{
    ban::{BanId, Denied},
    event::Administrator,
    hub::NotBanned,
};

impl Service {
    pub(super) async fn ban(&self, request: &pb::GetBanRequest) -> Result<pb::Ban, Status> {
        let id = ban_id(&request.ban_id)?;
        self.hub.catch_up().await.map_err(Problem::from)?;
        let found = self.hub.ban_of(id);
        let found = found.map_err(|denied| Problem::from(denied).with("ban_id", &request.ban_id));
        Ok(ban::ban(&*found?))
    }

    pub(super) async fn keep_out(
        &self,
        by: &Administrator,
        request: &pb::CreateBanRequest,
    ) -> Result<pb::Ban, Status> {
        let new = ban::new_ban(request, self.hub.now())?;
        self.hub.ban(by, vec![new.clone()]).await.map_err(Problem::from)?;
        Ok(ban::ban(&new))
    }

    pub(super) async fn lift_ban(
        &self,
        by: &Administrator,
        request: &pb::DeleteBanRequest,
    ) -> Result<(), Status> {
        let ban_id = ban_id(&request.ban_id)?;
        let lifted = self.hub.lift_ban(by, ban_id).await;
        lifted.map_err(|denied| Problem::from(denied).with("ban_id", ban_id))?;
        Ok(())
    }
}

fn ban_id(text: &str) -> Result<BanId, Problem> {
    let id = text.parse::<BanId>().map_err(|_| "must be a ban's id, a UUID");
    Ok(id.map_err(|fault| super::problem::Faults::of("ban_id", fault))?)
}

impl From<NotBanned> for Problem {
    fn from(error: NotBanned) -> Self {
        match error {
            NotBanned::Denied(denied) => denied.into(),
            NotBanned::Unavailable
            | NotBanned::Unsettled
            | NotBanned::NotConfirmed
            | NotBanned::NotReplicated => Self::new(Reason::FleetUnavailable, error.to_string()),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let (reason, text) = match denied {
            Denied::TooMany => (Reason::TooManyBans, "too many bans stand"),
            Denied::NoSuchBan => (Reason::BanNotFound, "no such ban, or it has ended"),
        };
        Self::new(reason, text)
    }
}
