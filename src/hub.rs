//! Who is here: every connected client and every room with its local members. The only holder of room
//! locks. Lock order: directory shard, room, bans, log; outboxes, the client registry, timers, appointments, passwords
//! that wait, the table of those who guess them and what a client lets others know of itself are leaves. A connection's
//! wire is locked under none of these, and only its outbox under it.

mod addresses;
mod agents;
mod appointments;
mod bans;
mod broadcast;
mod bucket;
mod cell;
mod client;
mod clients;
mod directory;
mod drain;
mod ending;
mod exposition;
mod fleet;
mod heartbeat;
mod hosting;
mod ice;
mod keep;
mod look;
mod outbox;
mod passwords;
mod rate;
mod registry;
mod removal;
mod rooms;
mod session;
mod timers;
mod tokens;
mod turn;

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Instant, SystemTime},
};

use itertools::Itertools;
use tokio_util::sync::CancellationToken;

pub use addresses::Network;
pub use broadcast::{Audience, Reached};
pub use client::{Client, Link, Origin};
pub use clients::Report;
pub use drain::{NotDraining, Progress, Stage};
pub use ending::Ending;
pub use fleet::{Beginning, Claim, Claimed, Fleet, Listed, Node, NotBanned, NotClaimed};
pub use hosting::NotHosted;
pub use look::{Counts, Holdings, Limits};
pub use outbox::{Due, Entry, Outbox};
pub use passwords::{Asker, Busy, Guesses};
pub use removal::{KeepOut, NotRemoved};
use rooms::UNSETTLED;
pub use rooms::{NotChanged, NotMade};
pub use session::{Session, Wish};
pub use tokens::NotTaken;
pub use turn::{beside_turns, flush_before_sleep, flush_told, turn_takes_another, turns};

use crate::{
    auth::Authority,
    config::{Capacity, Config},
    id::Incarnation,
    journal::Journal,
    metrics::Metrics,
    protocol::{Reply, VERSION},
    room::{Identity, Rules, Settings},
    turn::IceServers,
};
use {
    addresses::Addresses, agents::Agents, appointments::Appointments, bans::BanBook,
    bucket::Buckets, directory::Directory, drain::Drain, heartbeat::Heartbeat, keep::Keep,
    passwords::Passwords, rate::Rates, registry::Registry, timers::Timers,
};

/// See the module. One for each server.
#[derive(Debug)]
pub struct Hub {
    config: Arc<Config>,
    limits: Limits,
    rules: Arc<Rules>,
    journal: Journal,
    directory: Directory,
    clients: Registry,
    heartbeat: Heartbeat,
    rates: Rates,
    keep: Keep,
    addresses: Addresses,
    bans: BanBook,
    passwords: Passwords,
    refused_tokens: Buckets,
    timers: Timers,
    started_at: SystemTime,
    since: Instant,
    drain: Drain,
    agents: Agents,
    ice_servers: IceServers,
    appointments: Appointments,
    authority: Option<Arc<Authority>>,
    /// Where rooms are shared with other servers.
    fleet: Option<Fleet>,
    /// What is counted, here and by those above.
    pub metrics: Arc<Metrics>,
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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// No room of that name.
    #[error("no such room")]
    Room,
    /// No client of that name.
    #[error("no such client")]
    Client,
    /// What the servers of a fleet share cannot be reached: it is not known.
    #[error("what the servers share cannot be reached now; try again")]
    Unavailable,
    /// The same, and what was asked for may have been done.
    #[error("{UNSETTLED}")]
    Unsettled,
    /// No server of the fleet that answered has a client of that name, and these did not answer.
    #[error("no server that answered has such a client, and these did not answer: {}", .0.iter().join(", "))]
    Unanswered(Arc<[Incarnation]>),
}

impl Hub {
    /// An empty one. Its tasks run in [`Hub::run`].
    pub fn new(config: Arc<Config>) -> Self {
        let capacity = config.capacity();
        let limits = Limits::of(&config);
        let metrics = Arc::default();
        Self {
            rules: Arc::new(Rules {
                new_room: Settings::open(config.max_members).into(),
                first_is_host: limits.first_is_host,
            }),
            journal: Journal::memory(config.log_limits()),
            directory: Directory::new(config.max_rooms),
            clients: Registry::new(capacity.clients),
            addresses: Addresses::new(capacity.per_address),
            agents: Agents::default(),
            authority: None,
            fleet: None,
            heartbeat: Heartbeat::new(config.ping_every(), config.pong_within()),
            rates: Rates::new(config.rate_limit, config.max_message_bytes),
            keep: Keep::new(config.outbox_limits(), config.kept_bytes()),
            bans: BanBook::new(),
            passwords: Passwords::new(&metrics),
            refused_tokens: tokens::refused_tokens(),
            timers: Timers::default(),
            started_at: SystemTime::now(),
            since: Instant::now(),
            drain: Drain::new(),
            metrics,
            killed: CancellationToken::new(),
            limits,
            ice_servers: IceServers::of_flags(&config),
            appointments: Appointments::default(),
            config,
        }
    }

    /// Tells browsers of these servers, and not of those of the flags alone.
    #[must_use]
    pub fn telling_of(self, ice_servers: IceServers) -> Self {
        Self { ice_servers, ..self }
    }

    /// From now on tokens count, as `authority` says.
    #[must_use]
    pub fn asking(self, authority: Option<Arc<Authority>>) -> Self {
        Self { authority, ..self }
    }

    /// Who says whose tokens are taken, if anybody is asked for one.
    pub fn authority(&self) -> Option<&Arc<Authority>> {
        self.authority.as_ref()
    }

    /// Beats the heart, ends what has its time, wakes those who follow the log and carries out drains, for as long as
    /// it is polled.
    pub async fn run(self: &Arc<Self>) {
        let each_second = |now| {
            self.keep.look(now);
            self.addresses.forget(now);
            self.passwords.forget(now);
            self.refused_tokens.forget(now);
            if self.fleet.is_none() {
                let now = SystemTime::now();
                self.end_what_is_due(now);
                self.end_bans(now);
            }
            self.keep_appointments();
        };
        tokio::join!(
            self.heartbeat.run(&self.clients, each_second),
            self.journal.tick(),
            self.run_drains(),
            self.run_fleet()
        );
    }

    /// Counts a new connection for its address.
    ///
    /// # Errors
    /// [`NotLetIn`].
    pub fn greet(self: &Arc<Self>, address: IpAddr) -> Result<Guest, NotLetIn> {
        self.addresses.enter(address, self.heartbeat.now())?;
        Ok(Guest { hub: Arc::clone(self), address })
    }

    /// Lets a new client in: `welcome` is in its outbox. Its address was counted if `guest` is of the same.
    ///
    /// # Errors
    /// [`NotLetIn`].
    pub fn connect(
        self: &Arc<Self>,
        origin: Origin<'_>,
        guest: Option<&Guest>,
    ) -> Result<Session, NotLetIn> {
        let address = origin.address;
        if self.keep.is_tight() {
            return Err(NotLetIn::Memory);
        }
        let now = self.heartbeat.now();
        if guest.is_some_and(|guest| guest.address == address) {
            self.addresses.enter_again(address, now);
        } else {
            self.addresses.enter(address, now)?;
        }
        let client = Arc::new(Client::new(self, origin));
        let welcome = Reply::Welcome {
            client_id: client.id,
            protocol: VERSION,
            heartbeat_ms: self.config.ping_seconds * 1000,
            ice_servers: &self.ice_servers_at_welcome(client.id),
        };
        // Before anybody can find the client, and have something to say to it.
        client.push(Entry::Frame(welcome.encode()));
        if let Err(full) = self.clients.insert(&client) {
            self.addresses.leave(Network::of(address));
            return Err(full);
        }
        self.heartbeat.enrol(&client);
        self.expect_token(client.id);
        self.metrics.connection();
        let nobody = Identity::default();
        if let Some(ban) = self.bans.against(None, (&nobody, false), address, self.now()) {
            self.end(&client, Ending::Banned, ban.reason.as_deref());
        }
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

    /// Ends every connection at once, whatever is due to it; nobody is let in any more.
    pub fn cut_off(&self) {
        self.clients.close();
        self.clients.for_each(|client| client.outbox.end(Ending::CutOff));
        self.killed.cancel();
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
