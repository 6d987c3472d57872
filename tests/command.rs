//! The command as an operator runs it: its variables and its signals.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

/// A server that has greeted. It is killed when dropped.
struct Running {
    child: Child,
    greeting: Vec<String>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, greeting: lines.take(5).map(Result::unwrap).collect() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signalpost() -> Command {
    Command::new(env!("CARGO_BIN_EXE_signalpost"))
}

#[test]
fn variables_from_a_file_with_carriage_returns_are_taken() {
    let running = Running::start(
        signalpost()
            .env("SIGNALPOST_LISTEN", "127.0.0.1:0, \r")
            .env("SIGNALPOST_ADMIN_LISTEN", " 127.0.0.1:0\r")
            .env("SIGNALPOST_ICE_SERVER", "stun:a,  turn:u:s@b,\r")
            .env("PORT", "\r")
            .env("SIGNALPOST_TLS_CERT", "")
            .env("SIGNALPOST_LOG", "info\r"),
    );
    assert!(running.greeting[1].contains("http://localhost:"), "{:?}", running.greeting);
}

#[test]
fn what_is_refused_shows_what_cannot_be_seen() {
    for (name, value, shown) in [
        ("SIGNALPOST_MAX_MEMBERS", "5\r5\r", r"'5\r5'"),
        ("SIGNALPOST_CLIENT_DIR", "/no\rwhere", r#""/no\rwhere""#),
        ("SIGNALPOST_LOG", "in\rfo", r#""in\rfo""#),
    ] {
        let output = signalpost().env(name, value).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains(shown), "{name}: {said}");
    }
}
