//! Log lines: ids and counts, never payloads, on standard error.

use std::{
    fmt::Display,
    io::{self, IsTerminal},
    sync::atomic::{AtomicU64, Ordering},
};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt, prelude::*};

use crate::config::{Config, LogFormat};

/// Libraries whose finer lines hold what browsers and administrators say.
const PAYLOADS: [&str; 5] = ["tungstenite", "tokio_tungstenite", "h2", "hyper", "tonic"];

/// Starts logging for the whole process.
///
/// # Errors
/// A text that names the flag, if its filter cannot be read.
pub fn start(config: &Config) -> Result<(), String> {
    let registry =
        tracing_subscriber::registry().with(filter(&config.log)?).with(filter_fn(|line| {
            !PAYLOADS.iter().any(|from| line.target().starts_with(from))
                || *line.level() <= Level::INFO
        }));
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Human => registry.with(lines.with_target(false)).init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).init(),
    }
    Ok(())
}

fn filter(directives: &str) -> Result<EnvFilter, String> {
    let refuse = |why: &dyn Display| {
        Err(format!("--log {directives:?} is no filter ({why}); use a level such as info or debug"))
    };
    // The library would take a misspelt level for the name of a module, and log nothing.
    let words = directives.split(',').map(str::trim).filter(|word| !word.contains(['=', '[']));
    for word in words {
        if word.parse::<LevelFilter>().is_err() || word.is_empty() {
            return refuse(&format!("{word:?} is no level"));
        }
    }
    EnvFilter::try_new(directives).or_else(|error| refuse(&error))
}

/// Something that any peer can bring about, however often: it is counted, and said now and then with the count.
#[derive(Debug)]
pub struct Tally {
    what: &'static str,
    times: AtomicU64,
    /// How many of them were said.
    said: AtomicU64,
}

impl Tally {
    /// Nothing was counted yet of what is said in these words.
    pub const fn new(what: &'static str) -> Self {
        Self { what, times: AtomicU64::new(0), said: AtomicU64::new(0) }
    }

    /// Counts once more.
    pub fn count(&self) {
        self.times.fetch_add(1, Ordering::Relaxed);
    }

    /// Says how often it was counted since it was last said, if at all.
    pub fn say(&self) {
        let all = self.times();
        let times = all.saturating_sub(self.said.fetch_max(all, Ordering::Relaxed));
        if times > 0 {
            tracing::warn!(times, "{}", self.what);
        }
    }

    /// How often it was counted in all.
    pub fn times(&self) -> u64 {
        self.times.load(Ordering::Relaxed)
    }
}
