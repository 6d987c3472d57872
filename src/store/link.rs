//! The way to Redis: which server has a key, a connection to it, and what became of a command. Nothing is sent twice
//! that may have been done, for which reason the library's own client for Redis Cluster, which does that, is not used.

mod slots;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::select_ok;
use parking_lot::Mutex;
use redis::{
    Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo, ProtocolVersion,
    RedisConnectionInfo, RedisError, Script, ServerErrorKind, Value, from_redis_value,
    io::tcp::TcpSettings,
};
use tokio::time::{Instant, sleep, timeout_at};

use self::slots::{Server, Slots};
use super::{
    fault::{Fault, StoreError},
    line::{Dedicated, Line},
    wire::{self, Wire},
};
use crate::config::{RedisPassword, RedisUrl};

/// How long to wait where a server asks to be asked again.
const AGAIN: Duration = Duration::from_millis(50);

/// See the module. A command goes to the server that has its key; with Redis Cluster that is looked up, and looked up
/// anew where it has moved.
pub(crate) struct Link {
    seed: Server,
    login: RedisConnectionInfo,
    tls: bool,
    timeout: Duration,
    /// None where one server has all.
    cluster: Option<Cluster>,
    lines: Mutex<HashMap<Server, Arc<Line>>>,
    /// What takes the place of all servers.
    wire: Option<Arc<dyn Wire>>,
}

#[derive(Default)]
struct Cluster {
    /// Looked up by one at a time, for all who wait.
    slots: tokio::sync::Mutex<Slots>,
    is_stale: AtomicBool,
}

/// A script for Redis, which servers know by a hash.
#[derive(Debug)]
pub(crate) struct Code {
    text: &'static str,
    hash: String,
}

impl Code {
    /// The script of a file.
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text, hash: Script::new(text).get_hash().to_owned() }
    }
}

impl Link {
    /// A way to the Redis at `url`. Nothing is connected yet: the first command does that, and each one after a break.
    pub(crate) fn new(
        url: &RedisUrl,
        password: Option<&RedisPassword>,
        is_cluster: bool,
        timeout: Duration,
    ) -> Self {
        let mut login = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_db(url.database.into());
        if let Some(user) = &url.user {
            login = login.set_username(user);
        }
        if let Some(password) = password {
            login = login.set_password(password.as_str());
        }
        Self {
            seed: Server { host: url.host.clone(), port: url.port },
            login,
            tls: url.tls,
            timeout,
            cluster: is_cluster.then(Cluster::default),
            lines: Mutex::default(),
            wire: None,
        }
    }

    /// A way that is this wire.
    pub(super) fn over(wire: Arc<dyn Wire>, timeout: Duration) -> Self {
        Self {
            seed: Server { host: String::new(), port: 0 },
            login: RedisConnectionInfo::default(),
            tls: false,
            timeout,
            cluster: None,
            lines: Mutex::default(),
            wire: Some(wire),
        }
    }

    /// The answer of the server that has `key`, with which all keys of the command share a slot.
    ///
    /// # Errors
    /// [`StoreError`], at the latest when the time for a command is over.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        key: &str,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + self.timeout;
        read(self.answer(key, command, deadline).await?)
    }

    /// The same of the server that the flag names.
    pub(super) async fn ask_seed<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Fault> {
        let deadline = Instant::now() + self.timeout;
        let answer = self.line(&self.seed).ask(deadline, command, false).await?;
        from_redis_value(answer).map_err(|error| Fault::Lost(error.to_string()))
    }

    /// How long a command may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The answer to a script with all its keys, of which there is at least one, and the arguments that `add` gives it
    /// (again, where the server does not know the script yet).
    ///
    /// # Errors
    /// [`StoreError`]. A script that begins with `#!lua` is refused before its first line where Redis may not write.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        code: &Code,
        keys: &[&str],
        add: impl Fn(&mut Cmd),
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + self.timeout;
        let command = |name: &str, what: &str| {
            let mut command = redis::cmd(name);
            command.arg(what).arg(keys.len()).arg(keys);
            add(&mut command);
            command
        };
        let by_hash = command("EVALSHA", &code.hash);
        let answer = match self.answer(keys[0], &by_hash, deadline).await {
            Err(Fault::Refused(error)) if error.kind() == ServerErrorKind::NoScript.into() => {
                self.answer(keys[0], &command("EVAL", code.text), deadline).await
            }
            answer => answer,
        };
        read(answer?)
    }

    /// A connection of one's own to the server that has `key`, for reads that block. With Redis Cluster that server is
    /// looked up anew.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn dedicated(&self, key: &str) -> Result<Dedicated, StoreError> {
        if let Some(wire) = &self.wire {
            return Ok(Dedicated::over(wire, self.timeout));
        }
        self.look_up_anew();
        let server = self.server_of(key, Instant::now() + self.timeout).await?;
        Ok(Dedicated::connect(&self.info(&server), self.timeout).await?)
    }

    async fn answer(&self, key: &str, command: &Cmd, deadline: Instant) -> Result<Value, Fault> {
        if let Some(wire) = &self.wire {
            return wire::ask(&**wire, command).await;
        }
        let mut server = self.server_of(key, deadline).await?;
        let mut asking = false;
        loop {
            let error = match self.line(&server).ask(deadline, command, asking).await {
                Ok(answer) => return Ok(answer),
                Err(Fault::Refused(error)) => error,
                Err(fault) => {
                    // Another one may have taken its place.
                    self.look_up_anew();
                    return Err(fault);
                }
            };
            // Whoever refuses has done nothing.
            match Elsewhere::of(&error, &server) {
                Some(Elsewhere::Moved(other)) => {
                    self.look_up_anew();
                    (server, asking) = (other, false);
                }
                Some(Elsewhere::Moving(other)) => (server, asking) = (other, true),
                Some(Elsewhere::Soon) if Instant::now() + AGAIN < deadline => {
                    sleep(AGAIN).await;
                    self.look_up_anew();
                    (server, asking) = (self.server_of(key, deadline).await?, false);
                }
                _ => return Err(Fault::Refused(error)),
            }
        }
    }

    fn look_up_anew(&self) {
        if let Some(cluster) = &self.cluster {
            cluster.is_stale.store(true, Ordering::Relaxed);
        }
    }

    async fn server_of(&self, key: &str, deadline: Instant) -> Result<Server, Fault> {
        let Some(cluster) = &self.cluster else { return Ok(self.seed.clone()) };
        let found = async {
            let mut slots = cluster.slots.lock().await;
            let is_stale = cluster.is_stale.swap(false, Ordering::Relaxed);
            if is_stale || slots.master_of(key).is_none() {
                let now = self.slots_now(slots.masters(), deadline).await;
                *slots = now.inspect_err(|_| self.look_up_anew())?;
            }
            let nobody = || Fault::NotSent("no server of the Redis Cluster has the key".into());
            slots.master_of(key).cloned().ok_or_else(nobody)
        };
        let late = |_| Err(Fault::NotSent("the Redis Cluster did not answer in time".into()));
        timeout_at(deadline, found).await.unwrap_or_else(late)
    }

    /// As the first server has them that answers, be it one of `known` that was not needed yet.
    async fn slots_now(
        &self,
        known: impl Iterator<Item = &Server>,
        deadline: Instant,
    ) -> Result<Slots, Fault> {
        let mut servers: HashSet<Server> = known.cloned().collect();
        servers.extend(self.lines.lock().keys().cloned());
        servers.insert(self.seed.clone());
        let ask = async |server: Server| {
            let mut command = redis::cmd("CLUSTER");
            command.arg("SLOTS");
            let answer = self.line(&server).ask(deadline, &command, false).await?;
            let strange = || Fault::NotSent("the answer to CLUSTER SLOTS is none".into());
            Slots::read(answer, &server).ok_or_else(strange)
        };
        let asked = servers.into_iter().map(|server| Box::pin(ask(server)));
        let (slots, _) = select_ok(asked).await?;
        self.lines.lock().retain(|server, _| *server == self.seed || slots.has(server));
        Ok(slots)
    }

    fn line(&self, server: &Server) -> Arc<Line> {
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get(server) {
            return Arc::clone(line);
        }
        let line = Arc::new(Line::new(self.info(server)));
        lines.insert(server.clone(), Arc::clone(&line));
        line
    }

    fn info(&self, server: &Server) -> ConnectionInfo {
        let Server { host, port } = server.clone();
        let address = if self.tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let info = address.into_connection_info().expect("an address needs no parsing");
        info.set_redis_settings(self.login.clone())
            .set_tcp_settings(TcpSettings::default().set_nodelay(true))
    }
}

/// Without the password, which the login may hold.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// What a refusal says of where to ask, or when.
enum Elsewhere {
    Moved(Server),
    /// This command alone.
    Moving(Server),
    Soon,
}

impl Elsewhere {
    fn of(error: &RedisError, asked: &Server) -> Option<Self> {
        let is = |kind: ServerErrorKind| error.kind() == kind.into();
        let named = || error.redirect_node().and_then(|(name, _)| Server::read(name, asked));
        let passing = [
            ServerErrorKind::TryAgain,
            ServerErrorKind::ClusterDown,
            ServerErrorKind::MasterDown,
            ServerErrorKind::BusyLoading,
            ServerErrorKind::ReadOnly,
        ];
        if is(ServerErrorKind::Moved) {
            named().map(Self::Moved)
        } else if is(ServerErrorKind::Ask) {
            named().map(Self::Moving)
        } else {
            passing.into_iter().any(is).then_some(Self::Soon)
        }
    }
}

pub(super) fn read<T: FromRedisValue>(answer: Value) -> Result<T, StoreError> {
    let strange = |error| StoreError::Unknown(format!("its answer makes no sense: {error}"));
    from_redis_value(answer).map_err(strange)
}
