//! The command as a process of its own.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::{
    io::{BufRead, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStderr, Command, Stdio},
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
    log: Lines<BufReader<ChildStderr>>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, greeting: lines.take(5).map(Result::unwrap).collect(), log }
    }

    /// Where browsers connect.
    pub fn tcp(&self) -> TcpStream {
        let port = self.greeting[1].split("localhost:").nth(1).unwrap();
        let port: u16 = port.split(' ').next().unwrap().parse().unwrap();
        TcpStream::connect(("127.0.0.1", port)).unwrap()
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
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
