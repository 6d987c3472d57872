//! Who is here: every connected client and every room with its local members. The only holder of room
//! locks. Lock order: directory shard, room, log; outboxes and the client registry are leaves. A connection's wire
//! is locked under none of these, and only its outbox under it.

mod addresses;
mod cell;
mod client;
mod directory;
mod ending;
mod heartbeat;
mod keep;
mod outbox;
mod rate;
mod registry;
mod session;
mod turn;

use std::{
    net::IpAddr,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

pub use addresses::Network;
pub use client::{Client, Link};
pub use ending::Ending;
pub use outbox::{Due, Entry, Outbox};
pub use session::{Join, Session};
pub use turn::{turn_takes_another, turns};

use crate::{
    config::{Capacity, Config},
    id::{ClientId, RoomId},
    journal::Journal,
    protocol::{Frame, Reply, VERSION},
    room::{Denied, Member, Settings, Summary},
};
use {
    addresses::Addresses, cell::CellClosed, directory::Directory, heartbeat::Heartbeat, keep::Keep,
    rate::Rates, registry::Registry,
};

/// How long a client that is sent away should wait at least before it comes back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// See the module. One for each server.
#[derive(Debug)]
pub struct Hub {
    config: Arc<Config>,
    new_room: Arc<Settings>,
    journal: Journal,
    directory: Directory,
    clients: Registry,
    heartbeat: Heartbeat,
    rates: Rates,
    keep: Keep,
    addresses: Addresses,
    /// The end of every task that serves a browser, whatever it is about.
    pub killed: CancellationToken,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotLetIn {
    /// There are as many as fit, or the server stops.
    #[error("The server takes no more connections.")]
    Full,
    /// The server keeps as much for others as it may.
    #[error("The server has no memory left for more connections.")]
    Memory,
    /// The address has as many connections as it may.
    #[error("The server takes no more connections from your address.")]
    Address,
    /// Too many new connections came from the address lately.
    #[error("Too many new connections come from your address; try again shortly.")]
    Rate,
}

/// A connection that counts for its address, be it a client's one day or not.
#[derive(Debug)]
pub struct Guest {
    hub: Arc<Hub>,
    address: IpAddr,
}

/// What an administrator named is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// No room of that name.
    #[error("no such room")]
    Room,
    /// No client of that name.
    #[error("no such client")]
    Client,
}

/// Whom an administrator speaks to.
#[derive(Debug, Clone)]
pub enum Audience {
    /// The members of this room.
    Room(RoomId),
    /// This client.
    Client(ClientId),
    /// Every connected client.
    Everyone,
}

impl Hub {
    /// An empty one. Its tasks run in [`Hub::run`].
    pub fn new(config: Arc<Config>) -> Self {
        let capacity = config.capacity();
        Self {
            new_room: Arc::new(Settings {
                max_members: config.max_members,
                locked: false,
                metadata: "{}".into(),
            }),
            journal: Journal::memory(config.log_limits()),
            directory: Directory::new(config.max_rooms),
            clients: Registry::new(capacity.clients),
            addresses: Addresses::new(capacity.per_address),
            heartbeat: Heartbeat::new(config.ping_every(), config.pong_within()),
            rates: Rates::new(config.rate_limit, config.max_message_bytes),
            keep: Keep::new(config.outbox_limits(), config.kept_bytes()),
            killed: CancellationToken::new(),
            config,
        }
    }

    /// Beats the heart and wakes those who follow the log, for as long as it is polled.
    pub async fn run(&self) {
        let each_second = |now| {
            self.keep.look(now);
            self.addresses.forget(now);
        };
        tokio::join!(self.heartbeat.run(&self.clients, each_second), self.journal.tick());
    }

    /// Counts a new connection for its address.
    ///
    /// # Errors
    /// [`NotLetIn`].
    pub fn greet(self: &Arc<Self>, address: IpAddr) -> Result<Guest, NotLetIn> {
        self.addresses.enter(address, self.heartbeat.now())?;
        Ok(Guest { hub: Arc::clone(self), address })
    }

    /// Lets a new client in: `welcome` is in its outbox. Where it comes from was counted if `guest` is of the same
    /// address.
    ///
    /// # Errors
    /// [`NotLetIn`].
    pub fn connect(
        self: &Arc<Self>,
        address: IpAddr,
        guest: Option<&Guest>,
    ) -> Result<Session, NotLetIn> {
        if self.keep.is_tight() {
            return Err(NotLetIn::Memory);
        }
        let now = self.heartbeat.now();
        if guest.is_some_and(|guest| guest.address == address) {
            self.addresses.enter_again(address, now);
        } else {
            self.addresses.enter(address, now)?;
        }
        let client = Arc::new(Client::new(self, address));
        let welcome = Reply::Welcome {
            client_id: client.id,
            protocol: VERSION,
            heartbeat_ms: self.config.ping_seconds * 1000,
            ice_servers: &self.config.ice_servers,
        };
        // Before anybody can find the client, and have something to say to it.
        client.push(Entry::Frame(welcome.encode()));
        if let Err(full) = self.clients.insert(&client) {
            self.addresses.leave(Network::of(address));
            return Err(full);
        }
        self.heartbeat.enrol(&client);
        Ok(Session::new(client))
    }

    /// How many connections fit.
    pub fn capacity(&self) -> Capacity {
        self.config.capacity()
    }

    /// The longest message that a client may get from an administrator, as from a browser.
    pub fn max_message_bytes(&self) -> usize {
        self.config.max_message_bytes
    }

    /// The log of all that happens, for those who follow it.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// At most `max` rooms that exist, with names after `after`, in the order of their names; and whether
    /// there are more.
    pub fn rooms(&self, after: Option<&RoomId>, max: NonZeroUsize) -> (Vec<Summary>, bool) {
        let mut rooms = Vec::new();
        let mut after = after.cloned();
        loop {
            let wanted = max.get() + 1 - rooms.len();
            let cells = self.directory.page(after.as_ref(), wanted);
            let exhausted = cells.len() < wanted;
            after = cells.last().map(|cell| cell.id().clone());
            // Some may have closed since.
            rooms.extend(cells.iter().filter_map(|cell| cell.summary()));
            if exhausted || rooms.len() > max.get() {
                let more = rooms.len() > max.get();
                rooms.truncate(max.get());
                return (rooms, more);
            }
        }
    }

    /// One room as it is now, with its members in join order.
    ///
    /// # Errors
    /// [`NotFound::Room`].
    pub fn room(&self, room_id: &RoomId) -> Result<(Summary, Vec<Arc<Member>>), NotFound> {
        let cell = self.directory.find(room_id).ok_or(NotFound::Room)?;
        cell.roster().ok_or(NotFound::Room)
    }

    /// Locks or unlocks a room, and shows it as it is then.
    ///
    /// # Errors
    /// [`NotFound::Room`].
    #[expect(clippy::unused_async, reason = "a journal shared by several servers must be awaited")]
    pub async fn lock(&self, room_id: &RoomId, locked: bool) -> Result<Summary, NotFound> {
        let cell = self.directory.find(room_id).ok_or(NotFound::Room)?;
        cell.lock(&self.journal, locked, SystemTime::now()).map_err(|_: Denied| NotFound::Room)
    }

    /// Sends `content` as a `broadcast`, and counts the clients it went to.
    ///
    /// # Errors
    /// [`NotFound`], if the room or client is not there.
    pub fn broadcast(&self, audience: &Audience, content: &RawValue) -> Result<usize, NotFound> {
        let frame = Reply::Broadcast { content }.encode();
        match audience {
            Audience::Room(room_id) => {
                let cell = self.directory.find(room_id).ok_or(NotFound::Room)?;
                cell.announce(&frame).map_err(|CellClosed| NotFound::Room)
            }
            Audience::Client(client_id) => {
                let client = self.clients.find(*client_id).ok_or(NotFound::Client)?;
                client.push(Entry::Frame(frame));
                Ok(1)
            }
            Audience::Everyone => Ok(self.tell_everyone(&frame)),
        }
    }

    /// Says goodbye to every client and ends its connection; whoever comes later is sent away at once.
    pub fn send_away(&self) {
        self.clients.close();
        let retry_after_ms = u64::try_from(RETRY_AFTER.as_millis()).expect("a second or so");
        let goodbye = Reply::GoingAway { retry_after_ms }.encode();
        self.clients.for_each(|client| {
            client.push(Entry::Frame(goodbye.clone()));
            client.outbox.end(Ending::GoingAway);
        });
    }

    /// Ends every connection at once, whatever is due to it; nobody is let in any more.
    pub fn cut_off(&self) {
        self.clients.close();
        self.clients.for_each(|client| client.outbox.end(Ending::CutOff));
        self.killed.cancel();
    }

    fn tell_everyone(&self, frame: &Frame) -> usize {
        let mut reached = 0;
        self.clients.for_each(|client| {
            client.push(Entry::Frame(frame.clone()));
            reached += 1;
        });
        reached
    }
}

impl Guest {
    /// Whose share of what is limited by address it takes.
    pub fn network(&self) -> Network {
        Network::of(self.address)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.hub.addresses.leave(self.network());
    }
}
