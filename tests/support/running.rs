//! The command as a process of its own.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::{
    fs,
    fs::File,
    io::{self, BufRead, BufReader, Lines, Read},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
};

pub fn signalpost() -> Command {
    Command::new(env!("CARGO_BIN_EXE_signalpost"))
}

/// On free ports of this machine.
pub fn anywhere() -> Command {
    let mut command = signalpost();
    command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    command
}

/// A server that has greeted. It is killed when dropped.
pub struct Running {
    pub child: Child,
    pub greeting: Vec<String>,
    log: Lines<BufReader<Box<dyn Read + Send>>>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Box::new(child.stderr.take().unwrap());
        Self::greeted(child, log)
    }

    /// Its log goes to a file, and fills no pipe where nobody reads it.
    pub fn logging_to(file: File, command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        Self::greeted(child, Box::new(io::empty()))
    }

    fn greeted(mut child: Child, log: Box<dyn Read + Send>) -> Self {
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = BufReader::new(log).lines();
        Self { child, greeting: lines.take(5).map(Result::unwrap).collect(), log }
    }

    /// Where browsers connect.
    pub fn http(&self) -> SocketAddr {
        let port = self.greeting[1].split("localhost:").nth(1).unwrap();
        let port: u16 = port.split(['/', ' ']).next().unwrap().parse().unwrap();
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    pub fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.http()).unwrap()
    }

    /// Where administrators connect.
    pub fn admin(&self) -> SocketAddr {
        self.greeting[2].split_whitespace().last().unwrap().parse().unwrap()
    }

    /// What it takes of the machine's memory now (proc(5)).
    pub fn resident_bytes(&self) -> usize {
        self.memory("VmRSS:")
    }

    /// The most that it took at any time.
    pub fn most_resident_bytes(&self) -> usize {
        self.memory("VmHWM:")
    }

    fn memory(&self, kind: &str) -> usize {
        self.status(kind).trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        self.status("Threads:").parse().unwrap()
    }

    fn status(&self, kind: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        status.lines().find_map(|line| line.strip_prefix(kind)).unwrap().trim().to_owned()
    }

    /// How many sockets it has.
    pub fn sockets(&self) -> usize {
        let files = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let files = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
        files.filter(|file| file.to_string_lossy().starts_with("socket:")).count()
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// The next log line, until the process ends.
    pub fn next_log(&mut self) -> Option<String> {
        self.log.next().map(Result::unwrap)
    }

    /// The next log line that says so.
    pub fn logs(&mut self, words: &str) -> String {
        let mut lines = self.log.by_ref().map(Result::unwrap);
        lines.find(|line| line.contains(words)).expect("the process lives until it is said")
    }

    /// Stops it as an operator would: what it logged, and had not told by then.
    pub fn stop(mut self) -> Vec<String> {
        self.signal("-TERM");
        self.log.by_ref().map(Result::unwrap).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
