//! What administrators say to clients.

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use super::{Hub, NotFound, cell::Refused, fleet::Whom, outbox::Entry};
use crate::{
    id::{ClientId, RoomId},
    protocol::{Frame, Reply},
};

/// Whom an administrator speaks to.
#[derive(Debug, Clone)]
pub enum Audience {
    /// The members of these rooms.
    Rooms(BTreeSet<RoomId>),
    /// This client.
    Client(ClientId),
    /// Every connected client.
    Everyone,
}

/// Whom that reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// How many clients.
    pub clients: usize,
    /// Which rooms do not exist.
    pub missing: Vec<RoomId>,
}

impl Hub {
    /// Sends `content` as a `broadcast` to everyone who is meant and not excluded.
    ///
    /// # Errors
    /// [`NotFound`], if the client is not there, or none of the rooms.
    pub async fn broadcast(
        &self,
        audience: &Audience,
        excluded: &BTreeSet<ClientId>,
        content: &RawValue,
    ) -> Result<Reached, NotFound> {
        let frame = Reply::Broadcast { content }.encode();
        let is_left_out = |id| excluded.contains(&id);
        let mut reached = Reached::default();
        match audience {
            Audience::Rooms(rooms) => {
                for room_id in rooms {
                    match self.say_in(room_id, frame.clone(), excluded).await {
                        Ok(clients) => reached.clients += clients,
                        Err(NotFound::Room) => reached.missing.push(room_id.clone()),
                        Err(error) => return Err(error),
                    }
                }
                if reached.missing.len() == rooms.len() {
                    return Err(NotFound::Room);
                }
            }
            Audience::Client(client_id) => {
                let says = !is_left_out(*client_id);
                let is_reached = match self.clients.find(*client_id) {
                    Some(client) => {
                        if says {
                            client.push(Entry::Frame(frame));
                        }
                        says
                    }
                    None => Box::pin(self.say_to_one_elsewhere(*client_id, &frame, says)).await?,
                };
                reached.clients = is_reached.into();
            }
            Audience::Everyone => {
                let here = self.say_to_all(&frame, excluded);
                reached.clients = here + Box::pin(self.say_elsewhere(&frame, excluded)).await?;
            }
        }
        Ok(reached)
    }

    /// Says something to every member of a room who is not excluded, wherever they are connected, and counts them.
    async fn say_in(
        &self,
        room_id: &RoomId,
        frame: Frame,
        excluded: &BTreeSet<ClientId>,
    ) -> Result<usize, NotFound> {
        let cell = self.find_now(room_id).await?.ok_or(NotFound::Room)?;
        let (here, away) = cell.announce(frame, |id| excluded.contains(&id))?;
        let Some(away) = away else { return Ok(here) };
        let whom = Whom { but: Some(excluded), ..Whom::default() };
        self.forward(room_id, &away, whom).map_err(|_: Refused| NotFound::Unavailable)?;
        Ok(here + away.members)
    }
}
