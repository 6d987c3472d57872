//! The measured time: what is counted in it, what the server took meanwhile, and the progress shown.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use super::{
    Fault, Options, Report, ServerCost, process,
    report::{Latency, micros},
    swarm::Swarm,
};

/// The longest latency told apart from longer ones, in nanoseconds.
const LONGEST: u64 = 100_000_000_000;

/// Counts and times, from the end of the warm-up on.
#[derive(Debug)]
pub(super) struct Measure<'a> {
    options: &'a Options,
    stop: &'a AtomicBool,
    unit: &'static str,
    begun: Instant,
    /// When the warm-up ended.
    open: Option<Instant>,
    ended: Option<Instant>,
    shown: Instant,
    nanos: Histogram<u64>,
    /// Of this second only, for the progress; it joins the others when the second is over.
    recent: Histogram<u64>,
    late: Histogram<u64>,
    count: u64,
    recent_count: u64,
    server: Cpu,
    client: Cpu,
}

/// Messages between clients, counted by each who is to get them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) sent: u64,
    pub(super) got: u64,
}

/// CPU time of a process at both ends of the measured time.
#[derive(Debug, Default)]
struct Cpu {
    process: Option<String>,
    from: Duration,
    to: Duration,
}

impl<'a> Measure<'a> {
    /// Begins now, with the warm-up.
    pub(super) fn begin(
        options: &'a Options,
        stop: &'a AtomicBool,
        unit: &'static str,
    ) -> Result<Self, Fault> {
        let histogram = || Histogram::new_with_max(LONGEST, 3).expect("constant bounds");
        let (server, client) = (options.pid.map(|pid| pid.to_string()), Some("self".to_owned()));
        let now = Instant::now();
        let mut measure = Self {
            options,
            stop,
            unit,
            begun: now,
            open: None,
            ended: None,
            shown: now,
            nanos: histogram(),
            recent: histogram(),
            late: histogram(),
            count: 0,
            recent_count: 0,
            server: Cpu { process: server, ..Cpu::default() },
            client: Cpu { process: client, ..Cpu::default() },
        };
        measure.server.read().map_err(|error| {
            let pid = options.pid.unwrap_or_default();
            Fault::Process { pid, error }
        })?;
        Ok(measure)
    }

    /// To be called in each turn of a scenario's loop; false once the time is over.
    pub(super) fn goes_on(&mut self) -> bool {
        let now = Instant::now();
        if now - self.shown >= Duration::from_secs(1) {
            self.show(now);
        }
        let over = match self.open {
            None if now - self.begun >= self.options.warm_up => {
                self.settle();
                (self.open, self.shown) = (Some(now), now);
                // A process that is gone shows in the connections, too.
                let _ = (self.server.begin(), self.client.begin());
                false
            }
            None => false,
            Some(open) => now - open >= self.options.seconds,
        };
        let goes_on = !over && !self.is_stopped();
        if !goes_on {
            self.ended = Some(now);
            let _ = (self.server.read(), self.client.read());
        }
        goes_on
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Counts one, which took `nanos`.
    pub(super) fn record(&mut self, nanos: u64) {
        self.recent_count += 1;
        self.recent.saturating_record(nanos.max(1));
    }

    /// Notes that a message was sent this much later than the rate wants.
    pub(super) fn record_late(&mut self, nanos: u64) {
        if self.open.is_some() {
            self.late.saturating_record(nanos.max(1));
        }
    }

    /// What came out. The tally is the scenario's to know.
    pub(super) fn report(mut self, swarm: &Swarm, message_bytes: usize, tally: Tally) -> Report {
        self.settle();
        let end = self.ended.unwrap_or_else(Instant::now);
        let seconds = self.open.map_or(0.0, |open| (end - open).as_secs_f64());
        let by = |amount: f64, unit: f64| if unit > 0.0 { amount / unit } else { 0.0 };
        let server = self.server.process.as_deref().map(|process| ServerCost {
            cpu_us_per_unit: by(self.server.used() * 1e6, self.count as f64),
            cores: by(self.server.used(), seconds),
            rss_bytes: process::resident(process).unwrap_or_default(),
            rss_bytes_per_connection: None,
        });
        Report {
            scenario: clap::ValueEnum::to_possible_value(&self.options.scenario)
                .map_or_else(String::new, |value| value.get_name().to_owned()),
            rooms: self.options.rooms(),
            members: self.options.members(),
            rate: self.options.rate,
            unit: self.unit,
            count: self.count,
            per_second: by(self.count as f64, seconds),
            seconds,
            interrupted: self.is_stopped(),
            message_bytes,
            latency: Latency::of(&self.nanos),
            late_p99_us: (self.options.rate > 0).then(|| micros(self.late.value_at_quantile(0.99))),
            lost: tally.sent.saturating_sub(tally.got),
            // More than was sent comes from a server that echoes to the sender, or makes some up.
            surplus: swarm.surplus + tally.got.saturating_sub(tally.sent),
            errors: swarm.faults.count,
            first_errors: swarm.faults.first.clone(),
            server,
            client_cores: (self.client.to > Duration::ZERO)
                .then(|| by(self.client.used(), seconds)),
            events_watched: None,
        }
    }

    /// One line on standard error, over the second that passed.
    fn show(&mut self, now: Instant) {
        let per_second = self.recent_count as f64 / (now - self.shown).as_secs_f64();
        let Latency { p50_us, p99_us, .. } = Latency::of(&self.recent);
        let warming = if self.open.is_some() { "" } else { "  (warm-up)" };
        progress(format_args!(
            "{:4.0} s  {per_second:9.0} {} a second  p50 {p50_us:.0} us  p99 {p99_us:.0} us{warming}",
            (now - self.begun).as_secs_f64(),
            self.unit,
        ));
        self.shown = now;
        self.settle();
    }

    fn settle(&mut self) {
        if self.open.is_some() {
            self.count += self.recent_count;
            self.nanos.add(&self.recent).expect("the same bounds");
        }
        self.recent_count = 0;
        self.recent.reset();
    }
}

impl Cpu {
    fn begin(&mut self) -> io::Result<()> {
        self.read()?;
        self.from = self.to;
        Ok(())
    }

    fn read(&mut self) -> io::Result<()> {
        if let Some(process) = &self.process {
            self.to = process::cpu(process)?;
        }
        Ok(())
    }

    fn used(&self) -> f64 {
        self.to.saturating_sub(self.from).as_secs_f64()
    }
}

/// Shows how far it is. A closed standard error is no reason not to measure.
pub(super) fn progress(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}
