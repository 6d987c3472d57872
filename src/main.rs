//! The `signalpost` command.

#![forbid(unsafe_code)]

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use signalpost::{
    bench,
    check_token::{self, NotChecked},
    config::{BasePath, Config},
    gen_token,
    server::{Addresses, Renewal, Server, runtime},
    telemetry,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
};

/// The system's allocator leaves holes between idle connections where their handshakes were: on one core
/// 4.5 kB for each of them, and 2.2 kB with this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    match words.next() {
        Some(word) if word == "bench" => return load(bench::Options::from_words(words)),
        Some(word) if word == "check-token" => {
            return check(check_token::Options::from_words(words));
        }
        Some(word) if word == "gen-token" => return make(gen_token::Options::from_words(words)),
        _ => {}
    }
    let config = match Config::from_command_line() {
        Ok(config) => config,
        // --help and --version are answers, not faults.
        Err(answer) if !answer.use_stderr() => answer.exit(),
        Err(fault) => return refuse(&one_line(&fault.render().to_string())),
    };
    if let Err(fault) = telemetry::start(&config) {
        return refuse(&fault);
    }
    // More connections than the usual soft limit of 1024 files; what the system grants is granted.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let runtime = runtime().expect("threads and an epoll instance");
    let code = runtime.block_on(serve(config));
    // Who still waits for a file, as on a mount that stalled, is not waited for.
    runtime.shutdown_background();
    code
}

async fn serve(config: Config) -> ExitCode {
    let hangups = signal(SignalKind::hangup()).expect("SIGHUP can be handled");
    let base_path = config.base_path.clone();
    let server = match Server::start(config).await {
        Ok(server) => server,
        Err(fault) => return refuse(&fault.to_string()),
    };
    let stop = stop_signal();
    tokio::spawn(reload_at(hangups, server.renewal()));
    // A closed standard output is no reason not to serve.
    let _ = greet(server.addresses(), &base_path);
    server.run(stop).await;
    ExitCode::SUCCESS
}

/// `signalpost bench`: 0 if all went well, 1 if not, 2 if the flags are at fault.
fn load(options: Result<bench::Options, clap::Error>) -> ExitCode {
    let options = match options {
        Ok(options) => options,
        Err(answer) if !answer.use_stderr() => answer.exit(),
        Err(fault) => return refuse_bench(&one_line(&fault.render().to_string())),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Runtime::new().expect("threads and an epoll instance");
    let stopped = Arc::clone(&stop);
    runtime.spawn(async move {
        stop_signal().await;
        stopped.store(true, Ordering::Relaxed);
    });
    match bench::run(&options, &stop) {
        Ok(report) => {
            let json = || serde_json::to_string(&report).expect("string keys and plain numbers");
            let text = if options.json { json() } else { report.to_string() };
            let _ = writeln!(io::stdout(), "{text}");
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(fault) if fault.is_usage() => refuse_bench(&fault.to_string()),
        Err(fault) => {
            let _ = writeln!(io::stderr(), "signalpost bench: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// `signalpost gen-token`: the token, and where it needs one, the server's line for it. Programs take one line each.
fn make(options: Result<gen_token::Options, clap::Error>) -> ExitCode {
    let made = match options {
        Ok(options) => options.make(),
        Err(answer) if !answer.use_stderr() => answer.exit(),
        Err(fault) => Err(one_line(&fault.render().to_string())),
    };
    match made {
        Ok(made) => {
            let written = writeln!(io::stdout(), "{}", made.text);
            let _ = writeln!(io::stderr(), "{}", made.hint);
            if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(fault) => {
            let _ = writeln!(io::stderr(), "signalpost gen-token: {fault} (see its --help)");
            ExitCode::from(2)
        }
    }
}

/// `signalpost check-token`: 0 if the token is taken, 1 if not, 2 if the flags are at fault.
fn check(options: Result<check_token::Options, clap::Error>) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("threads and an epoll instance");
    let checked = match options {
        Ok(options) => runtime.block_on(options.check()),
        Err(answer) if !answer.use_stderr() => answer.exit(),
        Err(fault) => Err(NotChecked::Usage(one_line(&fault.render().to_string()))),
    };
    let (fault, code) = match checked {
        Ok(said) => {
            let written = writeln!(io::stdout(), "{said:#}");
            return if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        Err(fault @ NotChecked::Refused(_)) => (fault, 1),
        Err(fault @ NotChecked::Usage(_)) => (fault, 2),
    };
    let _ = writeln!(io::stderr(), "signalpost check-token: {fault}");
    ExitCode::from(code)
}

/// Done at the first SIGINT or SIGTERM. The second ends the process at once, for those in a hurry.
fn stop_signal() -> impl Future<Output = ()> {
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be handled");
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be handled");
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    async move {
        next().await;
        tokio::spawn(async move {
            next().await;
            std::process::exit(1);
        });
    }
}

/// Reads anew at each SIGHUP what can be. It never ends the process, as a terminal's end or a habit of other
/// servers' operators would.
async fn reload_at(mut hangups: Signal, renewal: Renewal) {
    while hangups.recv().await.is_some() {
        if renewal.is_empty() {
            tracing::info!(
                "SIGHUP: no flag names keys or ICE servers in a file, so there is nothing to reload"
            );
        }
        // A file may be a while in coming.
        let renewal = renewal.clone();
        spawn_blocking(move || renewal.reload()).await.expect("nothing of it panics");
    }
}

fn greet(addresses: &Addresses, base_path: &BasePath) -> io::Result<()> {
    let Addresses { http, secure, admin, admin_secure, admin_kept } = addresses;
    let mut out = io::stdout().lock();
    let scheme = if *secure { "https" } else { "http" };
    writeln!(out, "Signalpost {}", env!("CARGO_PKG_VERSION"))?;
    for address in http {
        if address.ip().is_unspecified() {
            let port = address.port();
            writeln!(
                out,
                "  video chat  {scheme}://localhost:{port}{base_path}/  (every address, port {port})"
            )?;
        } else if address.ip().is_loopback() {
            let port = address.port();
            writeln!(out, "  video chat  {scheme}://localhost:{port}{base_path}/  ({address})")?;
        } else {
            writeln!(out, "  video chat  {scheme}://{address}{base_path}/")?;
        }
    }
    writeln!(out, "  admin gRPC  {admin}")?;
    writeln!(out, "Try it: open the video chat in two windows and join the same room, then")?;
    let plain = if *admin_secure { "" } else { "-plaintext " };
    // From the environment: arguments are shown by `ps`.
    let bearer = "-expand-headers -H 'authorization: Bearer ${TOKEN}' ";
    let token = if *admin_kept { bearer } else { "" };
    writeln!(out, "  grpcurl {plain}{token}{admin} signalpost.admin.v1.AdminService/ListRooms")?;
    out.flush()
}

/// What clap says over several lines, up to the usage.
fn one_line(fault: &str) -> String {
    let lines = fault.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let said = lines.collect::<Vec<_>>().join("; ");
    said.trim_start_matches("error: ").replace(":;", ":")
}

fn refuse(fault: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "signalpost: {fault} (see --help)");
    ExitCode::from(2)
}

fn refuse_bench(fault: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "signalpost bench: {fault} (see signalpost bench --help)");
    ExitCode::from(2)
}
