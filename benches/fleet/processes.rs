//! Redis and servers as processes of their own, and what each of them takes.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use redis::{Client, Cmd, Connection, IntoConnectionInfo};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::running::{Running, anywhere};

const HOST: &str = "127.0.0.1";
/// What servers send. Other commands are called inside their scripts.
const SENT: [&str; 8] =
    ["evalsha", "evalsha_ro", "eval", "eval_ro", "xread", "xtrim", "pexpire", "time"];

/// Several servers that share a Redis, or one that has none.
pub(crate) struct Fleet {
    pub(crate) nodes: Vec<Running>,
    pub(crate) redis: Option<Redis>,
}

impl Fleet {
    pub(crate) fn start(nodes: usize) -> Self {
        let redis = Redis::start();
        let url = format!("redis://{HOST}:{}", redis.port);
        // So seldom that what shows that a server lives is not counted with what is measured.
        let flags = ["--redis-url", &url, "--node-lease-seconds", "300"];
        Self { nodes: (0..nodes).map(|_| node(&flags)).collect(), redis: Some(redis) }
    }

    pub(crate) fn alone() -> Self {
        Self { nodes: vec![node(&[])], redis: None }
    }

    pub(crate) fn redis(&mut self) -> &mut Redis {
        self.redis.as_mut().expect("a fleet has one")
    }

    /// CPU time of all servers since they began, in microseconds.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.nodes.iter().map(cpu_us).sum()
    }

    /// What Redis took for each of so many operations, if there is one.
    pub(crate) fn spent_since(
        &mut self,
        before: Option<Spent>,
        operations: usize,
    ) -> Option<Spent> {
        Some(self.redis.as_mut()?.spent().since(&before?, operations))
    }

    /// Batches that were appended, and those that came too late.
    pub(crate) fn appends(&self) -> [u64; 2] {
        let of = |outcome| format!(r#"signalpost_fleet_appends_total{{outcome="{outcome}"}} "#);
        let counted = |outcome| self.redis.as_ref().map_or(0, |_| self.counted(&of(outcome)));
        ["appended", "conflict"].map(counted)
    }

    /// Waits until nobody is in a room.
    pub(crate) async fn is_empty(&self) {
        while self.counted("signalpost_members ") > 0 {
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// A figure of all servers together.
    fn counted(&self, series: &str) -> u64 {
        let of = |node: &Running| {
            let mut stream = TcpStream::connect(node.admin()).unwrap();
            let ask = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            stream.write_all(ask.as_bytes()).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix(series));
            line.unwrap_or_else(|| panic!("no {series}")).trim().parse::<u64>().unwrap()
        };
        self.nodes.iter().map(of).sum()
    }
}

fn node(flags: &[&str]) -> Running {
    let mut command = anywhere();
    // Who waits for the next round answers no ping.
    command.args(["--rate-limit", "0", "--max-members", "1000", "--ping-seconds", "3600"]);
    command.args(["--log", "warn"]).args(flags);
    Running::logging_to(File::create("/dev/null").unwrap(), &mut command)
}

fn cpu_us(node: &Running) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", node.child.id())).unwrap();
    let nanos = |task: std::io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<f64>().unwrap()
    };
    tasks.map(nanos).sum::<f64>() / 1000.0
}

/// One redis-server. It writes what it is told to its disk, as one should that is to be relied on.
pub(crate) struct Redis {
    port: u16,
    process: Child,
    connection: Connection,
    _folder: TempDir,
}

impl Redis {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((HOST, 0)).unwrap().local_addr().unwrap().port();
        let process = Command::new("redis-server")
            .args(["--bind", HOST, "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "yes"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server cannot be run; install it (Debian: redis-server)");
        let client = Client::open((HOST, port).into_connection_info().unwrap()).unwrap();
        let connection = loop {
            match client.get_connection() {
                Ok(connection) => break connection,
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        };
        Self { port, process, connection, _folder: folder }
    }

    pub(crate) fn ask<T: redis::FromRedisValue>(&mut self, words: &str) -> T {
        let mut command = Cmd::new();
        command.arg(words.split(' ').collect::<Vec<_>>());
        command.query(&mut self.connection).unwrap()
    }

    /// What it took since it began.
    pub(crate) fn spent(&mut self) -> Spent {
        let text: String = self.ask("INFO everything");
        let figures: BTreeMap<_, _> =
            text.lines().filter_map(|line| line.split_once(':')).collect();
        let number = |name: &str| figures[name].parse::<f64>().unwrap();
        let calls = |(name, figures): (&&str, &&str)| {
            let name = name.strip_prefix("cmdstat_")?;
            let calls = figures.strip_prefix("calls=")?.split(',').next()?;
            Some((name.to_owned(), calls.parse().unwrap()))
        };
        let mut commands: BTreeMap<String, f64> = figures.iter().filter_map(calls).collect();
        // Our own.
        commands.remove("info");
        Spent {
            commands,
            into: number("total_net_input_bytes"),
            out: number("total_net_output_bytes"),
            cpu_us: (number("used_cpu_user") + number("used_cpu_sys")) * 1e6,
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Commands by name, with those inside scripts; bytes into Redis and out of it; its CPU time.
#[derive(Debug, Clone)]
pub(crate) struct Spent {
    commands: BTreeMap<String, f64>,
    into: f64,
    pub(crate) out: f64,
    pub(crate) cpu_us: f64,
}

impl Spent {
    /// Commands that servers sent.
    fn sent(&self) -> f64 {
        let sent = self.commands.iter().filter(|(name, _)| SENT.contains(&name.as_str()));
        sent.map(|(_, calls)| calls).sum()
    }

    /// For each of so many operations. INFO itself, and what servers do when nothing happens, are less than a hundredth
    /// of a thousand of them.
    pub(crate) fn since(self, before: &Self, operations: usize) -> Self {
        let each = |now: f64, then: f64| (now - then) / operations as f64;
        let calls = |(name, calls): (String, f64)| {
            let then = before.commands.get(&name).copied().unwrap_or_default();
            (name, each(calls, then))
        };
        Self {
            commands: self.commands.into_iter().map(calls).collect(),
            into: each(self.into, before.into),
            out: each(self.out, before.out),
            cpu_us: each(self.cpu_us, before.cpu_us),
        }
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, carried_out) = (self.sent(), self.commands.values().sum::<f64>());
        write!(f, "{sent:.2} commands from nodes, {carried_out:.2} carried out, ")?;
        write!(
            f,
            "{:.0} B in, {:.0} B out, {:.0} us of Redis (",
            self.into, self.out, self.cpu_us
        )?;
        for (name, calls) in self.commands.iter().filter(|(_, calls)| **calls >= 0.05) {
            write!(f, " {name} {calls:.2}")?;
        }
        f.write_str(" )")
    }
}
