//! When clients are told of STUN and TURN servers: all of them at once where it is the same for everybody, otherwise who
//! sits in a room.

use std::{sync::Arc, time::SystemTime};

use super::Hub;
use crate::{config::IceServer, id::ClientId};

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

    /// Whether nobody is told who may not be in a room.
    fn tells_the_seated_alone(&self) -> bool {
        self.ice_servers.expire()
    }
}
