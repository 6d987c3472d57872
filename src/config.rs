//! Every setting and every limit: flags, environment variables, defaults, and what is refused at start.

mod address;
mod auth;
mod base_path;
mod capacity;
mod contradiction;
mod door;
mod environment;
mod frame_ancestor;
mod guarded;
mod ice;
pub mod limits;
mod memory;
mod pasted;
mod proxy;
mod redis;
mod rooms;
mod secret;
mod turn;

use std::{
    ffi::{OsStr, OsString},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{
    ArgAction, CommandFactory, Parser, ValueEnum,
    builder::{BoolishValueParser, RangedU64ValueParser},
};
use ipnet::IpNet;

pub use auth::{AuthFlags, AuthMode, Jwks};
pub use base_path::BasePath;
pub use capacity::Capacity;
pub use contradiction::Contradiction;
pub use door::{ADMIN_TOKEN_PREFIX, AdminDoor};
pub use environment::read as read_settings;
pub use frame_ancestor::FrameAncestor;
pub use guarded::{Unguarded, read_guarded, read_public};
pub use ice::{BadLine, IceServer};
pub use limits::{LogLimits, OutboxLimits};
pub use pasted::refuse_pasted;
pub use redis::{BadRedisPassword, RedisFlags, RedisPassword, RedisUrl};
pub use rooms::RoomFlags;
pub use secret::{BadSecret, Secret};
pub use turn::IceFlags;

/// A self-hosted WebRTC signaling server: JSON over WebSocket for browsers, gRPC for administrators.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "signalpost",
    version,
    max_term_width = 100,
    after_help = "`signalpost bench` load-tests a server, `signalpost gen-token` makes tokens, `signalpost check-token` reads them; see their --help."
)]
pub struct Config {
    /// Where browsers connect: IP:PORT, or a port alone. May be given more than once.
    ///
    /// Default: the --port, on every IPv6 and IPv4 address.
    #[arg(long, env = "SIGNALPOST_LISTEN", value_name = "ADDRESS", value_delimiter = ',', value_parser = address::parse)]
    pub listen: Vec<SocketAddr>,

    /// The port on every address, where --listen is not given.
    #[arg(long, env = "PORT", default_value_t = 8080, value_parser = address::parse_port)]
    pub port: u16,

    /// Where administrators connect with gRPC. Only loopback without --admin-token-file; elsewhere with TLS, unless
    /// there is --admin-plaintext.
    #[arg(long, env = "SIGNALPOST_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:50051", value_parser = address::parse)]
    pub admin_listen: SocketAddr,

    /// Who may administer, and by what they show it.
    #[command(flatten)]
    pub admin_door: AdminDoor,

    /// Who may join a room, and by what they show it.
    #[command(flatten)]
    pub auth_flags: AuthFlags,

    /// The certificate chain (PEM) for https and wss, which browsers want for cameras anywhere but on localhost.
    /// It and its key are read anew when they change, and at SIGHUP.
    #[arg(long, env = "SIGNALPOST_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key (PEM).
    #[arg(long, env = "SIGNALPOST_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// A proxy whose word counts on whom it asks for, by `Forwarded` or `X-Forwarded-For`: an address, or a range such
    /// as 10.0.0.0/8. May be given more than once.
    ///
    /// Default: none. Whoever connects is the client.
    #[arg(long = "trusted-proxy", env = "SIGNALPOST_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',', value_parser = proxy::parse)]
    pub trusted_proxies: Vec<IpNet>,

    /// Expect the PROXY protocol (version 1 or 2) of every connection, before TLS. Only a --trusted-proxy may
    /// connect then.
    #[arg(
        long, env = "SIGNALPOST_PROXY_PROTOCOL", value_name = "true|false",
        default_value_t = false, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, hide_possible_values = true, action = ArgAction::Set,
        value_parser = BoolishValueParser::new())]
    pub proxy_protocol: bool,

    /// An origin whose pages may connect, such as `https://chat.example.org` or `capacitor://localhost`. May be
    /// given more than once.
    ///
    /// Default: any. Nothing ambient such as a cookie authenticates here.
    #[arg(long = "allowed-origin", env = "SIGNALPOST_ALLOWED_ORIGIN", value_name = "ORIGIN", value_delimiter = ',', value_parser = address::parse_origin)]
    pub allowed_origins: Vec<String>,

    /// A site whose pages may show the client in a frame, such as `https://intranet.example.org`, or
    /// `https://*.example.org`. May be given more than once.
    ///
    /// Default: none but the server's own.
    #[arg(
        long = "frame-ancestor",
        env = "SIGNALPOST_FRAME_ANCESTOR",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    pub frame_ancestors: Vec<FrameAncestor>,

    /// What browsers are told of STUN and TURN servers.
    #[command(flatten)]
    pub ice: IceFlags,

    /// The Redis through which servers share their rooms.
    #[command(flatten)]
    pub redis: RedisFlags,

    /// The path below which a reverse proxy shows the page, such as /chat. It may strip it from requests, or not;
    /// what has no such prefix is answered as well.
    #[arg(long, env = "SIGNALPOST_BASE_PATH", value_name = "PATH", default_value = "/")]
    pub base_path: BasePath,

    /// Serve the browser client from this folder, not from the binary (for its development).
    #[arg(long, env = "SIGNALPOST_CLIENT_DIR", value_name = "FOLDER")]
    pub client_dir: Option<PathBuf>,

    /// The most members of a room that its first joiner makes.
    #[arg(long, env = "SIGNALPOST_MAX_MEMBERS", value_name = "N", default_value_t = 10, value_parser = at_least(1).range(..=limits::MAX_MEMBERS))]
    pub max_members: usize,

    /// What whoever makes a room may do in it.
    #[command(flatten)]
    pub rooms: RoomFlags,

    /// The most rooms at a time.
    #[arg(long, env = "SIGNALPOST_MAX_ROOMS", value_name = "N", default_value_t = 100_000, value_parser = at_least(1))]
    pub max_rooms: usize,

    /// The most browsers connected at a time.
    #[arg(long, env = "SIGNALPOST_MAX_CONNECTIONS", value_name = "N", default_value_t = 100_000, value_parser = at_least(1))]
    pub max_connections: usize,

    /// The most connections of one address, of an IPv6 network (/64), at a time. A tenth as many new ones a second,
    /// once as many came at once.
    ///
    /// Default: 1000, or half of all that fit where that is less.
    #[arg(long, env = "SIGNALPOST_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N", value_parser = at_least(1))]
    pub max_connections_per_address: Option<usize>,

    /// The longest message taken from a browser.
    #[arg(long, env = "SIGNALPOST_MAX_MESSAGE_BYTES", value_name = "BYTES", default_value_t = limits::MESSAGE_BYTES, value_parser = at_least(1024))]
    pub max_message_bytes: usize,

    /// The most messages kept for a browser that does not read them.
    #[arg(long, env = "SIGNALPOST_OUTBOX_MESSAGES", value_name = "N", default_value_t = limits::OUTBOX_MESSAGES, value_parser = at_least(16))]
    pub outbox_messages: usize,

    /// The most bytes kept for a browser that does not read them.
    ///
    /// Default: 1 MiB, or twice the longest possible list of members where that is more.
    #[arg(long, env = "SIGNALPOST_OUTBOX_BYTES", value_name = "BYTES")]
    pub outbox_bytes: Option<usize>,

    /// How many messages a second a browser may send in the long run. Ten times as many at once, and bytes
    /// (512 KiB a second at the default), joins and registrations (2 a second) in proportion; 0 lifts all these
    /// limits, as for load tests.
    #[arg(long, env = "SIGNALPOST_RATE_LIMIT", value_name = "MESSAGES", default_value_t = limits::RATE_LIMIT, value_parser = clap::value_parser!(u32).range(..=limits::MAX_RATE_LIMIT))]
    pub rate_limit: u32,

    /// How much memory the server may take. Near it, nobody new comes in; then those are closed who make it keep the
    /// most: who do not finish a message, who do not read.
    ///
    /// Default: half of what the machine, or the process's cgroup, has.
    #[arg(long, env = "SIGNALPOST_MEMORY_BUDGET", value_name = "BYTES")]
    pub memory_budget: Option<usize>,

    /// The most events kept for those who watch them.
    #[arg(long, env = "SIGNALPOST_LOG_EVENTS", value_name = "N", default_value_t = limits::LOG_EVENTS, value_parser = at_least(1))]
    pub log_events: usize,

    /// The most bytes of events kept.
    #[arg(long, env = "SIGNALPOST_LOG_BYTES", value_name = "BYTES", default_value_t = limits::LOG_BYTES, value_parser = at_least(1024))]
    pub log_bytes: usize,

    /// How often each browser is pinged, with jitter.
    #[arg(long, env = "SIGNALPOST_PING_SECONDS", value_name = "SECONDS", default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub ping_seconds: u64,

    /// How long a browser may take to answer a ping.
    #[arg(long, env = "SIGNALPOST_PONG_SECONDS", value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub pong_seconds: u64,

    /// How long a stop may take to say goodbye to everyone.
    #[arg(long, env = "SIGNALPOST_DRAIN_SECONDS", value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub drain_seconds: u64,

    /// How log lines look.
    #[arg(long, env = "SIGNALPOST_LOG_FORMAT", value_name = "FORMAT", default_value = "human")]
    pub log_format: LogFormat,

    /// What is logged: a level (error, warn, info, debug, trace), or tracing-subscriber's filter directives.
    #[arg(long, env = "SIGNALPOST_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For eyes.
    Human,
    /// One JSON object a line.
    Json,
}

fn at_least(least: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(least..)
}

impl Config {
    /// Reads the command line and the environment. A variable that is set to nothing counts as not set, as
    /// compose files and unit files leave them.
    ///
    /// # Errors
    /// clap's, which is an answer where it is not meant for standard error: `--help`, `--version`. What it
    /// repeats of the settings is escaped, and holds no secret.
    pub fn from_command_line() -> Result<Self, clap::Error> {
        Self::read(std::env::args_os(), |name| std::env::var_os(name))
    }

    fn read(
        given: impl IntoIterator<Item = OsString>,
        variable: impl Fn(&OsStr) -> Option<OsString>,
    ) -> Result<Self, clap::Error> {
        let given: Vec<OsString> = given.into_iter().collect();
        let command = environment::with_secrets(Self::command(), &given);
        environment::read(command, &given, variable)
    }

    /// Checks what no single flag can tell.
    ///
    /// # Errors
    /// The first [`Contradiction`] found.
    pub fn check(&self) -> Result<(), Contradiction> {
        self.admin_door.check(self.admin_listen)?;
        self.auth_flags.check()?;
        if self.proxy_protocol && self.trusted_proxies.is_empty() {
            return Err(Contradiction::NoProxyTrusted);
        }
        let least = self.least_memory_budget();
        if let Some(given) = self.memory_budget.filter(|given| *given < least) {
            return Err(Contradiction::BudgetTooSmall { given, log_bytes: self.log_bytes, least });
        }
        let (max_members, max_message_bytes) = (self.max_members, self.max_message_bytes);
        let least = self.least_outbox_bytes();
        match self.outbox_bytes {
            Some(given) if given < least => {
                Err(Contradiction::OutboxTooSmall { given, max_members, max_message_bytes, least })
            }
            _ => Ok(()),
        }
    }

    /// Who needs a token.
    pub fn auth_mode(&self) -> AuthMode {
        self.auth_flags.mode()
    }

    /// Whether `--trusted-proxy` names this peer.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|range| range.contains(&peer))
    }

    /// How much the server keeps for a browser that does not read.
    pub fn outbox_limits(&self) -> OutboxLimits {
        let fitting = || limits::OUTBOX_BYTES.max(self.least_outbox_bytes());
        let bytes = self.outbox_bytes.unwrap_or_else(fitting);
        OutboxLimits { messages: self.outbox_messages, bytes }
    }

    /// How many bytes the server may keep for all its clients: for each one, of messages that it has not finished, and
    /// of those that it does not take.
    pub fn kept_bytes(&self) -> usize {
        let share = || (memory::machine_bytes() / 2).max(self.least_memory_budget());
        let all = self.memory_budget.unwrap_or_else(share);
        all.saturating_sub(self.log_bytes).saturating_sub(limits::OWN_BYTES)
    }

    /// How much of the log is kept.
    pub fn log_limits(&self) -> LogLimits {
        LogLimits { events: self.log_events, bytes: self.log_bytes }
    }

    /// The most members that a room may be given: a list of all of them must fit half an outbox.
    pub fn most_members(&self) -> usize {
        let fit = self.outbox_limits().bytes / 2 / (limits::METADATA_BYTES + limits::MEMBER_BYTES);
        let most = usize::try_from(limits::MAX_MEMBERS).expect("ten thousand");
        fit.clamp(self.max_members, most)
    }

    /// How often each browser is pinged.
    pub fn ping_every(&self) -> Duration {
        Duration::from_secs(self.ping_seconds)
    }

    /// How long a browser may take to answer a ping.
    pub fn pong_within(&self) -> Duration {
        Duration::from_secs(self.pong_seconds)
    }

    fn least_memory_budget(&self) -> usize {
        self.log_bytes.saturating_add(limits::OWN_BYTES + limits::LEAST_KEPT_BYTES)
    }

    /// Half of it must hold a full list of members, or the longest message with its sender's names: a turn
    /// ends when it has filled half of an outbox, which then takes only one message more unflushed.
    fn least_outbox_bytes(&self) -> usize {
        let roster = self.max_members.saturating_mul(limits::METADATA_BYTES + limits::MEMBER_BYTES);
        let message = self.max_message_bytes.saturating_add(limits::RELAYED_BYTES);
        roster.max(message).saturating_mul(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(flags: &str) -> Config {
        let words = ["signalpost"].into_iter().chain(flags.split_whitespace());
        Config::try_parse_from(words).unwrap()
    }

    #[test]
    fn defaults_hold_together() {
        let config = config("");
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.outbox_limits(), OutboxLimits { messages: 4096, bytes: 1 << 20 });
    }

    #[test]
    fn the_admin_api_stays_on_loopback() {
        for address in
            ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "[::ffff:127.0.0.1]:1"]
        {
            assert_eq!(config(&format!("--admin-listen {address}")).check(), Ok(()), "{address}");
        }
        for address in ["0.0.0.0:1", "[::]:1", "192.168.1.1:1", "1"] {
            let refused = config(&format!("--admin-listen {address}")).check();
            assert!(matches!(refused, Err(Contradiction::AdminExposed(_))), "{address}");
        }
    }

    #[test]
    fn the_proxy_protocol_is_for_trusted_proxies() {
        for flag in ["--proxy-protocol", "--proxy-protocol=true", "--proxy-protocol=1"] {
            assert_eq!(config(flag).check(), Err(Contradiction::NoProxyTrusted));
            assert_eq!(config(&format!("{flag} --trusted-proxy ::1")).check(), Ok(()));
        }
        assert_eq!(config("--proxy-protocol=false").check(), Ok(()));
    }

    #[test]
    fn an_outbox_holds_two_rosters_or_two_messages() {
        let large = config("--max-members 1000");
        assert_eq!((large.check(), large.outbox_limits().bytes), (Ok(()), 2 * 1000 * (2048 + 300)));
        for (flags, least) in [
            ("--max-members 1000 --outbox-bytes 1000000", "--outbox-bytes 4696000"),
            ("--max-message-bytes 3000000 --outbox-bytes 1000000", "--outbox-bytes 6004096"),
        ] {
            let small = config(flags).check().unwrap_err().to_string();
            assert!(small.contains(least), "{small}");
        }
        let long = config("--max-message-bytes 3000000");
        assert_eq!((long.check(), long.outbox_limits().bytes), (Ok(()), 6_004_096));
    }

    #[test]
    fn secrets_stay_out_of_debug_output() {
        let mut config = config("");
        config.ice.ice_servers = vec!["turn:user:hunter2@turn.example.org".parse().unwrap()];
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
