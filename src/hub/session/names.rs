//! How a session comes by the names that it goes by.

use std::{sync::Arc, time::SystemTime};

use super::{Session, banned};
use crate::{
    hub::client::Names,
    id::UserId,
    protocol::{Rejected, Reply, RequestId, UserIdJson},
    room::Identity,
};

impl Names {
    pub(in crate::hub) fn user_id(&self) -> Option<&UserId> {
        self.identity.user_id.as_ref()
    }
}

impl Session {
    pub(super) fn register(
        &mut self,
        identity: Identity,
        request_id: Option<&RequestId>,
    ) -> Result<(), Rejected> {
        let own_id = || self.client.id.to_string().parse().expect("a UUID is a short text");
        let user_id = identity.user_id.clone().unwrap_or_else(own_id);
        let identity = Identity { user_id: Some(user_id.clone()), ..identity };
        let shown = UserIdJson::from(&user_id);
        let names = Arc::new(Names { identity: identity.clone(), user_id: shown });
        let seat = self.seat.clone().filter(|cell| cell.seats(self.client.id));
        if let Some(cell) = &seat {
            self.may_change(cell)?;
        }
        let (hub, now) = (self.hub(), SystemTime::now());
        let publish = || self.client.publish_names(Some(Arc::clone(&names)));
        let admitted = match &seat {
            Some(cell) => cell.rename(hub, &self.client, &identity, now, publish),
            None => hub.bans.admit(None, &identity, self.client.address, now, publish),
        };
        admitted.map_err(|ban| banned(&ban))?;
        self.names = Some(names);
        self.reply(&Reply::Registered { user_id: &user_id, request_id });
        Ok(())
    }
}
