//! Redis as processes of its own: one server, or a Cluster of three masters. They end when dropped.

use std::{fs, io::ErrorKind, net::TcpListener, process::Stdio, time::Duration};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::sleep,
};

use crate::support::within;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Standalone,
    Cluster,
}

pub(crate) struct Redis {
    kind: Kind,
    servers: Vec<Server>,
}

impl Redis {
    pub(crate) async fn start(kind: Kind) -> Self {
        let mut servers = Vec::new();
        for _ in 0..if kind == Kind::Cluster { 3 } else { 1 } {
            servers.push(Server::anywhere(kind).await);
        }
        let redis = Self { kind, servers };
        if kind == Kind::Cluster {
            let addresses = redis.servers.iter().map(|server| format!("127.0.0.1:{}", server.port));
            let make = ["--cluster-yes", "--cluster", "create"].map(str::to_owned);
            cli(make.into_iter().chain(addresses)).await;
            redis.is_whole().await;
        }
        redis
    }

    /// What a node needs to find it.
    pub(crate) fn flags(&self) -> Vec<String> {
        let url = format!("redis://127.0.0.1:{}", self.servers[0].port);
        let mut flags = vec!["--redis-url".to_owned(), url];
        if self.kind == Kind::Cluster {
            flags.push("--redis-cluster".to_owned());
        }
        flags
    }

    /// Stops it as an operator would: everything is on its disk then.
    pub(crate) async fn stop(&mut self) {
        self.signal("-TERM").await;
        for server in &mut self.servers {
            within(server.process.wait()).await.unwrap();
        }
    }

    /// Stands still until it [goes on](Redis::go_on): connections stay, and nothing is answered.
    pub(crate) async fn pause(&self) {
        self.signal("-STOP").await;
    }

    pub(crate) async fn go_on(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, name: &str) {
        for server in &self.servers {
            let id = server.process.id().unwrap().to_string();
            let told = Command::new("kill").args([name, &id]).status().await;
            assert!(told.unwrap().success());
        }
    }

    /// Removes what it knew, while it is stopped. A Cluster still knows its masters.
    pub(crate) fn forget(&mut self) {
        for server in &self.servers {
            fs::remove_dir_all(server.folder.path().join("appendonlydir")).unwrap();
        }
    }

    /// After a stop.
    pub(crate) async fn start_again(&mut self) {
        for server in &mut self.servers {
            (server.process, server.log) = spawn(self.kind, server.port, &server.folder);
            assert!(server.says("Ready to accept connections").await, "it does not start again");
        }
        if self.kind == Kind::Cluster {
            self.is_whole().await;
        }
    }

    /// Waits until every server of a Cluster takes another one for this, and for alive.
    async fn know(&self, port: u16, role: &str) {
        for server in &self.servers {
            knows(server.port, port, role).await;
        }
    }

    /// Waits until every server of a Cluster takes that for whole.
    async fn is_whole(&self) {
        let being_whole = async {
            for server in &self.servers {
                let ask = format!("-p {} CLUSTER INFO", server.port);
                let ask = async || cli(ask.split(' ').map(str::to_owned)).await;
                while !ask().await.contains("cluster_state:ok") {
                    sleep(Duration::from_millis(20)).await;
                }
            }
        };
        within(being_whole).await;
    }

    /// A replica of the server that has the log, that has all by the time this returns.
    pub(crate) async fn replica(&self) -> Replica {
        let master = self.servers[self.place_of_the_log().await].port;
        // It would wait for other replicas first.
        let at_once = format!("-p {master} CONFIG SET repl-diskless-sync-delay 0");
        cli(at_once.split(' ').map(str::to_owned)).await;
        let mut server = Server::anywhere(self.kind).await;
        let tell = async |words: String| {
            let words = format!("-p {} {words}", server.port);
            cli(words.split(' ').map(str::to_owned)).await
        };
        if self.kind == Kind::Cluster {
            let id = cli(format!("-p {master} CLUSTER MYID").split(' ').map(str::to_owned)).await;
            tell(format!("CLUSTER MEET 127.0.0.1 {master}")).await;
            // Until it has heard of that one.
            while tell(format!("CLUSTER REPLICATE {}", id.trim())).await.trim() != "OK" {
                sleep(Duration::from_millis(20)).await;
            }
            // Otherwise nobody would take its word when it is a master.
            self.know(server.port, "slave").await;
            // It hears of the others from its master, which may be gone when it starts again.
            for other in &self.servers {
                knows(server.port, other.port, "master").await;
            }
            self.is_whole().await;
        } else {
            tell(format!("REPLICAOF 127.0.0.1 {master}")).await;
        }
        assert!(server.says("sync: Finished with success").await, "the replica has no data");
        assert!(server.says("Background AOF rewrite finished").await, "the replica keeps no data");
        Replica(server)
    }

    /// Masters of a Cluster have a third of the slots each, in their order.
    async fn place_of_the_log(&self) -> usize {
        if self.kind == Kind::Standalone {
            return 0;
        }
        let slot = format!("-p {} CLUSTER KEYSLOT {{signalpost}}:log", self.servers[0].port);
        let slot: usize = cli(slot.split(' ').map(str::to_owned)).await.trim().parse().unwrap();
        slot * self.servers.len() / 16_384
    }

    /// The first server dies, and a replica of it answers in its place with what that has.
    pub(crate) async fn is_replaced_by(&mut self, Replica(replica): Replica) {
        let master = &mut self.servers[0];
        within(master.process.kill()).await.unwrap();
        let port = master.port;
        let move_here = format!("-p {} CONFIG SET port {port}", replica.port);
        cli(move_here.split(' ').map(str::to_owned)).await;
        *master = Server { port, ..replica };
    }

    /// The server of a Cluster that has the log dies, and a replica of it that was stopped takes its place.
    pub(crate) async fn fails_over_to(&mut self, Replica(mut replica): Replica) {
        let place = self.place_of_the_log().await;
        within(self.servers[place].process.kill()).await.unwrap();
        (replica.process, replica.log) = spawn(self.kind, replica.port, &replica.folder);
        assert!(replica.says("Ready to accept connections").await, "it does not start again");
        let port = replica.port;
        self.servers[place] = replica;
        // They take it for dead, too, until it is connected to them.
        self.know(port, "slave").await;
        let take = format!("-p {port} CLUSTER FAILOVER TAKEOVER");
        assert_eq!(cli(take.split(' ').map(str::to_owned)).await.trim(), "OK");
        self.know(port, "master").await;
        self.is_whole().await;
    }

    /// The first server dies and is started again from a copy of its disk that a replica has.
    pub(crate) async fn is_restored_from(&mut self, Replica(mut replica): Replica) {
        let master = &mut self.servers[0];
        within(master.process.kill()).await.unwrap();
        replica.stop().await;
        master.folder = replica.folder;
        (master.process, master.log) = spawn(self.kind, master.port, &master.folder);
        assert!(master.says("Ready to accept connections").await, "it does not start again");
    }

    /// Takes commands, and carries none out for so long.
    pub(crate) async fn holds_back(&self, milliseconds: u64) {
        for server in &self.servers {
            let pause = format!("-p {} CLIENT PAUSE {milliseconds} ALL", server.port);
            cli(pause.split(' ').map(str::to_owned)).await;
        }
    }

    /// Loses the inbox of a node, with the letters in it.
    pub(crate) async fn loses_the_inbox_of(&self, node: &str) {
        let delete = format!("-c -p {} DEL signalpost:{{{node}}}:inbox", self.servers[0].port);
        assert_eq!(cli(delete.split(' ').map(str::to_owned)).await.trim(), "1");
    }

    /// Ends every connection to it.
    pub(crate) async fn cut_connections(&self) {
        for server in &self.servers {
            let kill = format!("-p {} CLIENT KILL TYPE normal SKIPME yes", server.port);
            cli(kill.split(' ').map(str::to_owned)).await;
        }
    }

    /// Whether its memory is full.
    pub(crate) async fn take_no_more(&self, is_full: bool) {
        for server in &self.servers {
            let most = format!("-p {} CONFIG SET maxmemory {}", server.port, u8::from(is_full));
            cli(most.split(' ').map(str::to_owned)).await;
        }
    }
}

/// A server that follows another one. It ends when dropped.
pub(crate) struct Replica(Server);

impl Replica {
    /// Waits until it has what its master has by now.
    pub(crate) async fn has_all_of(&self, master: &Redis) {
        let port = master.servers[0].port.to_string();
        let mut client = Command::new("redis-cli");
        client.args(["-p", &port]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut client = client.spawn().unwrap();
        // It waits for what the same connection wrote.
        let words = b"SET mark 1\nWAIT 1 5000\n";
        client.stdin.take().unwrap().write_all(words).await.unwrap();
        let output = within(client.wait_with_output()).await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "OK\n1\n");
    }

    /// Takes nothing more from its master, and is one itself.
    pub(crate) async fn stands_alone(&self) {
        let alone = format!("-p {} REPLICAOF NO ONE", self.0.port);
        cli(alone.split(' ').map(str::to_owned)).await;
    }

    /// Takes nothing more from its master, and has all that it took on its disk.
    pub(crate) async fn stops(&mut self) {
        self.0.stop().await;
    }

    /// Stands still, or goes on.
    pub(crate) async fn signal(&self, signal: &str) {
        let id = self.0.process.id().unwrap().to_string();
        let told = Command::new("kill").args([signal, &id]).status().await;
        assert!(told.unwrap().success());
    }
}

struct Server {
    port: u16,
    folder: TempDir,
    process: Child,
    log: Lines<BufReader<ChildStdout>>,
}

impl Server {
    async fn anywhere(kind: Kind) -> Self {
        // Somebody else may take the port in between.
        for _ in 0..10 {
            let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
            let (process, log) = spawn(kind, port, &folder);
            let mut server = Self { port, folder, process, log };
            if server.says("Ready to accept connections").await {
                return server;
            }
        }
        panic!("redis-server does not start on any of ten free ports; run it by hand to see why");
    }

    async fn stop(&mut self) {
        let id = self.process.id().unwrap().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(told.unwrap().success());
        within(self.process.wait()).await.unwrap();
    }

    /// Waits until it logs these words. False: it ended before it did.
    async fn says(&mut self, words: &str) -> bool {
        while let Some(line) = within(self.log.next_line()).await.unwrap() {
            if line.contains(words) {
                return true;
            }
        }
        false
    }
}

fn spawn(kind: Kind, port: u16, folder: &TempDir) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--appendonly", "yes", "--save", "", "--dir"]).arg(folder.path());
    if kind == Kind::Cluster {
        command.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]);
        // Tests say when.
        command.args(["--cluster-replica-no-failover", "yes"]);
    }
    let spawned = command.stdout(Stdio::piped()).kill_on_drop(true).spawn();
    let mut process = spawned.unwrap_or_else(|error| panic!("{}", missing(&error)));
    let log = BufReader::new(process.stdout.take().unwrap()).lines();
    (process, log)
}

/// Waits until a server of a Cluster takes another one for this, and for alive.
async fn knows(port: u16, other: u16, role: &str) {
    let ask = async |port: u16, words: &str| {
        cli(format!("-p {port} CLUSTER {words}").split(' ').map(str::to_owned)).await
    };
    let id = ask(other, "MYID").await;
    let is_known = |nodes: String| {
        let node = nodes.lines().find(|node| node.starts_with(id.trim())).unwrap_or_default();
        let flags: Vec<_> = node.split(' ').nth(2).unwrap_or_default().split(',').collect();
        flags.contains(&role) && !flags.iter().any(|flag| flag.starts_with("fail"))
    };
    let knowing = async {
        while !is_known(ask(port, "NODES").await) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    within(knowing).await;
}

/// What it prints.
async fn cli(arguments: impl Iterator<Item = String>) -> String {
    let output = within(Command::new("redis-cli").args(arguments).output()).await;
    let output = output.unwrap_or_else(|error| panic!("{}", missing(&error)));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn missing(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            "redis-server and redis-cli are missing: install redis-server, 7 or \
                                newer; tests/all.sh does so"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

/// One that is free, as is the one of a Cluster's own talk, 10,000 above. Both are below those that the system gives
/// to connections.
fn free_port() -> u16 {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(10_000..22_000))
        .find(|port| free(port) && free(&(port + 10_000)))
        .unwrap()
}
