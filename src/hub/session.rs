//! One connected client's own view: its names, its seat, and the requests it makes one after another.

use std::{sync::Arc, time::SystemTime};

use super::{
    Client, Hub,
    cell::{Arrival, CellClosed, RoomCell, Unroutable},
    outbox::Entry,
};
use crate::{
    id::{ClientId, RoomId},
    protocol::{
        self, Code, Json, Rejected, Reply, Request, RequestId, Sender, SignalKind, UserIdJson,
    },
    room::{Command, Identity, LeaveReason},
};

/// Ends with its value: whatever way the connection goes, dropping this frees the seat and the name.
#[derive(Debug)]
pub struct Session {
    hub: Arc<Hub>,
    client: Arc<Client>,
    /// In a box: most clients that only wait have none.
    names: Option<Box<Names>>,
    seat: Option<Arc<RoomCell>>,
}

/// What a client goes by since it registered.
#[derive(Debug)]
struct Names {
    identity: Identity,
    user_id: UserIdJson,
}

/// A wish for a seat, to be carried out with [`Session::join`].
#[derive(Debug)]
#[must_use = "the client waits for an answer"]
pub struct Join {
    room_id: RoomId,
    metadata: Option<Arc<str>>,
    request_id: Option<RequestId>,
}

impl Session {
    pub(super) fn new(hub: Arc<Hub>, client: Arc<Client>) -> Self {
        Self { hub, client, names: None, seat: None }
    }

    /// Whose session it is.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Notes that the client sent something, be it only a pong.
    pub fn heard(&self) {
        self.hub.heartbeat.heard(&self.client);
    }

    /// Handles one message: whatever it leads to is in outboxes afterwards. Only a join may have to be waited
    /// for: it is to be carried out before the next message.
    pub fn receive(&mut self, text: &str) -> Option<Box<Join>> {
        let (request_id, request) = protocol::parse(text);
        let answer = match request {
            Ok(Request::Signal { kind, target, payload }) => self.signal(kind, target, payload),
            Ok(Request::Join { room_id, metadata }) => {
                return Some(Box::new(Join { room_id, metadata, request_id }));
            }
            Ok(Request::Leave { room_id }) => {
                if self.sits_in(&room_id) {
                    self.leave(LeaveReason::Left, request_id.as_ref());
                }
                Ok(())
            }
            Ok(Request::Register(identity)) => {
                self.register(identity, request_id.as_ref());
                Ok(())
            }
            Ok(Request::Ping) => {
                self.reply(&Reply::Pong { request_id: request_id.as_ref() });
                Ok(())
            }
            Err(rejected) => Err(rejected),
        };
        if let Err(rejected) = answer {
            self.refuse(&rejected, request_id.as_ref());
        }
        None
    }

    /// Carries out a join, or says why not.
    pub async fn join(&mut self, join: Box<Join>) {
        let Join { room_id, metadata, request_id } = *join;
        if let Err(rejected) = self.take_seat(&room_id, metadata, request_id.as_ref()).await {
            self.refuse(&rejected, request_id.as_ref());
        }
    }

    /// Frees the seat, if there is one, and forgets the client.
    pub fn end(mut self, reason: LeaveReason) {
        self.depart(reason);
    }

    fn register(&mut self, identity: Identity, request_id: Option<&RequestId>) {
        let own_id = || self.client.id.to_string().parse().expect("a UUID is a short text");
        let user_id = identity.user_id.clone().unwrap_or_else(own_id);
        let identity = Identity { user_id: Some(user_id.clone()), ..identity };
        let names = Names { identity: identity.clone(), user_id: UserIdJson::from(&user_id) };
        self.names = Some(Box::new(names));
        self.reply(&Reply::Registered { user_id: &user_id, request_id });
        if let Some(cell) = &self.seat {
            let rename = Command::Rename { client_id: self.client.id, identity };
            // Whoever lost its seat a moment ago has nobody to tell.
            let _ = cell.command(&self.hub.journal, rename, SystemTime::now());
        }
    }

    /// Check, leave, join: a refusal by the new room leaves the old seat as it was.
    #[expect(clippy::unused_async, reason = "a journal shared by several servers must be awaited")]
    async fn take_seat(
        &mut self,
        room_id: &RoomId,
        metadata: Option<Arc<str>>,
        request_id: Option<&RequestId>,
    ) -> Result<(), Rejected> {
        let client_id = self.client.id;
        let identity = self.names.as_ref().map_or_else(Identity::default, |n| n.identity.clone());
        let command = Command::Join { client_id, identity, metadata };
        let again = self.sits_in(room_id);
        if !again {
            self.ask(room_id, &command)?;
            self.leave(LeaveReason::Moved, None);
        }
        loop {
            let cell = self.cell(room_id)?;
            let arrival = Arrival {
                client: Arc::clone(&self.client),
                request_id: request_id.cloned(),
                left: again.then(|| Reply::Left { room_id, request_id: None }.encode()),
            };
            match cell.join(&self.hub.journal, arrival, command.clone(), SystemTime::now()) {
                Ok(Ok(())) => {
                    self.seat = Some(cell);
                    return Ok(());
                }
                Ok(Err(denied)) => return Err(refused(denied.into(), denied.to_string())),
                // Its last member left meanwhile, and took the room along.
                Err(CellClosed) => self.hub.directory.forget(&cell),
            }
        }
    }

    /// Whether the room would let this client in now.
    fn ask(&self, room_id: &RoomId, command: &Command) -> Result<(), Rejected> {
        match self.hub.directory.find(room_id) {
            Some(cell) => cell
                .ask(command.clone(), SystemTime::now())
                .map_err(|denied| refused(denied.into(), denied.to_string())),
            None if self.hub.directory.has_space() => Ok(()),
            None => Err(too_many_rooms()),
        }
    }

    fn cell(&self, room_id: &RoomId) -> Result<Arc<RoomCell>, Rejected> {
        let vacant = || RoomCell::vacant(room_id.clone(), Arc::clone(&self.hub.new_room));
        self.hub.directory.find_or_insert(room_id, vacant).map_err(|_| too_many_rooms())
    }

    fn leave(&mut self, reason: LeaveReason, request_id: Option<&RequestId>) {
        if let Some(cell) = self.depart(reason) {
            self.reply(&Reply::Left { room_id: cell.id(), request_id });
        }
    }

    fn depart(&mut self, reason: LeaveReason) -> Option<Arc<RoomCell>> {
        let cell = self.seat.take()?;
        if cell.depart(&self.hub.journal, self.client.id, reason, SystemTime::now()) {
            self.hub.directory.forget(&cell);
        }
        Some(cell)
    }

    fn signal(
        &self,
        kind: SignalKind,
        target: Option<ClientId>,
        payload: Json<'_>,
    ) -> Result<(), Rejected> {
        let cell = self.seat.as_ref().ok_or_else(not_in_room)?;
        let from = self.client.id;
        let user_id = self.names.as_ref().map(|names| &names.user_id);
        let frame = Sender { client_id: from, user_id }.signal(kind, payload);
        match target {
            Some(target) => cell.route(from, target, frame),
            None => cell.fan_out(from, &frame),
        }
        .map_err(|unroutable| match unroutable {
            Unroutable::SenderNotSeated => not_in_room(),
            Unroutable::TargetNotSeated => Rejected::peer_not_found(),
        })
    }

    fn sits_in(&self, room_id: &RoomId) -> bool {
        self.seat.as_ref().is_some_and(|cell| cell.id() == room_id)
    }

    fn refuse(&self, Rejected { code, message, join }: &Rejected, request_id: Option<&RequestId>) {
        self.reply(&if *join {
            Reply::JoinError { error: message, code: *code, request_id }
        } else {
            Reply::Error { code: *code, message, request_id }
        });
    }

    fn reply(&self, reply: &Reply<'_>) {
        self.client.push(Entry::Frame(reply.encode()));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Unless it was ended: as when the connection's task panics.
        self.depart(LeaveReason::InternalError);
        self.hub.clients.remove(self.client.id);
    }
}

fn refused(code: Code, error: String) -> Rejected {
    Rejected { code, message: error.into(), join: true }
}

fn too_many_rooms() -> Rejected {
    refused(Code::Unavailable, "The server takes no more rooms".to_owned())
}

fn not_in_room() -> Rejected {
    Rejected::new(Code::NotInRoom, "You are in no room")
}
