//! What a server takes at most, and what it has now.

use std::time::{Duration, SystemTime};

use super::{Hub, Stage};
use crate::config::{AuthMode, Config, LogLimits, OutboxLimits};

/// What a server takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connected clients.
    pub clients: usize,
    /// Connections of one address; none where there is no limit.
    pub clients_of_an_address: Option<usize>,
    /// Rooms.
    pub rooms: usize,
    /// Members of a room where nobody says otherwise.
    pub members: usize,
    /// The most members that a room may be given.
    pub most_members: usize,
    /// A browser's message, in bytes.
    pub message_bytes: usize,
    /// Messages a second of a client, in the long run; zero for no limit.
    pub rate: u32,
    /// What is kept for a client.
    pub outbox: OutboxLimits,
    /// What is kept of the log.
    pub log: LogLimits,
    /// What is kept for all clients, in bytes.
    pub kept_bytes: usize,
    /// Who needs a token.
    pub auth: AuthMode,
    /// Whether whoever makes a room by joining may give it a password.
    pub room_passwords: bool,
    /// Whether the first member of a room is its host.
    pub first_is_host: bool,
}

/// What a server has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Connected clients.
    pub clients: usize,
    /// Rooms.
    pub rooms: usize,
    /// Clients that sit in a room.
    pub members: usize,
    /// Bans that stand.
    pub bans: usize,
    /// Events since it started.
    pub events: u64,
}

/// What a server has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Connected clients.
    pub clients: usize,
    /// Rooms that it holds: one of a fleet holds those where somebody of its own sits or waits.
    pub rooms: usize,
    /// Its clients that sit in a room.
    pub members: usize,
    /// Whether it lets nobody new in, and sends away whom it has.
    pub draining: bool,
}

impl Limits {
    pub(super) fn of(config: &Config) -> Self {
        let capacity = config.capacity();
        Self {
            clients: capacity.clients,
            clients_of_an_address: capacity.per_address,
            rooms: config.max_rooms,
            members: config.max_members,
            most_members: config.most_members(),
            message_bytes: config.max_message_bytes,
            rate: config.rate_limit,
            outbox: config.outbox_limits(),
            log: config.log_limits(),
            kept_bytes: config.kept_bytes(),
            auth: config.auth_mode(),
            room_passwords: config.rooms.room_passwords,
            first_is_host: config.rooms.first_member_is_host
                && config.auth_mode() != AuthMode::Required,
        }
    }
}

impl Hub {
    /// See [`Limits`].
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// See [`Counts`].
    pub fn counts(&self) -> Counts {
        let Holdings { clients, rooms, members, .. } = self.held();
        let events = match self.fleet {
            None => self.journal.head().0,
            // The log of a fleet does not count in ones.
            Some(_) => self.metrics.events(),
        };
        Counts { clients, rooms, members, bans: self.bans.count(), events }
    }

    /// See [`Holdings`].
    pub fn held(&self) -> Holdings {
        let (clients, rooms) = (self.clients.count(), self.directory.count());
        let mut members = usize::try_from(self.metrics.members()).unwrap_or(usize::MAX);
        if self.fleet.is_some() {
            // Events are of members of all servers.
            members = 0;
            self.directory.for_each(|cell| members += cell.seated_here());
        }
        let stage = self.draining().borrow().stage;
        let draining = !matches!(stage, Stage::Serving | Stage::Cancelled);
        Holdings { clients, rooms, members, draining }
    }

    /// When it came to be.
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// How long ago that is.
    pub fn uptime(&self) -> Duration {
        self.since.elapsed()
    }
}
