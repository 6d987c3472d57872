//! The balancers of `deploy/` before three nodes: a client comes to any of them, and to none that is gone or about to
//! stop.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    process::Command,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use signalpost::admin::pb::{DrainRequest, GetServerInfoRequest};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    fleet::Fleet,
    redis::Kind,
    support::{Client, within},
};

on_both_kinds![
    nginx_brings_clients_to_nodes_that_serve,
    haproxy_brings_clients_to_nodes_that_serve,
];

async fn nginx_brings_clients_to_nodes_that_serve(kind: Kind) {
    let replaced = [
        ("access_log /dev/stdout without_query", "access_log off"),
        ("worker_rlimit_nofile 262144;", ""),
        ("worker_connections 131072", "worker_connections 512"),
        ("worker_processes auto", "worker_processes 1"),
        ("listen 8080", "listen 127.0.0.1:PORT"),
    ];
    serves(kind, "nginx.conf", &replaced, |folder, settings| {
        let global = format!("pid {folder}/pid;");
        let log = format!("{folder}/error.log");
        let mut command = Command::new("/usr/sbin/nginx");
        command.args(["-e", &log, "-g", &global, "-c", settings]);
        command
    })
    .await;
}

async fn haproxy_brings_clients_to_nodes_that_serve(kind: Kind) {
    let replaced = [("maxconn 100000", "maxconn 100"), ("bind :8080", "bind 127.0.0.1:PORT")];
    serves(kind, "haproxy.cfg", &replaced, |folder, settings| {
        let mut command = Command::new("/usr/sbin/haproxy");
        command.args(["-D", "-p", &format!("{folder}/pid"), "-f", settings]);
        command
    })
    .await;
}

async fn serves(
    kind: Kind,
    file: &str,
    replaced: &[(&str, &str)],
    command: impl FnOnce(&str, &str) -> Command,
) {
    let mut fleet = Fleet::mortal(kind).await;
    let balancer = Balancer::start(&fleet, file, replaced, command);
    let mut members = balancer.members(9, "r").await;
    assert_eq!(clients_of_each(&fleet).await, [3, 3, 3]);
    members[0].say(json!({"type": "message", "content": "to all"})).await;
    for member in &mut members[1..] {
        assert_eq!(member.hear_of("message").await["content"], "to all");
    }

    drop(fleet.nodes.remove(2));
    let mut left = 0;
    for member in &mut members {
        left += u32::from(is_connected(member).await);
    }
    assert_eq!(left, 6);
    let back = balancer.members(3, "s").await;
    fleet.seats("s", back.iter()).await;

    let drain = DrainRequest { window: Some(Duration::from_secs(60).try_into().unwrap()) };
    let mut progress = within(fleet.admin(1).await.drain(drain)).await.unwrap().into_inner();
    within(progress.message()).await.unwrap().unwrap();
    let before = clients_of_each(&fleet).await[0];
    let moved = balancer.members(5, "t").await;
    assert_eq!(clients_of_each(&fleet).await[0], before + 5);
    fleet.seats("t", moved.iter()).await;
}

async fn clients_of_each(fleet: &Fleet) -> Vec<u32> {
    let mut clients = Vec::new();
    for node in 0..fleet.nodes.len() {
        let info = within(fleet.admin(node).await.get_server_info(GetServerInfoRequest {})).await;
        clients.push(info.unwrap().into_inner().counts.unwrap().clients);
    }
    clients
}

/// Its node answers.
async fn is_connected(client: &mut Client) -> bool {
    let ping = Message::text(json!({"type": "ping", "requestId": "there?"}).to_string());
    if within(client.socket.send(ping)).await.is_err() {
        return false;
    }
    loop {
        match within(client.socket.next()).await {
            Some(Ok(Message::Text(text))) if text.contains("there?") => return true,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return false,
            Some(Ok(_)) => {}
        }
    }
}

/// A process of its own, which ends when dropped.
struct Balancer {
    port: u16,
    folder: TempDir,
}

impl Balancer {
    /// As `deploy/` has it, but for what is replaced, and where it and the nodes are.
    fn start(
        fleet: &Fleet,
        file: &str,
        replaced: &[(&str, &str)],
        command: impl FnOnce(&str, &str) -> Command,
    ) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (port, folder) = (free.local_addr().unwrap().port(), tempfile::tempdir().unwrap());
        let mut settings = fs::read_to_string(format!("deploy/{file}")).unwrap();
        let nodes = ["node-a:8080", "node-b:8080", "node-c:8080"].into_iter();
        let addresses: Vec<_> = fleet.nodes.iter().map(|node| node.address().to_string()).collect();
        let nodes = nodes.zip(addresses.iter().map(String::as_str));
        for (from, to) in nodes.chain(replaced.iter().copied()) {
            assert!(settings.contains(from), "{file} has no {from}");
            settings = settings.replace(from, to);
        }
        let path = folder.path().join(file);
        fs::write(&path, settings.replace("PORT", &port.to_string())).unwrap();
        drop(free);
        // It listens once this returns, and goes on in the background.
        let started = command(folder.path().to_str().unwrap(), path.to_str().unwrap()).status();
        assert!(started.unwrap().success(), "{file}");
        Self { port, folder }
    }

    /// So many who come in by it.
    async fn members(&self, count: usize, room: &str) -> Vec<Client> {
        let url = format!("ws://127.0.0.1:{}/", self.port);
        let mut members = Vec::new();
        for _ in 0..count {
            let mut member = Client::connect(&url).await;
            member.join(room).await;
            members.push(member);
        }
        members
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let pid = fs::read_to_string(self.folder.path().join("pid")).unwrap();
        Command::new("kill").arg(pid.trim()).status().unwrap();
    }
}
