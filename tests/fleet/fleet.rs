//! Three nodes and their Redis.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use signalpost::admin::pb::{
    GetRoomRequest, ListBansRequest, Room, admin_service_client::AdminServiceClient, ban::Subject,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard},
    task::JoinSet,
    time::{sleep, timeout},
};
use tonic::{Response, Status, transport::Channel};

use crate::{
    redis::{Kind, Redis},
    running::{Running, anywhere},
    support::{Client, within},
};

/// How long a node's seats outlive it.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

/// Tests that measure time, or take all that the machine has, have it for themselves.
static MACHINE: RwLock<()> = RwLock::const_new(());

#[expect(dead_code, reason = "held, not read")]
enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// Nodes are asked for by their place: 0, 1, 2. All is killed when dropped, and what the nodes logged is shown where
/// the test failed.
pub(crate) struct Fleet {
    pub(crate) nodes: Vec<Node>,
    pub(crate) redis: Redis,
    folder: TempDir,
    _turn: Turn,
}

impl Fleet {
    pub(crate) async fn start(kind: Kind) -> Self {
        Self::with(kind, "").await
    }

    pub(crate) async fn with(kind: Kind, flags: &str) -> Self {
        Self::of(Turn::Shared(MACHINE.read().await), kind, flags).await
    }

    /// While nobody else uses the machine.
    pub(crate) async fn alone(kind: Kind) -> Self {
        Self::alone_with(kind, "").await
    }

    pub(crate) async fn alone_with(kind: Kind, flags: &str) -> Self {
        Self::of(Turn::Alone(MACHINE.write().await), kind, flags).await
    }

    /// Likewise; its nodes' seats outlive them by [`LEASE`] only.
    pub(crate) async fn mortal(kind: Kind) -> Self {
        let flags = format!("--node-lease-seconds {}", LEASE.as_secs());
        Self::of(Turn::Alone(MACHINE.write().await), kind, &flags).await
    }

    async fn of(turn: Turn, kind: Kind, flags: &str) -> Self {
        let (redis, folder) = (Redis::start(kind).await, tempfile::tempdir().unwrap());
        let mut fleet = Self { nodes: Vec::new(), redis, folder, _turn: turn };
        for name in ["a", "b", "c"] {
            let log = fleet.folder.path().join(name);
            fleet.nodes.push(Node::start(&log, &fleet.redis, flags));
        }
        fleet
    }

    /// Another node, whose clock is off, by a library that it loads before others. Returns its place.
    pub(crate) fn add_by_clock(&mut self, library: &str, offset: &str) -> usize {
        let (log, environment) = (
            self.folder.path().join(offset),
            [("LD_PRELOAD", library), ("FAKETIME", offset), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")],
        );
        self.nodes.push(Node::in_environment(&log, &self.redis, "", &environment));
        self.nodes.len() - 1
    }

    pub(crate) async fn client(&self, node: usize) -> Client {
        Client::connect(&self.nodes[node].url()).await
    }

    /// So many at one node.
    pub(crate) async fn clients(&self, node: usize, count: usize) -> Vec<Client> {
        let url = self.nodes[node].url();
        let connect = |_| {
            let url = url.clone();
            async move { Client::connect(&url).await }
        };
        within((0..count).map(connect).collect::<JoinSet<_>>().join_all()).await
    }

    /// A client of this node that sits in `room` already.
    pub(crate) async fn member(&self, node: usize, room: &str) -> Client {
        let mut client = self.client(node).await;
        client.join(room).await;
        client
    }

    pub(crate) async fn admin(&self, node: usize) -> AdminServiceClient<Channel> {
        self.nodes[node].admin().await
    }

    /// The room as each node shows it, by its place.
    pub(crate) async fn room(&self, node: usize, name: &str) -> Room {
        self.try_room(node, name).await.unwrap()
    }

    pub(crate) async fn try_room(&self, node: usize, name: &str) -> Result<Room, Status> {
        let request = GetRoomRequest { room_id: name.to_owned() };
        within(self.admin(node).await.get_room(request)).await.map(Response::into_inner)
    }

    /// The users that it keeps out, in the order of their names.
    pub(crate) async fn bans(&self, node: usize) -> Vec<String> {
        let listed = within(self.admin(node).await.list_bans(ListBansRequest::default())).await;
        let subjects = listed.unwrap().into_inner().bans.into_iter().filter_map(|ban| ban.subject);
        let mut users: Vec<_> = subjects
            .filter_map(|subject| match subject {
                Subject::UserId(user) => Some(user),
                _ => None,
            })
            .collect();
        users.sort();
        users
    }

    /// On every node the same sit in the room, in the same order.
    pub(crate) async fn agrees_on(&self, name: &str, members: &[&Client]) {
        let expected: Vec<_> = members.iter().map(|member| &*member.id).collect();
        for node in 0..self.nodes.len() {
            let room = self.room(node, name).await;
            assert_eq!(ids(&room), expected, "{name} on node {node}");
        }
    }

    /// On every node these sit in the room, in any order.
    pub(crate) async fn seats(&self, name: &str, members: impl Iterator<Item = &Client>) {
        let mut expected: Vec<_> = members.map(|member| &*member.id).collect();
        expected.sort_unstable();
        for node in 0..self.nodes.len() {
            let room = self.room(node, name).await;
            let mut shown = ids(&room);
            shown.sort_unstable();
            assert_eq!(shown, expected, "{name} on node {node}");
        }
    }
}

impl Drop for Fleet {
    #[expect(clippy::print_stdout, reason = "as part of what a failed test says")]
    fn drop(&mut self) {
        if thread::panicking() {
            for node in &self.nodes {
                let log = fs::read_to_string(&node.log).unwrap_or_default();
                let lines: Vec<_> = log.lines().collect();
                println!("{}:", node.log.display());
                println!("{}", lines[lines.len().saturating_sub(200)..].join("\n"));
            }
        }
    }
}

/// A process of its own.
pub(crate) struct Node {
    running: Running,
    log: PathBuf,
}

impl Node {
    fn start(log: &Path, redis: &Redis, flags: &str) -> Self {
        Self::in_environment(log, redis, flags, &[])
    }

    fn in_environment(
        log: &Path,
        redis: &Redis,
        flags: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = anywhere();
        command.envs(environment.iter().copied());
        command.args(["--rate-limit", "0", "--max-connections-per-address", "10000"]);
        // What Redis answered shows why a test failed.
        command.args(["--log", "signalpost=debug"]);
        command.args(redis.flags()).args(flags.split_whitespace());
        let running = Running::logging_to(File::create(log).unwrap(), &mut command);
        if running.greeting.len() < 5 {
            panic!("a node does not start: {}", fs::read_to_string(log).unwrap());
        }
        Self { running, log: log.to_owned() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.http()
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address())
    }

    pub(crate) async fn admin(&self) -> AdminServiceClient<Channel> {
        let url = format!("http://{}", self.running.admin());
        within(AdminServiceClient::connect(url)).await.unwrap()
    }

    /// The lines of its log that have these words.
    pub(crate) fn logged(&self, words: &str) -> String {
        let log = fs::read_to_string(&self.log).unwrap();
        log.lines().filter(|line| line.contains(words)).collect()
    }

    /// What it tells orchestrators.
    pub(crate) async fn is_ready(&self) -> bool {
        let mut stream = TcpStream::connect(self.running.admin()).await.unwrap();
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        answer.starts_with("HTTP/1.1 200")
    }

    /// Stands still until it [goes on](Node::go_on), as a virtual machine does that is moved.
    pub(crate) fn pause(&self) {
        self.running.signal("-STOP");
        // All of its threads have to take notice (proc(5)).
        let threads = format!("/proc/{}/task", self.running.child.id());
        let is_stopped = |thread: std::io::Result<fs::DirEntry>| {
            let stat = fs::read_to_string(thread.unwrap().path().join("stat")).unwrap();
            stat.rsplit(") ").next().unwrap().starts_with('T')
        };
        while !fs::read_dir(&threads).unwrap().all(is_stopped) {
            thread::yield_now();
        }
    }

    pub(crate) fn go_on(&self) {
        self.running.signal("-CONT");
    }
}

/// Those who sit there, in join order.
pub(crate) fn ids(room: &Room) -> Vec<&str> {
    room.members.iter().map(|member| &*member.client_id).collect()
}

/// What only time brings, such as the end of an outage: asks anew until there is an answer.
pub(crate) async fn in_time<T>(limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(limit, asking).await.expect("it does not come about")
}
