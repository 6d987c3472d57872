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
    config::limits,
    event::Administrator,
    hub::{
        Ending, NotTaken,
        appointments::{Due, token_expiring, unauthenticated},
        client::Names,
    },
    id::{DisplayName, RoomId, UserId},
    protocol::{Code, Rejected, Reply, RequestId, Token, UserIdJson},
    room::{Identity, Role, Vouched},
};

/// A wish to go by the names of a token.
#[derive(Debug)]
pub(super) struct Register {
    pub(super) token: Token,
    pub(super) display_name: Option<DisplayName>,
}

impl Names {
    pub(in crate::hub) fn user_id(&self) -> Option<&UserId> {
        self.identity.user_id.as_ref()
    }
}

impl Session {
    /// As if it had registered with the token that says this, and asked for no answer.
    pub fn introduce(&mut self, pass: Pass) {
        match self.take_pass(pass, None) {
            Ok(left) => self.warn_if_short(left),
            // It can only be a ban.
            Err(Rejected { message, .. }) => {
                let nobody = Administrator::default();
                self.hub().disconnect(&nobody, &self.client, Ending::Banned, Some(&message));
            }
        }
    }

    /// Checks a token and goes by it. Its keys may have to be fetched first.
    pub(super) async fn register_with_token<E>(
        &mut self,
        Register { token, display_name }: Register,
        request_id: Option<&RequestId>,
        meanwhile: &mut impl FnMut(&mut Self, &mut Context<'_>) -> Poll<E>,
    ) -> Result<Result<(), Rejected>, E> {
        // Whoever takes no tokens makes no such wish.
        let Some(authority) = self.hub().authority().cloned() else { return Ok(Ok(())) };
        let (hub, network) = (Arc::clone(self.hub()), self.client.network());
        let checked = async move { hub.check_token(&authority, network, token.as_str()).await };
        let checked = self.wait_for(checked, meanwhile).await?;
        Ok(checked.map_err(Rejected::from).and_then(|pass| self.take_pass(pass, display_name)).map(
            |left| {
                self.reply_registered(request_id);
                self.warn_if_short(left);
            },
        ))
    }

    /// Registers by the client's own word, which adds to that of its token if it has one.
    pub(super) fn register(
        &mut self,
        identity: Identity,
        request_id: Option<&RequestId>,
    ) -> Result<(), Rejected> {
        self.authenticated()?;
        let pass = self.pass().cloned();
        let identity = match &pass {
            Some(pass) => of_token(pass, identity.display_name),
            None => identity,
        };
        self.go_by(identity, pass)?;
        self.reply_registered(request_id);
        Ok(())
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

    /// Goes by what a token says from now on. Returns for how long, from now.
    fn take_pass(
        &mut self,
        pass: Pass,
        display_name: Option<DisplayName>,
    ) -> Result<Duration, Rejected> {
        if self.pass().is_some_and(|former| former.user_id != pass.user_id) {
            return Err(Rejected::new(Code::Forbidden, "The token is another user's"));
        }
        let seat = self.seat.as_ref().filter(|cell| cell.knows(self.client.id));
        if seat.is_some_and(|cell| !pass.admits(cell.id())) {
            let text = "The token is not for the room that you sit in";
            return Err(Rejected::new(Code::Forbidden, text));
        }
        let identity = of_token(&pass, display_name);
        let left = left(&pass, SystemTime::now());
        self.go_by(identity, Some(Arc::new(pass)))?;
        let (appointments, now, id) = (&self.hub().appointments, Instant::now(), self.client.id);
        match left.checked_sub(limits::TOKEN_EXPIRING) {
            Some(quiet) => appointments.make(now + quiet, id, Due::TokenExpiring),
            None => appointments.make(now + left, id, Due::TokenExpired),
        }
        Ok(left)
    }

    fn go_by(&mut self, identity: Identity, pass: Option<Arc<Pass>>) -> Result<(), Rejected> {
        let own_id = || self.client.id.to_string().parse().expect("a UUID is a short text");
        let user_id = identity.user_id.clone().unwrap_or_else(own_id);
        let shown = UserIdJson::from(&user_id);
        let identity = Identity { user_id: Some(user_id), ..identity };
        let (granted, vouched) = self.standing_by(pass.as_ref());
        let names = Arc::new(Names { identity: identity.clone(), user_id: shown, pass });
        let seat = self.seat.clone().filter(|cell| cell.knows(self.client.id));
        if let Some(cell) = &seat {
            self.may_change(cell)?;
        }
        let (hub, now) = (self.hub(), SystemTime::now());
        let publish = || self.client.publish_names(Some(Arc::clone(&names)));
        let admitted = match &seat {
            Some(cell) => {
                let names = (&identity, vouched, granted);
                cell.rename(hub, &self.client, names, now, publish)
            }
            None => {
                let who = (&identity, vouched.is_some());
                hub.bans.admit(None, who, self.client.address, now, publish)
            }
        };
        admitted.map_err(|ban| banned(&ban))?;
        self.names = Some(names);
        Ok(())
    }

    /// Who has so little time left that no appointment will tell is told now.
    fn warn_if_short(&self, left: Duration) {
        if left < limits::TOKEN_EXPIRING {
            self.reply(&token_expiring(left));
        }
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
            NotTaken::Refused => Self::new(Code::Unauthenticated, "The token is not accepted"),
            NotTaken::TooMany { retry_after } => Self::rate_limited(
                "Too many tokens of your address were not accepted; try again shortly",
                u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX),
            ),
        }
    }
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
