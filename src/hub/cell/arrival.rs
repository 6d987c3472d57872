//! Who asks for a seat, and who waits for one.

use std::sync::Arc;

use crate::{
    config::IceServer,
    hub::Client,
    id::{ClientId, Incarnation},
    protocol::{Announcement, Frame, RequestId, ReturnToken},
    room::{Command, Entrant, Identity, Proof, Role, Vouched},
};

/// Somebody who waits for a seat.
#[derive(Debug)]
pub(super) struct Knocker {
    pub(super) id: ClientId,
    /// None: it is connected to another server.
    pub(super) arrival: Option<Arc<Arrival>>,
    /// What hosts hear of it, those who become it later among them.
    pub(super) knock: Arc<Announcement>,
}

/// A client that asks for a seat, and what it is told in which order.
#[derive(Debug)]
pub(in crate::hub) struct Arrival {
    pub(in crate::hub) client: Arc<Client>,
    pub(in crate::hub) identity: Identity,
    pub(in crate::hub) metadata: Option<Arc<str>>,
    /// What its token says of it, and the role that comes with it.
    pub(in crate::hub) vouched: Option<Arc<Vouched>>,
    pub(in crate::hub) granted: Role,
    /// What it shows of a seat that it had.
    pub(in crate::hub) returning: Option<ReturnToken>,
    /// What it shall return by, unless it keeps the one that it returns by now.
    pub(in crate::hub) return_token: ReturnToken,
    pub(in crate::hub) request_id: Option<RequestId>,
    /// What it is told of, unless it was at its welcome.
    pub(in crate::hub) ice_servers: Option<Arc<[IceServer]>>,
    /// What it hears first if it gives up a seat in this very room.
    pub(in crate::hub) left: Option<Frame>,
}

impl Knocker {
    /// Who it is, if it is connected here.
    pub(super) fn client(&self) -> Option<&Arc<Client>> {
        self.arrival.as_ref().map(|arrival| &arrival.client)
    }
}

impl Arrival {
    /// Whom a ban may meet, and whether a token vouches for that name.
    pub(in crate::hub) fn who(&self) -> (&Identity, bool) {
        (&self.identity, self.vouched.is_some())
    }

    pub(super) fn command(&self, proof: Proof, banned: bool) -> Command {
        let Self { client, identity, metadata, vouched, granted, .. } = self;
        let entrant = Entrant {
            client_id: client.id,
            identity: identity.clone(),
            metadata: metadata.clone(),
            vouched: vouched.clone(),
            granted: *granted,
            return_key: self.return_token.key(),
            node: Incarnation::NONE,
        };
        let returning = self.returning.as_ref().map(ReturnToken::key);
        Command::Join { entrant, banned, proof, returning }
    }
}
