//! The servers of Redis: a connection to each of them that is needed, and with Redis Cluster which of them has a key.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    io::tcp::TcpSettings,
};
use tokio::time::{Instant, timeout_at};

use super::{
    super::{attempt::Attempt, fault::Fault, line::Line},
    slots::{Server, Slots},
};
use crate::config::{RedisPassword, RedisUrl};

/// See the module.
pub(super) struct Servers {
    seed: Server,
    login: RedisConnectionInfo,
    tls: bool,
    timeout: Duration,
    lines: Mutex<HashMap<Server, Arc<Line>>>,
    /// None where one server has all.
    cluster: Option<Cluster>,
}

#[derive(Default)]
struct Cluster {
    slots: Mutex<Arc<Slots>>,
    is_stale: AtomicBool,
    look_up: Mutex<Option<LookUp>>,
}

type LookUp = Attempt<Result<Arc<Slots>, Fault>>;

impl Servers {
    pub(super) fn new(
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
            lines: Mutex::default(),
            cluster: is_cluster.then(Cluster::default),
        }
    }

    /// To the one that the flag names.
    pub(super) fn seed(&self) -> Arc<Line> {
        self.line(&self.seed)
    }

    pub(super) fn line(&self, server: &Server) -> Arc<Line> {
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get(server) {
            return Arc::clone(line);
        }
        let line = Arc::new(Line::new(self.info(server), self.timeout));
        lines.insert(server.clone(), Arc::clone(&line));
        line
    }

    pub(super) fn info(&self, server: &Server) -> ConnectionInfo {
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

    /// What is known of who has which key may be so no more.
    pub(super) fn look_up_anew(&self) {
        if let Some(cluster) = &self.cluster {
            cluster.is_stale.store(true, Ordering::Relaxed);
        }
    }

    /// The one that has `key`.
    pub(super) async fn server_of(
        self: &Arc<Self>,
        key: &str,
        deadline: Instant,
    ) -> Result<Server, Fault> {
        let Some(cluster) = &self.cluster else { return Ok(self.seed.clone()) };
        let known = Arc::clone(&cluster.slots.lock());
        if !cluster.is_in_doubt()
            && let Some(server) = known.master_of(key)
        {
            return Ok(server.clone());
        }
        let late = |_| Err(Fault::NotSent("the Redis Cluster did not answer in time".into()));
        let slots =
            timeout_at(deadline, self.look_up(cluster, known).done()).await.unwrap_or_else(late)?;
        let nobody = || Fault::NotSent("no server of the Redis Cluster has the key".into());
        slots.master_of(key).cloned().ok_or_else(nobody)
    }

    fn look_up(self: &Arc<Self>, cluster: &Cluster, known: Arc<Slots>) -> LookUp {
        let mut look_up = cluster.look_up.lock();
        if let Some(under_way) = look_up.as_ref().filter(|look_up| look_up.is_under_way()) {
            return under_way.clone();
        }
        cluster.is_stale.store(false, Ordering::Relaxed);
        let servers = Arc::clone(self);
        let begun = Attempt::begin(self.timeout, async move {
            let found = servers.slots_now(&known).await.map(Arc::new);
            match (&found, &servers.cluster) {
                (Ok(slots), Some(cluster)) => {
                    *cluster.slots.lock() = Arc::clone(slots);
                    let is_needed = |server: &Server| *server == servers.seed || slots.has(server);
                    servers.lines.lock().retain(|server, _| is_needed(server));
                }
                _ => servers.look_up_anew(),
            }
            found
        });
        look_up.insert(begun).clone()
    }

    /// As the first server has them that answers, be it one that had no keys. Where another Cluster has the address of one
    /// by now, it is believed only if nobody else answers soon.
    async fn slots_now(&self, known: &Slots) -> Result<Slots, Fault> {
        let asked_at = Instant::now();
        let deadline = asked_at + self.timeout;
        let mut servers: HashSet<Server> = known.servers().cloned().collect();
        servers.extend(self.lines.lock().keys().cloned());
        servers.insert(self.seed.clone());
        let ask = async |server: Server| {
            let mut command = redis::cmd("CLUSTER");
            command.arg("SLOTS");
            let answer = self.line(&server).ask(deadline, &command, false).await?;
            let strange = || Fault::NotSent("the answer to CLUSTER SLOTS is none".into());
            Slots::read(answer, &server).ok_or_else(strange)
        };
        let mut answers: FuturesUnordered<_> = servers.into_iter().map(ask).collect();
        let mut of_another = None;
        let mut fault = Fault::NotSent("the Redis Cluster did not answer in time".into());
        loop {
            let until = if of_another.is_some() { asked_at + self.timeout / 2 } else { deadline };
            match timeout_at(until, answers.next()).await {
                Ok(Some(Ok(slots))) if slots.is_of_the_cluster_of(known) => return Ok(slots),
                Ok(Some(Ok(slots))) => of_another = Some(slots),
                Ok(Some(Err(why))) => fault = why,
                Ok(None) | Err(_) => return of_another.ok_or(fault),
            }
        }
    }
}

impl Cluster {
    fn is_in_doubt(&self) -> bool {
        self.is_stale.load(Ordering::Relaxed)
            || self.look_up.lock().as_ref().is_some_and(LookUp::is_under_way)
    }
}

/// Without the password, which the login may hold.
impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").field("seed", &self.seed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
        thread,
    };

    use redis::{Parser, Value, from_redis_value};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(2);

    /// How long a server takes to let somebody in, and to say who has the keys, which is itself, by this name.
    #[derive(Clone, Copy)]
    struct Played {
        lets_in: Duration,
        answers: Duration,
        name: &'static str,
    }

    impl Played {
        const PROMPT: Self = Self { lets_in: Duration::ZERO, answers: Duration::ZERO, name: "own" };

        fn start(self) -> Server {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let server = at(listener.local_addr().unwrap().port());
            let port = server.port;
            thread::spawn(move || {
                for stream in listener.incoming() {
                    thread::spawn(move || self.serve(stream.unwrap(), port));
                }
            });
            server
        }

        fn serve(self, mut stream: TcpStream, port: u16) {
            let (mut parser, mut said) = (Parser::new(), stream.try_clone().unwrap());
            while let Ok(command) = parser.parse_value(&mut said) {
                let words: Vec<String> = from_redis_value(command).unwrap();
                let (after, answer) = match &*words[0] {
                    "HELLO" => (self.lets_in, "%1\r\n+proto\r\n:3\r\n".to_owned()),
                    "CLUSTER" => {
                        let server = format!("*3\r\n+127.0.0.1\r\n:{port}\r\n+{}\r\n", self.name);
                        (self.answers, format!("*1\r\n*3\r\n:0\r\n:16383\r\n{server}"))
                    }
                    _ => (Duration::ZERO, "+OK\r\n".to_owned()),
                };
                thread::sleep(after);
                if stream.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        }
    }

    fn at(port: u16) -> Server {
        Server { host: "127.0.0.1".into(), port }
    }

    /// Where nobody is.
    fn dead() -> Server {
        at(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port())
    }

    fn servers(seed: &Server, known: &[&Server]) -> Arc<Servers> {
        let url = format!("redis://127.0.0.1:{}", seed.port).parse().unwrap();
        let servers = Servers::new(&url, None, true, TIMEOUT);
        let text = |text: &str| Value::BulkString(text.into());
        let told = known.iter().map(|server| {
            Value::Array(vec![text(&server.host), Value::Int(server.port.into()), text("own")])
        });
        let range = [Value::Int(0), Value::Int(16_383)].into_iter().chain(told).collect();
        let slots = Slots::read(Value::Array(vec![Value::Array(range)]), seed).unwrap();
        *servers.cluster.as_ref().unwrap().slots.lock() = Arc::new(slots);
        Arc::new(servers)
    }

    async fn found_anew(servers: &Arc<Servers>) -> Server {
        servers.look_up_anew();
        servers.server_of("key", Instant::now() + TIMEOUT).await.unwrap()
    }

    #[tokio::test]
    async fn a_replica_is_asked_where_all_masters_are_gone() {
        let (master, replica) = (dead(), Played::PROMPT.start());
        let servers = servers(&dead(), &[&master, &replica]);
        assert_eq!(servers.server_of("key", Instant::now() + TIMEOUT).await.unwrap(), master);
        assert_eq!(found_anew(&servers).await, replica);
    }

    #[tokio::test]
    async fn another_cluster_is_believed_only_where_ours_is_gone() {
        let other = Played { name: "other", ..Played::PROMPT }.start();
        let slow = Played { answers: TIMEOUT / 10, ..Played::PROMPT }.start();
        assert_eq!(found_anew(&servers(&other, &[&dead(), &slow])).await, slow);
        assert_eq!(found_anew(&servers(&other, &[&dead()])).await, other);
    }

    #[tokio::test]
    async fn what_one_has_no_time_for_goes_on_for_the_next() {
        let slow = Played {
            lets_in: Duration::from_millis(200),
            answers: Duration::from_millis(200),
            ..Played::PROMPT
        };
        let slow = slow.start();
        let servers = servers(&slow, &[&dead()]);
        servers.look_up_anew();
        let mut tries = 0;
        let found = loop {
            let deadline = Instant::now() + Duration::from_millis(10);
            match servers.server_of("key", deadline).await {
                Ok(found) => break found,
                Err(_) => tries += 1,
            }
            assert!(tries < 100, "it begins anew each time");
        };
        assert_eq!(found, slow);
        assert!(tries > 1);
    }
}
