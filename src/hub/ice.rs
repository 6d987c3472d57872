//! When clients are told of STUN and TURN servers: all of them at once where it is the same for everybody, otherwise
//! who sits in a room.

use std::{sync::Arc, time::SystemTime};

use tokio::time::Instant;

use super::{Client, Entry, Hub, appointments::Due};
use crate::{config::IceServer, id::ClientId, protocol::Reply};

impl Hub {
    /// What `welcome` says.
    pub(super) fn ice_servers_at_welcome(&self, client: ClientId) -> Arc<[IceServer]> {
        if self.tells_the_seated_alone() {
            return Arc::default();
        }
        self.ice_servers.of_client(client, SystemTime::now())
    }

    /// What `joined` says, if `welcome` did not.
    pub(super) fn ice_servers_at_seat(&self, client: ClientId) -> Option<Arc<[IceServer]>> {
        let told = self.tells_the_seated_alone();
        told.then(|| self.ice_servers.of_client(client, SystemTime::now()))
    }

    /// From when it takes a seat, a client is told anew in time, for as long as it sits somewhere.
    pub(super) fn renew_ice_servers_later(&self, client: ClientId) {
        if let Some(after) = self.ice_servers.renewed_after() {
            self.appointments.make(Instant::now() + after, client, Due::IceServers);
        }
    }

    pub(super) fn renew_ice_servers(&self, client: &Arc<Client>) {
        if !client.seat().is_some_and(|cell| cell.seats(client.id)) {
            return;
        }
        let ice_servers = &*self.ice_servers.of_client(client.id, SystemTime::now());
        client.push(Entry::Frame(Reply::IceServers { ice_servers }.encode()));
        self.renew_ice_servers_later(client.id);
    }

    /// Whether nobody is told who may not be in a room.
    fn tells_the_seated_alone(&self) -> bool {
        self.ice_servers.expire() || self.authority.as_ref().is_some_and(|a| a.is_required())
    }
}
