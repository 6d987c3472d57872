//! What administrators say to clients.

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use super::{Hub, NotFound, outbox::Entry};
use crate::{
    id::{ClientId, RoomId},
    protocol::Reply,
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
    pub fn broadcast(
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
                    let cell = self.find(room_id).ok_or(NotFound::Room);
                    match cell.and_then(|cell| cell.announce(&frame, is_left_out)) {
                        Ok(clients) => reached.clients += clients,
                        Err(_) => reached.missing.push(room_id.clone()),
                    }
                }
                if reached.missing.len() == rooms.len() {
                    return Err(NotFound::Room);
                }
            }
            Audience::Client(client_id) => {
                let client = self.clients.find(*client_id).ok_or(NotFound::Client)?;
                if !is_left_out(*client_id) {
                    client.push(Entry::Frame(frame));
                    reached.clients = 1;
                }
            }
            Audience::Everyone => self.clients.for_each(|client| {
                if !is_left_out(client.id) {
                    client.push(Entry::Frame(frame.clone()));
                    reached.clients += 1;
                }
            }),
        }
        Ok(reached)
    }
}
