//! What the server counts, each thing in one place, and how a scraper is shown it.
//!
//! Whatever happens for each message is counted by each thread for itself (`metrics/shards`). `docs/metrics.md` says
//! what each figure means.

mod exposition;
mod labels;
mod process;
mod shards;
mod watchers;

use std::{fmt::Debug, sync::Arc, time::Duration};

use prometheus::{Histogram, HistogramOpts};

pub use exposition::Exposition;
pub use labels::{Closing, Kind, Message, PasswordCheck};
pub use process::Process;
pub use watchers::Watcher;

use crate::{event::Position, protocol::Code};
use {
    labels::{OUTCOMES, code_name},
    shards::Shards,
    watchers::Watchers,
};

/// In seconds: from one in the same building to one that is about to be given up.
const ROUND_TRIPS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// In seconds: from a join that nobody hears of to one that had to wait.
const JOINS: [f64; 11] =
    [0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1, 1.0];
/// In seconds: from one that nobody waits before to one behind those of a thousand addresses.
const PASSWORD_WAITS: [f64; 9] = [0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];

/// Who has figures for a scraper.
pub trait Source: Debug + Send + Sync {
    /// Adds them as they are now.
    fn expose(&self, to: &mut Exposition);
}

/// See the module. One for each server.
#[derive(Debug)]
pub struct Metrics {
    shards: Shards,
    round_trips: Histogram,
    joins: Histogram,
    password_waits: Histogram,
    watchers: Arc<Watchers>,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram = |name, help, buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            Histogram::with_opts(options).expect("a proper name, and buckets in order")
        };
        Self {
            shards: Shards::default(),
            round_trips: histogram(
                "signalpost_ping_round_trip_seconds",
                "From a ping to its pong, of each ping that was answered.",
                &ROUND_TRIPS,
            ),
            joins: histogram(
                "signalpost_join_duration_seconds",
                "From a join's arrival to its seat, of each join that got one.",
                &JOINS,
            ),
            password_waits: histogram(
                "signalpost_password_wait_seconds",
                "From a password's arrival to the begin of its hashing.",
                &PASSWORD_WAITS,
            ),
            watchers: Arc::default(),
        }
    }
}

impl Metrics {
    /// A browser's message was handled.
    #[inline]
    pub fn message(&self, message: Message, taken: bool) {
        self.shards.add(1, |shard| &shard.messages[message as usize][usize::from(!taken)]);
    }

    /// A browser was told that something is refused.
    pub fn refusal(&self, code: Code) {
        self.shards.add(1, |shard| &shard.refusals[code as usize]);
    }

    /// A browser's connection gave so many bytes.
    #[inline]
    pub fn received(&self, bytes: usize) {
        self.shards.add(bytes as u64, |shard| &shard.received_bytes);
    }

    /// A browser's connection took so many bytes.
    #[inline]
    pub fn sent(&self, bytes: u64) {
        self.shards.add(bytes, |shard| &shard.sent_bytes);
    }

    /// So many messages went from an outbox to its connection.
    #[inline]
    pub fn sent_messages(&self, messages: usize) {
        self.shards.add(messages as u64, |shard| &shard.sent_messages);
    }

    /// A client was let in.
    pub fn connection(&self) {
        self.shards.add(1, |shard| &shard.connections);
    }

    /// A client's connection parts.
    pub fn closing(&self, closing: Closing) {
        self.shards.add(1, |shard| &shard.closings[closing as usize]);
    }

    /// A token was shown, and taken or not.
    pub fn token(&self, taken: bool) {
        self.shards.add(1, |shard| &shard.tokens[usize::from(!taken)]);
    }

    /// A client waits for a seat from now on.
    pub fn waits(&self) {
        self.shards.add(1, |shard| &shard.waits[0]);
    }

    /// A client waits for a seat no longer.
    pub fn waits_no_longer(&self) {
        self.shards.add(1, |shard| &shard.waits[1]);
    }

    /// An event is in the log.
    pub fn event(&self, kind: Kind) {
        self.shards.add(1, |shard| &shard.events[kind as usize]);
    }

    /// A client's password was compared with its room's, or was not.
    pub fn password_check(&self, result: PasswordCheck) {
        self.shards.add(1, |shard| &shard.password_checks[result as usize]);
    }

    /// A password is hashed, so long after it came.
    pub fn password_wait(&self, took: Duration) {
        self.password_waits.observe(took.as_secs_f64());
    }

    /// A join got its seat, so long after it came.
    pub fn join(&self, took: Duration) {
        self.joins.observe(took.as_secs_f64());
    }

    /// A ping was answered, so long after it was sent.
    pub fn ping_round_trip(&self, took: Duration) {
        self.round_trips.observe(took.as_secs_f64());
    }

    /// From now on somebody follows the log, behind this position, until the value is dropped.
    pub fn watcher(&self, cursor: Position) -> Watcher {
        Watcher::new(&self.watchers, cursor)
    }

    /// How many follow the log, and by how many events the last of them is behind its head.
    pub fn watchers(&self, head: Position) -> (usize, u64) {
        self.watchers.behind(head)
    }

    /// How many members all rooms have together: who joined and did not leave. Asked in this order, it is never less
    /// than none.
    pub fn members(&self) -> u64 {
        let left = self.shards.sum(|shard| &shard.events[Kind::Left as usize]);
        self.shards.sum(|shard| &shard.events[Kind::Joined as usize]).saturating_sub(left)
    }

    /// How many events of rooms and bans there were here.
    pub fn events(&self) -> u64 {
        (0..Kind::NAMES.len()).map(|kind| self.shards.sum(|shard| &shard.events[kind])).sum()
    }

    /// How many clients wait for a seat in all rooms together. Events do not tell: who registers anew while it waits
    /// is one more.
    pub fn waiting(&self) -> u64 {
        let ended = self.shards.sum(|shard| &shard.waits[1]);
        self.shards.sum(|shard| &shard.waits[0]).saturating_sub(ended)
    }
}

impl Source for Metrics {
    fn expose(&self, to: &mut Exposition) {
        let Self { shards, round_trips, joins, password_waits, watchers: _ } = self;
        let messages = Message::NAMES.into_iter().enumerate().flat_map(|(nth, name)| {
            let of = move |outcome: usize| shards.sum(|shard| &shard.messages[nth][outcome]);
            OUTCOMES.into_iter().enumerate().map(move |(at, outcome)| ([name, outcome], of(at)))
        });
        to.counters(
            "signalpost_messages_received_total",
            "Messages of browsers, by type and by what became of them.",
            ["type", "outcome"],
            messages,
        );
        to.counters(
            "signalpost_refusals_total",
            "Errors that browsers were told, by code.",
            ["code"],
            Code::ALL.map(|code| {
                ([code_name(code)], shards.sum(|shard| &shard.refusals[code as usize]))
            }),
        );
        to.counter(
            "signalpost_messages_sent_total",
            "Messages given to browsers' connections.",
            shards.sum(|shard| &shard.sent_messages),
        );
        to.counter(
            "signalpost_received_bytes_total",
            "Bytes read from WebSockets, frames and all.",
            shards.sum(|shard| &shard.received_bytes),
        );
        to.counter(
            "signalpost_sent_bytes_total",
            "Bytes written to WebSockets, frames and all.",
            shards.sum(|shard| &shard.sent_bytes),
        );
        to.counter(
            "signalpost_connections_total",
            "Clients that were let in.",
            shards.sum(|shard| &shard.connections),
        );
        let closings = Closing::NAMES.into_iter().enumerate();
        to.counters(
            "signalpost_closings_total",
            "Connections that ended, by reason.",
            ["reason"],
            closings.map(|(nth, name)| ([name], shards.sum(|shard| &shard.closings[nth]))),
        );
        let tokens = OUTCOMES.into_iter().enumerate();
        to.counters(
            "signalpost_tokens_total",
            "Tokens that browsers showed, by what became of them.",
            ["outcome"],
            tokens.map(|(at, outcome)| ([outcome], shards.sum(|shard| &shard.tokens[at]))),
        );
        let events = Kind::NAMES.into_iter().enumerate();
        to.counters(
            "signalpost_events_appended_total",
            "Events put into the log, by kind.",
            ["kind"],
            events.map(|(nth, name)| ([name], shards.sum(|shard| &shard.events[nth]))),
        );
        let checks = PasswordCheck::NAMES.into_iter().enumerate();
        to.counters(
            "signalpost_password_checks_total",
            "Passwords that clients gave, by what became of them.",
            ["result"],
            checks.map(|(nth, name)| ([name], shards.sum(|shard| &shard.password_checks[nth]))),
        );
        to.histogram(round_trips);
        to.histogram(joins);
        to.histogram(password_waits);
    }
}
