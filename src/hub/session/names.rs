//! How a session comes by the names that it goes by: of its own, or by a token, which vouches for them.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{Session, banned};
use crate::{
    auth::Pass,
    ban::Ban,
    config::limits,
    hub::{
        Ending, NotTaken,
        appointments::{Due, token_expiring, unauthenticated},
        cell::{Motion, RoomCell},
        client::Names,
    },
    id::{DisplayName, RoomId, UserId},
    protocol::{Code, Rejected, Reply, RequestId, Token, UserIdJson},
    room::{Identity, Role, Vouched},
};

/// A wish to go by other names: its own, or those of a token.
#[derive(Debug)]
pub(super) struct Register {
    pub(super) identity: Identity,
    pub(super) token: Option<Token>,
}

impl Names {
    pub(in crate::hub) fn user_id(&self) -> Option<&UserId> {
        self.identity.user_id.as_ref()
    }
}

impl Session {
    /// As if it had registered with the token that says this, before it took a seat, and asked for no answer.
    pub fn introduce(&mut self, pass: Pass) {
        let names = self.names_by(of_token(&pass, None), Some(Arc::new(pass)));
        match self.admit(names) {
            Ok(()) => self.keep_pass(),
            Err(ban) => self.hub().end(&self.client, Ending::Banned, ban.reason.as_deref()),
        }
    }

    /// Goes by other names from now on. The keys of a token may have to be fetched first.
    pub(super) async fn register<E>(
        &mut self,
        Register { identity, token }: Register,
        request_id: Option<&RequestId>,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), Rejected>, E> {
        let pass = match token {
            Some(token) => match self.check(token, meanwhile).await? {
                Ok(pass) => Some(Arc::new(pass)),
                Err(rejected) => return Ok(Err(rejected)),
            },
            None => None,
        };
        let is_new = pass.is_some();
        let pass = match pass.map_or_else(|| self.own_pass(), |pass| self.may_take(pass).map(Some))
        {
            Ok(pass) => pass,
            Err(rejected) => return Ok(Err(rejected)),
        };
        // Its own word adds to that of a token.
        let identity = match &pass {
            Some(pass) => of_token(pass, identity.display_name),
            None => identity,
        };
        let names = self.names_by(identity, pass);
        if let Err(rejected) = self.go_by(names, meanwhile).await? {
            return Ok(Err(rejected));
        }
        self.reply_registered(request_id);
        if is_new {
            self.keep_pass();
        }
        Ok(Ok(()))
    }

    async fn check<E>(
        &mut self,
        token: Token,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<Pass, Rejected>, E> {
        // Whoever takes no tokens makes no such wish.
        let Some(authority) = self.hub().authority().cloned() else {
            return Ok(Err(not_accepted()));
        };
        let (hub, network) = (Arc::clone(self.hub()), self.client.network());
        let checked = async move { hub.check_token(&authority, network, token.as_str()).await };
        Ok(self.wait_for(checked, meanwhile).await?.map_err(Rejected::from))
    }

    /// The token that it goes by, if it has shown one.
    fn own_pass(&self) -> Result<Option<Arc<Pass>>, Rejected> {
        self.authenticated().map(|()| self.pass().cloned())
    }

    /// The role that it comes with, and what its token says of it.
    pub(super) fn standing(&self) -> (Role, Option<Arc<Vouched>>) {
        self.standing_by(self.pass())
    }

    fn standing_by(&self, pass: Option<&Arc<Pass>>) -> (Role, Option<Arc<Vouched>>) {
        match pass {
            Some(pass) => (pass.role, Some(Arc::clone(&pass.vouched))),
            None if self.hub().authority().is_some() => (Role::Guest, None),
            None => (Role::Member, None),
        }
    }

    /// Whether it has shown a token, or need not.
    pub(super) fn authenticated(&self) -> Result<(), Rejected> {
        let needs_one = || self.hub().authority().is_some_and(|authority| authority.is_required());
        if self.pass().is_none() && needs_one() { Err(unauthenticated()) } else { Ok(()) }
    }

    /// Whether its token, if it has one, is for this room.
    pub(super) fn admitted_to(&self, room_id: &RoomId) -> Result<(), Rejected> {
        self.authenticated()?;
        if self.pass().is_none_or(|pass| pass.admits(room_id)) {
            return Ok(());
        }
        Err(Rejected::new(Code::Forbidden, "Your token is for other rooms"))
    }

    /// What its token says, if it has shown one.
    fn pass(&self) -> Option<&Arc<Pass>> {
        self.names.as_ref()?.pass.as_ref()
    }

    /// Whether it may go by what this token says: not as another user, nor where it may not sit.
    fn may_take(&self, pass: Arc<Pass>) -> Result<Arc<Pass>, Rejected> {
        if self.pass().is_some_and(|former| former.user_id != pass.user_id) {
            return Err(Rejected::new(Code::Forbidden, "The token is another user's"));
        }
        if self.place().is_some_and(|cell| !pass.admits(cell.id())) {
            let text = "The token is not for the room that you sit in";
            return Err(Rejected::new(Code::Forbidden, text));
        }
        Ok(pass)
    }

    /// Whoever has its token's time is told, and at its end.
    fn keep_pass(&self) {
        let Some(pass) = self.pass() else { return };
        let left = left(pass, SystemTime::now());
        let (appointments, now, id) = (&self.hub().appointments, Instant::now(), self.client.id);
        match left.checked_sub(limits::TOKEN_EXPIRING) {
            Some(quiet) => appointments.make(now + quiet, id, Due::TokenExpiring),
            None => {
                appointments.make(now + left, id, Due::TokenExpired);
                // No appointment will tell it.
                self.reply(&token_expiring(left));
            }
        }
    }

    fn names_by(&self, identity: Identity, pass: Option<Arc<Pass>>) -> Arc<Names> {
        let own_id = || self.client.id.to_string().parse().expect("a UUID is a short text");
        let user_id = identity.user_id.unwrap_or_else(own_id);
        let shown = UserIdJson::from(&user_id);
        let identity = Identity { user_id: Some(user_id), ..identity };
        Arc::new(Names { identity, user_id: shown, pass })
    }

    async fn go_by<E>(
        &mut self,
        names: Arc<Names>,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), Rejected>, E> {
        let Some(cell) = self.place() else {
            return Ok(self.admit(names).map_err(|ban| banned(&ban)));
        };
        if let Err(rejected) = self.may_change(&cell) {
            return Ok(Err(rejected));
        }
        let (granted, vouched) = self.standing_by(names.pass.as_ref());
        let rename = Motion::rename(&self.client, &names, vouched, granted);
        let renamed = self.put(&cell, rename, meanwhile).await?;
        if renamed.is_ok() {
            self.names = Some(names);
        }
        Ok(renamed.map(drop).map_err(Rejected::from))
    }

    /// Goes by names from now on while it sits nowhere.
    fn admit(&mut self, names: Arc<Names>) -> Result<(), Arc<Ban>> {
        let hub = self.hub();
        let who = (&names.identity, names.pass.is_some());
        let publish = || self.client.publish_names(Some(Arc::clone(&names)));
        hub.bans.admit(None, who, self.client.address, hub.now(), publish)?;
        self.names = Some(names);
        Ok(())
    }

    /// Where it sits, or waits for a seat.
    fn place(&self) -> Option<Arc<RoomCell>> {
        self.seat.clone().filter(|cell| cell.knows(self.client.id))
    }

    fn reply_registered(&self, request_id: Option<&RequestId>) {
        let Some(user_id) = self.names.as_ref().and_then(|names| names.user_id()) else { return };
        let role = self.hub().authority().map(|_| self.standing().0.as_str());
        self.reply(&Reply::Registered { user_id, role, request_id });
    }
}

impl From<NotTaken> for Rejected {
    fn from(not_taken: NotTaken) -> Self {
        match not_taken {
            NotTaken::Refused => not_accepted(),
            NotTaken::TooMany { retry_after } => Self::rate_limited(
                "Too many tokens of your address were not accepted; try again shortly",
                u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX),
            ),
        }
    }
}

fn not_accepted() -> Rejected {
    Rejected::new(Code::Unauthenticated, "The token is not accepted")
}

/// The names that a token gives, with what its owner may add.
fn of_token(pass: &Pass, display_name: Option<DisplayName>) -> Identity {
    Identity {
        user_id: Some(pass.user_id.clone()),
        display_name: pass.display_name.clone().or(display_name),
    }
}

/// For how long a token holds: where it was taken although it had expired, as long as that may be.
fn left(pass: &Pass, now: SystemTime) -> Duration {
    let until = |at: SystemTime| at.duration_since(now).ok().filter(|left| !left.is_zero());
    let with_leeway = || until(pass.expires_at + limits::TOKEN_LEEWAY).unwrap_or_default();
    until(pass.expires_at).unwrap_or_else(with_leeway)
}
