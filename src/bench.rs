//! `signalpost bench`: many clients of the browser protocol in one thread, which load a server, and time what
//! arrives. Each message must come once and in order; the first of each kind on a connection is compared with
//! what was sent.
//!
//! The framing is done by hand and a message is told apart by its first bytes, so that a client costs less
//! than a server and the server is what is measured.

mod faults;
mod frame;
mod measure;
mod options;
mod process;
mod report;
mod scenario;
mod swarm;
mod target;
mod text;
mod watchers;

use std::{io, sync::atomic::AtomicBool};

pub use options::{Options, Scenario};
pub use report::{Latency, Report, ServerCost};

/// Why nothing could be measured. Each text names the mend.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Flags that cannot hold together, or with this system.
    #[error("{0}")]
    Contradiction(String),
    /// Not the URL of a WebSocket.
    #[error("{url} is no URL to measure: {mend}")]
    Url {
        /// As it was given.
        url: String,
        /// What to give.
        mend: String,
    },
    /// Nothing answers.
    #[error("{url} cannot be reached ({error}); {mend}")]
    Unreachable {
        /// As it was given.
        url: String,
        /// What the system says.
        error: io::Error,
        /// What to do.
        mend: &'static str,
    },
    /// The clients did not all get a seat.
    #[error("{joined} of {wanted} clients joined, then no more: {why}")]
    Join {
        /// Those who did.
        joined: usize,
        /// Those who should have.
        wanted: usize,
        /// The first fault.
        why: String,
    },
    /// --pid names no process whose figures can be read.
    #[error("--pid {pid}: {error}; give the number of a process of yours on this machine (Linux)")]
    Process {
        /// As it was given.
        pid: u32,
        /// What the system says.
        error: io::Error,
    },
    /// The admin API does not answer.
    #[error("--admin {address} cannot be watched ({error}); give the server's --admin-listen")]
    Watch {
        /// As it was given.
        address: String,
        /// What went wrong.
        error: String,
    },
    /// The system refuses what a load test needs.
    #[error("this system refuses: {0}")]
    System(#[from] io::Error),
}

impl Fault {
    /// Whether other flags would help.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Contradiction(_) | Self::Url { .. })
    }
}

/// Measures what `options` say. Ends early, with the figures so far, once `stop` is set.
///
/// # Errors
/// [`Fault`]. What goes wrong later, under load, is counted in the [`Report`].
pub fn run(options: &Options, stop: &AtomicBool) -> Result<Report, Fault> {
    let target = options.check()?;
    let address = target.reach()?;
    let watchers = watchers::attach(options)?;
    let report = scenario::run(options, &target, address, stop)?;
    Ok(Report { events_watched: watchers.map(watchers::Watchers::end), ..report })
}
