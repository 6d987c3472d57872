//! What came out, for people and for scripts.

use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

/// What was measured. Figures are of the measured time, without the warm-up.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What the clients did.
    pub scenario: String,
    /// In how many rooms.
    pub rooms: usize,
    /// With how many members each.
    pub members: usize,
    /// Messages a second that were to be sent; 0: as fast as answered.
    pub rate: u32,
    /// What is counted: messages, deliveries, calls or connections.
    pub unit: &'static str,
    /// How many of them.
    pub count: u64,
    /// The same by the second.
    pub per_second: f64,
    /// For how long.
    pub seconds: f64,
    /// Whether somebody ended it early.
    pub interrupted: bool,
    /// How long a message is on its way to the server; 0 where there are several kinds.
    pub message_bytes: usize,
    /// From sending to receiving; for calls, from connecting to both being closed.
    pub latency: Latency,
    /// How late the 99th of a hundred messages was sent: this client's own fault. Only with a rate.
    pub late_p99_us: Option<f64>,
    /// Sent but never received.
    pub lost: u64,
    /// Received again, or out of order.
    pub surplus: u64,
    /// Altered messages among those compared, refusals, connections that ended, and so on.
    pub errors: u64,
    /// The first of them in words.
    pub first_errors: Vec<String>,
    /// What the server's process took, if --pid names it.
    pub server: Option<ServerCost>,
    /// How many processor cores these clients took, where the system tells.
    pub client_cores: Option<f64>,
    /// Events that the watchers heard, if there were any watchers.
    pub events_watched: Option<u64>,
}

/// Percentiles in microseconds; 0 where nothing was timed.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Latency {
    pub p50_us: f64,
    pub p90_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub max_us: f64,
}

/// What the server's process took.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ServerCost {
    /// CPU time for each unit.
    pub cpu_us_per_unit: f64,
    /// Processor cores, on average.
    pub cores: f64,
    /// Resident memory at the end.
    pub rss_bytes: u64,
    /// What it grew by for each connection; only where connections are idle.
    pub rss_bytes_per_connection: Option<f64>,
}

impl Report {
    /// Whether all went well.
    pub fn is_clean(&self) -> bool {
        self.errors == 0 && self.lost == 0 && self.surplus == 0
    }
}

impl Latency {
    pub(super) fn of(nanos: &Histogram<u64>) -> Self {
        let at = |quantile| micros(nanos.value_at_quantile(quantile));
        Self {
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: micros(nanos.max()),
        }
    }
}

/// Nanoseconds as microseconds.
pub(super) fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unit, latency, .. } = self;
        let one = unit.trim_end_matches('s').replace("deliverie", "delivery");
        writeln!(f, "{} in {} rooms of {}", self.scenario, self.rooms, self.members)?;
        let early = if self.interrupted { ", ended early" } else { "" };
        writeln!(f, "  {:>12} {unit} in {:.1} s{early}", self.count, self.seconds)?;
        writeln!(f, "  {:>12.0} {unit} a second", self.per_second)?;
        if latency.max_us > 0.0 {
            let Latency { p50_us, p90_us, p99_us, p999_us, max_us } = latency;
            writeln!(
                f,
                "  latency us   p50 {p50_us:.0}  p90 {p90_us:.0}  p99 {p99_us:.0}  p99.9 {p999_us:.0}  max {max_us:.0}"
            )?;
        }
        if let Some(late) = self.late_p99_us {
            writeln!(f, "  {late:>12.0} us behind the rate (p99), by this client's own fault")?;
        }
        if let Some(server) = &self.server {
            writeln!(f, "  {:>12.2} us of the server's CPU a {one}", server.cpu_us_per_unit)?;
            writeln!(f, "  {:>12.2} cores of the server's", server.cores)?;
            writeln!(
                f,
                "  {:>12.1} MiB resident in the server",
                server.rss_bytes as f64 / 1048576.0
            )?;
            if let Some(bytes) = server.rss_bytes_per_connection {
                writeln!(f, "  {bytes:>12.0} bytes of that for each connection")?;
            }
        }
        if let Some(cores) = self.client_cores {
            writeln!(f, "  {cores:>12.2} cores of these clients")?;
        }
        if let Some(events) = self.events_watched {
            writeln!(f, "  {events:>12} events heard by watchers")?;
        }
        writeln!(f, "  {:>12} lost\n  {:>12} surplus", self.lost, self.surplus)?;
        write!(f, "  {:>12} errors", self.errors)?;
        self.first_errors.iter().try_for_each(|error| write!(f, "\n               {error}"))
    }
}
