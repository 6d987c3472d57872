//! What the clients do: each scenario is a loop over the swarm's events.

use std::{
    net::SocketAddr,
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use super::{
    Fault, Options, Report, Scenario,
    measure::{Measure, Tally, progress},
    process,
    swarm::{Event, Swarm},
    target::Target,
    text::Kind,
};

/// How long to wait for sockets at most before looking at the clock.
const TURN: Duration = Duration::from_millis(10);
/// Without any progress for so long, nothing more will come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many connections are made at a time.
const JOINING: usize = 128;
/// Messages to hear in a call, by both sides: offer, answer, and 4 candidates after each.
const CALL_MESSAGES: u8 = 10;

pub(super) fn run(
    options: &Options,
    target: &Target,
    address: SocketAddr,
    stop: &AtomicBool,
) -> Result<Report, Fault> {
    let connections = options.rooms() * options.members();
    let mut swarm = Swarm::new(target, address, connections, options.members())?;
    let unit = match options.scenario {
        Scenario::Candidates | Scenario::Offers => "messages",
        Scenario::FanOut => "deliveries",
        Scenario::Calls => return calls(&mut swarm, Measure::begin(options, stop, "calls")?),
        Scenario::Idle => return idle(&mut swarm, options, stop),
    };
    let joined = join_all(&mut swarm, options, stop)?;
    let measure = Measure::begin(options, stop, unit)?;
    if joined < connections {
        return Ok(measure.report(&swarm, 0, Tally::default()));
    }
    Ok(match (options.scenario, options.rate) {
        (Scenario::FanOut, 0) => fan_out_as_answered(&mut swarm, options, measure),
        (Scenario::FanOut, rate) => {
            at_rate(&mut swarm, Kind::Message, options.members(), rate, measure)
        }
        (scenario, rate) => {
            let kind = if scenario == Scenario::Offers { Kind::Offer } else { Kind::Candidate };
            match rate {
                0 => pass_as_answered(&mut swarm, kind, options.outstanding, measure),
                rate => at_rate(&mut swarm, kind, 1, rate, measure),
            }
        }
    })
}

/// Opens and seats every connection, some at a time. Returns how many; all, unless it was stopped.
fn join_all(swarm: &mut Swarm, options: &Options, stop: &AtomicBool) -> Result<usize, Fault> {
    let (mut begun, mut joined, mut events) = (0, 0, Vec::new());
    let (mut last, mut shown) = (Instant::now(), Instant::now());
    let failed = |joined, swarm: &Swarm, why: String| {
        let why = swarm.faults.first.first().cloned().unwrap_or(why);
        Fault::Join { joined, wanted: swarm.len(), why }
    };
    while joined < swarm.len() && !stop.load(std::sync::atomic::Ordering::Relaxed) {
        while begun < swarm.len() && begun - joined < JOINING {
            swarm.open(begun, begun / options.members());
            begun += 1;
        }
        swarm.poll(TURN, &mut events);
        let before = joined;
        joined += events.drain(..).filter(|event| matches!(event, Event::Joined(_))).count();
        if joined > before {
            last = Instant::now();
        }
        if swarm.faults.count > 0 {
            return Err(failed(joined, swarm, String::new()));
        }
        if last.elapsed() > PATIENCE {
            let why = "no answer for 10 s; the server may be overloaded, or speak another protocol";
            return Err(failed(joined, swarm, why.to_owned()));
        }
        if shown.elapsed() > Duration::from_secs(1) {
            shown = Instant::now();
            progress(format_args!("{joined} of {} joined", swarm.len()));
        }
    }
    Ok(joined)
}

/// Pairs bounce messages: each that arrives is answered with one like it.
fn pass_as_answered(
    swarm: &mut Swarm,
    kind: Kind,
    outstanding: usize,
    mut measure: Measure<'_>,
) -> Report {
    let (mut events, mut tally) = (Vec::new(), Tally::default());
    for nth in 0..outstanding {
        for i in (nth % 2..swarm.len()).step_by(2) {
            swarm.send(i, kind);
            tally.sent += 1;
        }
    }
    while measure.goes_on() {
        swarm.poll(TURN, &mut events);
        for event in events.drain(..) {
            if let Event::Passed { to, latency, .. } = event {
                tally.got += 1;
                measure.record(latency);
                swarm.send(to, kind);
                tally.sent += 1;
            }
        }
    }
    drain(swarm, &mut tally);
    measure.report(swarm, swarm.message_bytes(kind), tally)
}

/// Every `step`th connection sends in its turn, whether or not others have arrived. Latency counts from the
/// moment a message was really sent; how late that was is told apart.
fn at_rate(
    swarm: &mut Swarm,
    kind: Kind,
    step: usize,
    rate: u32,
    mut measure: Measure<'_>,
) -> Report {
    let receivers = if kind == Kind::Message { step as u64 - 1 } else { 1 };
    let (mut events, mut sends, mut tally) = (Vec::new(), 0, Tally::default());
    let (senders, begun) = (swarm.len() / step, swarm.now());
    let mut sender = 0;
    let due = |sends: u64| begun + sends * 1_000_000_000 / u64::from(rate);
    while measure.goes_on() {
        let now = swarm.now();
        if now >= due(sends) {
            measure.record_late(now - due(sends));
            swarm.send(sender * step, kind);
            sender = (sender + 1) % senders;
            sends += 1;
            tally.sent += receivers;
        }
        swarm.poll(wait(due(sends).saturating_sub(swarm.now())), &mut events);
        for event in events.drain(..) {
            if let Event::Passed { latency, .. } = event {
                tally.got += 1;
                measure.record(latency);
            }
        }
    }
    drain(swarm, &mut tally);
    measure.report(swarm, swarm.message_bytes(kind), tally)
}

/// The system waits in whole milliseconds: the last one passes awake.
fn wait(nanos: u64) -> Duration {
    Duration::from_nanos(nanos).saturating_sub(Duration::from_millis(1)).min(TURN)
}

/// In each room one sends to all others; the next goes out when all of them have it.
fn fan_out_as_answered(swarm: &mut Swarm, options: &Options, mut measure: Measure<'_>) -> Report {
    let members = options.members();
    let others = members as u64 - 1;
    let (mut events, mut tally) = (Vec::new(), Tally::default());
    let mut arrived = vec![0_u64; options.rooms()];
    for _ in 0..options.outstanding {
        for room in 0..options.rooms() {
            swarm.send(room * members, Kind::Message);
            tally.sent += others;
        }
    }
    while measure.goes_on() {
        swarm.poll(TURN, &mut events);
        for event in events.drain(..) {
            if let Event::Passed { to, latency, .. } = event {
                tally.got += 1;
                measure.record(latency);
                let room = to / members;
                arrived[room] += 1;
                if arrived[room].is_multiple_of(others) {
                    swarm.send(room * members, Kind::Message);
                    tally.sent += others;
                }
            }
        }
    }
    drain(swarm, &mut tally);
    measure.report(swarm, swarm.message_bytes(Kind::Message), tally)
}

/// Waits for what is still on its way.
fn drain(swarm: &mut Swarm, tally: &mut Tally) {
    let (mut events, begun) = (Vec::new(), Instant::now());
    while tally.got < tally.sent && begun.elapsed() < PATIENCE {
        swarm.poll(TURN, &mut events);
        let came = events.drain(..).filter(|event| matches!(event, Event::Passed { .. })).count();
        tally.got += came as u64;
    }
}

/// One call after another in each slot of two connections.
#[derive(Debug, Clone, Copy, Default)]
struct Call {
    begun: u64,
    joined: u8,
    heard: u8,
    closed: u8,
}

fn calls(swarm: &mut Swarm, mut measure: Measure<'_>) -> Result<Report, Fault> {
    let mut calls = vec![Call::default(); swarm.len() / 2];
    let (mut events, mut rooms, mut last) = (Vec::new(), 0, Instant::now());
    let mut completed = false;
    let mut begin = |swarm: &mut Swarm, slot: usize| {
        rooms += 1;
        swarm.open(slot * 2, rooms);
        swarm.open(slot * 2 + 1, rooms);
        Call { begun: swarm.now(), ..Call::default() }
    };
    for (slot, call) in calls.iter_mut().enumerate() {
        *call = begin(swarm, slot);
    }
    while measure.goes_on() {
        swarm.poll(TURN, &mut events);
        for event in events.drain(..) {
            let slot = event.connection() / 2;
            let call = &mut calls[slot];
            call.advance(swarm, event);
            if call.closed == 2 {
                if call.heard == CALL_MESSAGES {
                    measure.record(swarm.now() - call.begun);
                    (completed, last) = (true, Instant::now());
                }
                *call = begin(swarm, slot);
            }
        }
        let why = swarm.faults.first.first().filter(|_| !completed);
        if let Some(why) = why {
            return Err(Fault::Join { joined: 0, wanted: swarm.len(), why: why.clone() });
        }
        if last.elapsed() > PATIENCE {
            swarm.faults.add(format_args!("no call was completed for 10 s"));
            last = Instant::now();
        }
    }
    Ok(measure.report(swarm, 0, Tally::default()))
}

impl Call {
    fn advance(&mut self, swarm: &mut Swarm, event: Event) {
        match event {
            Event::Joined(i) => {
                self.joined += 1;
                if self.joined == 2 {
                    swarm.send(i, Kind::Offer);
                }
            }
            Event::Passed { to, kind, .. } => {
                self.heard += 1;
                if kind == Kind::Offer {
                    swarm.send(to, Kind::Answer);
                }
                if kind == Kind::Offer || kind == Kind::Answer {
                    (0..4).for_each(|_| swarm.send(to, Kind::Candidate));
                }
                if self.heard == CALL_MESSAGES {
                    swarm.leave(to);
                    swarm.leave(to ^ 1);
                }
            }
            Event::Left(i) => swarm.close(i),
            Event::Closed(_) => self.closed += 1,
        }
    }
}

/// What sitting still costs: memory for each connection, and CPU time for each join.
fn idle(swarm: &mut Swarm, options: &Options, stop: &AtomicBool) -> Result<Report, Fault> {
    let process = options.pid.map(|pid| pid.to_string());
    let cost = || -> Result<_, Fault> {
        let Some((process, pid)) = process.as_deref().zip(options.pid) else { return Ok(None) };
        let both = process::cpu(process).and_then(|cpu| Ok((cpu, process::resident(process)?)));
        both.map(Some).map_err(|error| Fault::Process { pid, error })
    };
    let (before, begun) = (cost()?, Instant::now());
    let joined = join_all(swarm, options, stop)?;
    let (then, took) = (cost()?, begun.elapsed());
    let mut measure = Measure::begin(options, stop, "connections")?;
    let mut events = Vec::new();
    while measure.goes_on() {
        swarm.poll(TURN, &mut events);
        events.clear();
    }
    let after = cost()?;
    let mut report = measure.report(swarm, 0, Tally::default());
    let connections = joined as f64;
    report.count = joined as u64;
    report.per_second = connections / took.as_secs_f64();
    if joined == swarm.len()
        && let (Some(server), Some((cpu_before, rss_before)), Some((cpu, _)), Some((_, rss))) =
            (&mut report.server, before, then, after)
    {
        server.cpu_us_per_unit = (cpu - cpu_before).as_secs_f64() * 1e6 / connections;
        server.rss_bytes_per_connection = Some((rss as f64 - rss_before as f64) / connections);
    }
    Ok(report)
}
