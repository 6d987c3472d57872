//! Real servers of Redis, alone or three as a Redis Cluster, on free ports, each with a folder of its own. All go with
//! the test.

#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use clap::Parser;
use redis::{
    Client, Cmd, FromRedisValue, IntoConnectionInfo, RedisConnectionInfo, RedisResult,
    from_redis_value,
};
use signalpost::{
    config::{RedisFlags, RedisUrl},
    store::{StartError, Store},
};
use tempfile::TempDir;

const HOST: &str = "127.0.0.1";
/// Below those that the system gives to connections; the ports of a cluster's own talk are 10,000 higher.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// One redis-server.
pub struct Redis {
    pub port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    process: Option<Child>,
}

/// What servers of Signalpost share: one Redis, or a cluster.
pub struct Shared {
    pub servers: Vec<Redis>,
    is_cluster: bool,
}

impl Redis {
    /// Takes connections once this returns.
    pub fn start(arguments: &[&str]) -> Self {
        for _ in 0..100 {
            let port = fastrand::u16(PORTS);
            let is_free = |port| TcpListener::bind((HOST, port)).is_ok();
            if !is_free(port) || !is_free(port + 10_000) {
                continue;
            }
            let own = ["--bind", HOST, "--save", "", "--appendonly", "yes"];
            let arguments = own.iter().chain(arguments).map(|word| (*word).to_owned()).collect();
            let folder = tempfile::tempdir().unwrap();
            let mut server = Self { port, folder, arguments, process: None };
            // Another one may have been quicker.
            if server.run().is_ok() {
                return server;
            }
        }
        panic!("no redis-server starts");
    }

    /// The same with TLS alone.
    pub fn start_with_tls(folder: &Path, certificate: &str, key: &str) -> Self {
        let (cert_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert_file, certificate).unwrap();
        std::fs::write(&key_file, key).unwrap();
        Self::start(&[
            "--tls",
            "--tls-cert-file",
            cert_file.to_str().unwrap(),
            "--tls-key-file",
            key_file.to_str().unwrap(),
            "--tls-auth-clients",
            "no",
        ])
    }

    fn run(&mut self) -> Result<(), String> {
        let mut command = Command::new("redis-server");
        let mut words: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let with_tls = words.iter().position(|word| *word == "--tls");
        let port = self.port.to_string();
        if let Some(at) = with_tls {
            words.splice(at..=at, ["--port", "0", "--tls-port"]);
            words.insert(at + 3, &port);
        } else {
            words.extend(["--port", &*port]);
        }
        command.args(words).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let missing = "redis-server cannot be run; install it (Debian: redis-server)";
        let mut process = command.spawn().expect(missing);
        let mut log = BufReader::new(process.stdout.take().unwrap());
        self.process = Some(process);
        let mut said = String::new();
        while !said.contains("Ready to accept connections") {
            let before = said.len();
            log.read_line(&mut said).unwrap();
            if said.len() == before {
                self.kill();
                return Err(said);
            }
        }
        thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(())
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
    }

    /// Starts it again, with its data.
    pub fn start_again(&mut self) {
        self.run().unwrap();
    }

    /// Sends a command of one's own, in a connection of its own.
    pub fn ask<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        self.ask_with(RedisConnectionInfo::default(), command)
    }

    /// The same with a password.
    pub fn ask_as<T: FromRedisValue>(&self, password: &str, command: &Cmd) -> RedisResult<T> {
        self.ask_with(RedisConnectionInfo::default().set_password(password), command)
    }

    fn ask_with<T: FromRedisValue>(
        &self,
        login: RedisConnectionInfo,
        command: &Cmd,
    ) -> RedisResult<T> {
        let info = (HOST, self.port).into_connection_info()?.set_redis_settings(login);
        let mut connection = Client::open(info)?.get_connection()?;
        let answer = redis::ConnectionLike::req_command(&mut connection, command)?;
        Ok(from_redis_value(answer.extract_error()?)?)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Shared {
    pub fn standalone() -> Self {
        Self { servers: vec![Redis::start(&[])], is_cluster: false }
    }

    /// Three masters.
    pub fn cluster() -> Self {
        let start = || thread::spawn(|| Redis::start(&["--cluster-enabled", "yes"]));
        let starting: Vec<_> = std::iter::repeat_with(start).take(3).collect();
        let servers: Vec<Redis> =
            starting.into_iter().map(|server| server.join().unwrap()).collect();
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]);
        create.args(servers.iter().map(|server| format!("{HOST}:{}", server.port)));
        let created = create.arg("--cluster-yes").output().expect("redis-cli comes with Redis");
        assert!(created.status.success(), "{created:?}");
        Self { servers, is_cluster: true }
    }

    /// The flags of a server of Signalpost that uses it.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments =
            vec!["--redis-url".to_owned(), format!("redis://{HOST}:{}", self.servers[0].port)];
        if self.is_cluster {
            arguments.push("--redis-cluster".into());
        }
        arguments
    }

    pub async fn store(&self) -> Store {
        self.store_with("").await.unwrap()
    }

    pub async fn store_with(&self, more: &str) -> Result<Store, StartError> {
        let (url, flags) = flags(&format!("{} {more}", self.arguments().join(" ")));
        Store::connect(&url, &flags).await
    }

    /// Sends a command of one's own to the server that has its key.
    pub fn ask<T: FromRedisValue>(&self, command: &Cmd) -> T {
        let mut answers = self.servers.iter().map(|server| server.ask(command));
        let here = |answer: &RedisResult<T>| {
            answer.as_ref().err().is_none_or(|error| error.code() != Some("MOVED"))
        };
        answers.find(here).expect("a server has the key").unwrap()
    }

    /// Sends a command to all of them.
    pub fn ask_all(&self, command: &Cmd) {
        for server in &self.servers {
            let _: redis::Value = server.ask(command).unwrap();
        }
    }

    /// Breaks every connection but the one that asks for it.
    pub fn break_connections(&self) {
        self.ask_all(redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal"));
    }
}

/// What flags mean.
pub fn flags(words: &str) -> (RedisUrl, RedisFlags) {
    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        redis: RedisFlags,
    }

    let words = ["signalpost"].into_iter().chain(words.split_whitespace());
    let flags = Flags::try_parse_from(words).unwrap().redis;
    (flags.redis_url.clone().unwrap(), flags)
}
