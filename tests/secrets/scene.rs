//! A server as a process, which says all that it can, and what browsers and administrators say to it.

#![allow(unreachable_pub, reason = "the other modules use it")]

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread::JoinHandle,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{
    authority::Authority,
    issuer::SECRET,
    keys::Known,
    planted::Planted,
    redis_server::Redis,
    running::{Running, anywhere},
    support::within,
};

pub struct Scene {
    pub planted: Planted,
    pub http: SocketAddr,
    pub admin: SocketAddr,
    pub ops: Known,
    pub authority: Option<Authority>,
    folder: TempDir,
    process: u32,
    log: JoinHandle<String>,
    redis: Option<Redis>,
}

/// Whether the server shares its rooms, and how Redis' password comes to it.
#[derive(Clone, Copy)]
pub enum Shares {
    Nothing,
    ByFile,
    ByVariable,
}

impl Scene {
    /// Logs in this format, with TLS or without.
    pub fn new(format: &str, authority: Option<Authority>, shares: Shares) -> Self {
        let (planted, folder) = (Planted::default(), tempfile::tempdir().unwrap());
        let file = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        let ops = Known::new("ops", "admin");
        planted.plant("administrator's token", &*ops.token);
        let jwt = file("jwt", &planted.plant("secret for tokens", SECRET));
        let turn = planted.plant("TURN secret", "9c1185a5c5e9fc54612808977ee8f548b2258d31");
        let turn = file("turn", &turn);
        let shared = planted.plant("secret of a variable", "pl4nted-in-the-variable");
        let listed = planted.plant("secret of a file", "pl4nted-in-the-file");
        let list = file("ice", &format!("turn:ann:{listed}@third.example.org"));
        let mut command = anywhere();
        command.args(["--log", "trace", "--log-format", format, "--auth", "optional"]);
        command.arg("--jwt-secret-file").arg(jwt).arg("--turn-secret-file").arg(turn);
        command.arg("--ice-server-file").arg(list);
        command.arg("--admin-token-file").arg(file("admins", &ops.line));
        let servers = format!("turn:turn.example.org turn:bob:{shared}@other.example.org");
        command.env("SIGNALPOST_ICE_SERVER", servers);
        if let Some(authority) = &authority {
            let (cert, key) = authority.issue(&[("CN", "localhost")]);
            let both = file("both.pem", &(cert + &key));
            for flag in ["--tls-cert", "--tls-key", "--admin-tls-cert", "--admin-tls-key"] {
                command.arg(flag).arg(&both);
            }
        }
        let password = planted.plant("password for Redis", "pl4nted-for-redis");
        let redis = match shares {
            Shares::Nothing => None,
            Shares::ByFile | Shares::ByVariable => {
                let redis = Redis::start(&["--requirepass", &password]);
                command.args(["--redis-url", &format!("redis://127.0.0.1:{}", redis.port)]);
                command.args(["--node-lease-seconds", "1"]);
                Some(redis)
            }
        };
        match shares {
            Shares::Nothing => &mut command,
            Shares::ByFile => command.arg("--redis-password-file").arg(file("redis", &password)),
            Shares::ByVariable => command.env("SIGNALPOST_REDIS_PASSWORD", &password),
        };
        let mut running = Running::start(&mut command);
        let (http, admin, process) = (running.http(), running.admin(), running.child.id());
        planted.absent_from("the greeting", &running.greeting.join("\n"));
        // The log is read all the time: a full pipe would stop the server.
        let log = std::thread::spawn(move || {
            let lines: Vec<_> = std::iter::from_fn(|| running.next_log()).collect();
            lines.join("\n")
        });
        Self { planted, http, admin, ops, authority, folder, process, log, redis }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        assert!(kill.args([name, &self.process.to_string()]).status().unwrap().success());
    }

    /// What everybody on the machine can read of the process (proc(5)).
    pub fn arguments(&self) -> String {
        let of = |name: &str| fs::read(Path::new(&format!("/proc/{}/{name}", self.process)));
        let bytes = [of("cmdline").unwrap(), of("comm").unwrap(), of("status").unwrap()].concat();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    }

    /// Redis ends if there is one, and is there again: the server logs in anew.
    pub fn break_redis(&mut self) {
        if let Some(redis) = &mut self.redis {
            redis.kill();
            redis.start_again();
        }
    }

    /// Stops it: all that it logged.
    pub fn stop(self) -> (Planted, String) {
        self.signal("-TERM");
        (self.planted, self.log.join().unwrap())
    }

    async fn stream(&self) -> Box<dyn Duplex> {
        let tcp = TcpStream::connect(self.http).await.unwrap();
        let Some(authority) = &self.authority else { return Box::new(tcp) };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let tls = tls.with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        Box::new(TlsConnector::from(Arc::new(tls)).connect(name, tcp).await.unwrap())
    }

    /// A browser that comes to this path and has read its welcome, or what it was answered instead.
    pub async fn browser(&self, path: &str, bearer: Option<&str>) -> Result<Browser<'_>, String> {
        let mut request = format!("ws://localhost{path}").into_client_request().unwrap();
        if let Some(bearer) = bearer {
            let bearer = format!("Bearer {bearer}").parse().unwrap();
            request.headers_mut().insert("authorization", bearer);
        }
        match within(client_async(request, self.stream().await)).await {
            Ok((socket, _)) => {
                let mut browser = Browser { planted: &self.planted, socket };
                browser.hear_of(&["welcome"]).await;
                Ok(browser)
            }
            Err(refused) => Err(format!("{refused:?}")),
        }
    }

    /// What is answered to these bytes, up to the end of the connection.
    pub async fn answer(&self, request: &str) -> String {
        let mut stream = self.stream().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = within(stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// Looks through everything that it hears.
pub struct Browser<'a> {
    planted: &'a Planted,
    socket: WebSocketStream<Box<dyn Duplex>>,
}

impl Browser<'_> {
    pub async fn say(&mut self, text: impl Into<String>) {
        within(self.socket.send(Message::text(text.into()))).await.unwrap();
    }

    /// The next message of one of these types.
    pub async fn hear_of(&mut self, kinds: &[&str]) -> Value {
        loop {
            let message = within(self.socket.next()).await.expect("it stays").unwrap();
            let Message::Text(text) = message else { continue };
            let message = self.planted.look_through(serde_json::from_str(&text).unwrap());
            if kinds.iter().any(|kind| message["type"] == *kind) {
                return message;
            }
            let is_refusal = ["error", "join-error"].iter().any(|kind| message["type"] == *kind);
            assert!(!is_refusal, "{message}");
        }
    }

    /// Says something, and hears of one of these types.
    pub async fn ask(&mut self, text: impl Into<String>, kinds: &[&str]) -> Value {
        self.say(text).await;
        self.hear_of(kinds).await
    }

    /// Everything up to the close of the connection.
    pub async fn hear_out(mut self) {
        while let Some(Ok(message)) = within(self.socket.next()).await {
            match message {
                Message::Text(text) => {
                    drop(self.planted.look_through(serde_json::from_str(&text).unwrap()));
                }
                other => self.planted.absent_from("the close frame", &format!("{other:?}")),
            }
        }
    }
}
