//! What to measure, as the command line says it.

use std::{ffi::OsString, time::Duration};

use clap::{Parser, ValueEnum, builder::RangedU64ValueParser};

use super::{Fault, target::Target};

/// Load-tests a signaling server: opens connections, joins rooms, sends, and times what arrives.
///
/// Each message must come once and in order; the first of each kind on a connection is compared with what
/// was sent.
///
/// Start the server with `--rate-limit 0`: at its default a client may send 200 messages a second, and an address
/// connect 100 times, and whatever is over that counts as an error here.
///
/// Speaks ws only, from one thread. To measure a server behind TLS, aim at its plain port.
#[derive(Debug, Clone, Parser)]
#[command(name = "signalpost bench", bin_name = "signalpost bench", version, max_term_width = 100)]
pub struct Options {
    /// The server's WebSocket.
    #[arg(default_value = "ws://localhost:8080/")]
    pub url: String,

    /// What the clients do.
    #[arg(long, value_name = "NAME", default_value = "candidates")]
    pub scenario: Scenario,

    /// How many rooms; for `calls`, how many calls at a time.
    ///
    /// Default: 100, for `fan-out` 20, for `calls` 50, for `idle` 500.
    #[arg(long, value_name = "N", value_parser = count())]
    pub rooms: Option<usize>,

    /// How many members in each room. Candidates and offers pass between pairs of them.
    ///
    /// Default: 2, for `fan-out` 10.
    #[arg(long, value_name = "N", value_parser = count())]
    pub members: Option<usize>,

    /// Messages a second, all together; 0: each as soon as the one before it arrived.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    pub rate: u32,

    /// Messages on their way at a time, for each pair or, in `fan-out`, each room; unless there is a --rate.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count())]
    pub outstanding: usize,

    /// How long to measure.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub seconds: Duration,

    /// How long to run before that.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub warm_up: Duration,

    /// The server's process, if it runs on this machine under Linux: reports its CPU time and memory.
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,

    /// How many gRPC `WatchEvents` calls to hold open meanwhile, at --admin.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub watchers: usize,

    /// Where the server's administrators connect.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50051")]
    pub admin: String,

    /// Print the result as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What the clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Pairs pass ICE candidates to each other, 305 bytes each.
    Candidates,
    /// Pairs pass SDP offers to each other, 4.5 kB each.
    Offers,
    /// One member of each room sends to all others.
    FanOut,
    /// Whole calls: two connect and join; offer, answer, 8 candidates; both leave and close.
    Calls,
    /// Connect and join, then sit and answer pings.
    Idle,
}

impl Options {
    /// Reads the words after `signalpost bench`.
    ///
    /// # Errors
    /// clap's, which is an answer where it is not meant for standard error: `--help`, `--version`.
    pub fn from_words(words: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from([OsString::from("signalpost bench")].into_iter().chain(words))
    }

    /// Checks what no single flag can tell.
    pub(super) fn check(&self) -> Result<Target, Fault> {
        let refuse = |text: &str| Err(Fault::Contradiction(text.to_owned()));
        let (rooms, members) = (self.rooms(), self.members());
        match self.scenario {
            Scenario::Calls if members != 2 => {
                return refuse("a call has two sides; leave --members out");
            }
            Scenario::Calls | Scenario::Idle if self.rate > 0 => {
                return refuse("--rate is for candidates, offers and fan-out; leave it out");
            }
            Scenario::FanOut if members < 2 => {
                return refuse("fan-out needs somebody to send to; use --members 2 or more");
            }
            Scenario::Candidates | Scenario::Offers if !members.is_multiple_of(2) => {
                return refuse("candidates and offers pass between pairs; use an even --members");
            }
            Scenario::Candidates
            | Scenario::Offers
            | Scenario::FanOut
            | Scenario::Calls
            | Scenario::Idle => {}
        }
        let wanted = rooms.saturating_mul(members);
        let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
        // Beside the connections: standard streams, epoll, the watchers' runtime, /proc.
        if wanted as u64 > files.saturating_sub(64) {
            return Err(Fault::Contradiction(format!(
                "--rooms {rooms} with --members {members} takes {wanted} connections, and this process may open \
                 {files} files; ask for fewer, or raise `ulimit -n`"
            )));
        }
        Target::parse(&self.url)
    }

    pub(super) fn rooms(&self) -> usize {
        self.rooms.unwrap_or(match self.scenario {
            Scenario::Candidates | Scenario::Offers => 100,
            Scenario::FanOut => 20,
            Scenario::Calls => 50,
            Scenario::Idle => 500,
        })
    }

    pub(super) fn members(&self) -> usize {
        self.members.unwrap_or(if self.scenario == Scenario::FanOut { 10 } else { 2 })
    }
}

fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=1_000_000)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "use a number from 0 to 86400".to_owned())
}
