//! One server: binds its sockets, runs its parts, and takes them down in order.

mod admin_stream;
mod entrance;
mod listener;
mod proxy_protocol;
mod renewal;
mod runtime;
mod tls;

pub use renewal::Renewal;
pub use runtime::runtime;
pub use tls::{Certificate, Flags, TlsError};

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use futures_util::StreamExt;
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{Instant, interval, timeout},
};

use crate::{
    admin::{Admin, Health, TokenFile, TokenFileError},
    auth::{Authority, KeyError},
    config::{Config, Contradiction},
    http::Http,
    hub::{Beginning, Fleet, Hub, Stage, beside_turns},
    store::{self, Store},
    turn::{IceServers, IceServersError},
};
use admin_stream::AdminStream;
use entrance::Entrance;

/// A server with its sockets bound, which answers once it is [`Server::run`], best on the threads of [`runtime()`].
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    hub: Arc<Hub>,
    http: Arc<Http>,
    listeners: Vec<TcpListener>,
    certificate: Option<Certificate>,
    admin: Admin,
    admin_listener: TcpListener,
    admin_certificate: Option<Certificate>,
    token_file: Option<TokenFile>,
    renewal: Renewal,
    addresses: Addresses,
}

/// Where a server can be reached.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// By browsers; at least one.
    pub http: Vec<SocketAddr>,
    /// Whether they must say https and wss.
    pub secure: bool,
    /// By administrators.
    pub admin: SocketAddr,
    /// Whether they must speak TLS.
    pub admin_secure: bool,
    /// Whether they are asked who they are.
    pub admin_kept: bool,
}

/// Why a server does not start. Each text names the flag and the mend.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings that cannot hold together.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// An address that cannot be listened on.
    #[error("{flag} {address}: {}", listener::mend(.error, *.address))]
    Listen {
        /// The flag.
        flag: &'static str,
        /// Its value.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// A certificate or key that cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A file of administrators that cannot be used.
    #[error(transparent)]
    TokenFile(#[from] TokenFileError),
    /// STUN and TURN servers of which nobody could be told.
    #[error(transparent)]
    IceServers(#[from] IceServersError),
    /// A key for tokens that cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A folder that is not there.
    #[error("--client-dir {0:?} holds no index.html; name the folder of the browser client")]
    ClientDir(String),
    /// A Redis that will not do.
    #[error(transparent)]
    Store(#[from] store::StartError),
}

impl Server {
    /// Checks the settings, binds the sockets, and comes to the fleet where there is to be one.
    ///
    /// # Errors
    /// [`StartError`], before anything is served.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let bound = Bound::new(&config)?;
        let beginning = join(&config).await?;
        Ok(Self::new(config, bound, beginning))
    }

    /// Checks the settings and binds the sockets of a server that stands alone.
    ///
    /// # Errors
    /// [`StartError`], before anything is served.
    ///
    /// # Panics
    /// Outside of a Tokio runtime, and where `--redis-url` is given: that is for [`Server::start`].
    pub fn bind(config: Config) -> Result<Self, StartError> {
        assert!(config.redis.redis_url.is_none(), "this server is to share its rooms");
        let bound = Bound::new(&config)?;
        Ok(Self::new(config, bound, None))
    }

    fn new(config: Config, bound: Bound, beginning: Option<Beginning>) -> Self {
        let Bound { certificate, admin_certificate, token_file, .. } = bound;
        let Bound { ice_servers, authority, listeners, admin_listener, .. } = bound;
        warn_of_capacity(&config);
        let config = Arc::new(config);
        let hub = Hub::new(Arc::clone(&config)).telling_of(ice_servers.clone());
        let hub = hub.asking(authority.clone());
        let hub = Arc::new(match beginning {
            Some(beginning) => hub.sharing(beginning),
            None => hub,
        });
        let http = Arc::new(Http::new(Arc::clone(&hub), Arc::clone(&config)));
        let refusals = Arc::clone(&http.refusals);
        let admin = Admin::new(Arc::clone(&hub)).exposing(refusals).asking(token_file.clone());
        let certificates = certificate.iter().chain(&admin_certificate).cloned();
        let renewal = Renewal::of(certificates, token_file.clone(), ice_servers, authority);
        let addresses = Addresses {
            http: listeners
                .iter()
                .map(TcpListener::local_addr)
                .collect::<Result<_, _>>()
                .expect("bound"),
            secure: certificate.is_some(),
            admin: admin_listener.local_addr().expect("bound"),
            admin_secure: admin_certificate.is_some(),
            admin_kept: token_file.is_some(),
        };
        Self {
            config,
            hub,
            http,
            listeners,
            certificate,
            admin,
            admin_listener,
            admin_certificate,
            token_file,
            renewal,
            addresses,
        }
    }

    /// Where it can be reached, with the real ports.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What https and wss show, if they are served, to renew it while the server runs.
    pub fn certificate(&self) -> Option<Certificate> {
        self.certificate.clone()
    }

    /// What can be read anew while the server runs, which looks for changes by itself.
    pub fn renewal(&self) -> Renewal {
        self.renewal.clone()
    }

    /// Serves until `shutdown`, then says goodbye to everyone, for `--drain-seconds` at most. Every
    /// connection ends with this call, or right after if that is cut short; only an administrator's lasts for as long
    /// as it leaves an answer unread, or its own half of a call open.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { config, hub, http, listeners, certificate, .. } = self;
        let Self { admin, admin_listener, admin_certificate, token_file, renewal, .. } = self;
        let end = End { hub: Arc::clone(&hub), http: Arc::clone(&http) };
        let (health, watching) = (admin.health(), admin.closing.clone());
        let _unwatched = watching.clone().drop_guard();
        let mut parts = JoinSet::new();
        let ticking = Arc::clone(&hub);
        parts.spawn(beside_turns(Box::pin(async move { ticking.run().await })));
        if !renewal.is_empty() {
            parts.spawn(renewal.run());
        }
        if let Some(authority) = hub.authority().cloned() {
            parts.spawn(async move { authority.run().await });
        }
        parts.spawn(say_refusals(Arc::clone(&http), token_file));
        parts.spawn(show_health(Arc::clone(&hub), admin.health()));
        let mut accepting = JoinSet::new();
        let entrance = Entrance::new(Arc::clone(&config), Arc::clone(&http), certificate);
        for listener in listeners {
            accepting.spawn(accept(listener, entrance.clone(), Arc::clone(&http)));
        }
        let mut administering = JoinSet::new();
        let done = watching.clone();
        let counting = Arc::clone(&http);
        administering.spawn(async move {
            let incoming = listener::incoming(admin_listener, counting);
            let incoming = incoming.map(|stream| {
                stream.map(|stream| AdminStream::new(stream, admin_certificate.as_ref()))
            });
            admin.serve(incoming, done.cancelled()).await
        });

        let mut shutdown = pin!(shutdown);
        tokio::select! {
            () = &mut shutdown => {}
            () = hub.drained() => tracing::info!("drained"),
            Some(ended) = parts.join_next() => tracing::error!(?ended, "the hub failed"),
            Some(ended) = accepting.join_next() => tracing::error!(?ended, "a listener failed"),
            Some(ended) = administering.join_next() => tracing::error!(?ended, "the admin API failed"),
        }

        tracing::info!(drain_seconds = config.drain_seconds, "going away");
        accepting.shutdown().await;
        http.refusals.say();
        health.set(false).await;
        http.draining.cancel();
        hub.send_away();
        http.tasks.close();
        let (begun, drain) = (Instant::now(), Duration::from_secs(config.drain_seconds));
        if timeout(drain * 8 / 10, http.tasks.wait()).await.is_err() {
            tracing::warn!(left = http.tasks.len(), "some connections did not end in time");
            drop(end);
            // Others run these tasks: what they have to say of the seats is not said yet.
            let _ = timeout(drain / 10, http.tasks.wait()).await;
        }
        let left = || drain.saturating_sub(begun.elapsed()).max(drain / 10);
        if timeout(left() / 2, hub.settle_with_fleet()).await.is_err() {
            tracing::warn!("Redis did not take in time who left; others free these seats");
        }
        // Watchers last, so that they see everyone leave. What they have not read by the end is lost for good.
        hub.end_empty();
        watching.cancel();
        if timeout(left(), administering.join_next()).await.is_err() {
            tracing::warn!("some admin calls did not end in time");
        }
        parts.shutdown().await;
        if !matches!(timeout(left(), hub.leave_fleet()).await, Ok(Ok(()))) {
            tracing::warn!("Redis did not take the lease back; others wait for its end");
        }
    }
}

/// What a server needs before it can be one.
struct Bound {
    certificate: Option<Certificate>,
    admin_certificate: Option<Certificate>,
    token_file: Option<TokenFile>,
    ice_servers: IceServers,
    authority: Option<Arc<Authority>>,
    listeners: Vec<TcpListener>,
    admin_listener: TcpListener,
}

impl Bound {
    fn new(config: &Config) -> Result<Self, StartError> {
        config.check()?;
        if let Some(folder) = &config.client_dir
            && !folder.join("index.html").is_file()
        {
            return Err(StartError::ClientDir(folder.display().to_string()));
        }
        Ok(Self {
            certificate: Certificate::of(config)?,
            admin_certificate: Certificate::of_admin(config)?,
            token_file: TokenFile::of(config)?,
            ice_servers: IceServers::of(config)?,
            authority: Authority::of(&config.auth_flags)?.map(Arc::new),
            listeners: listener::bind_all(config)?,
            admin_listener: listener::bind("--admin-listen", config.admin_listen)?,
        })
    }
}

/// Comes to the fleet of the flags, if they name one.
async fn join(config: &Config) -> Result<Option<Beginning>, StartError> {
    let Some(url) = &config.redis.redis_url else { return Ok(None) };
    let store = Store::connect(url, &config.redis).await?;
    let joined = Fleet::join(store, config.redis.lease(), config.log_limits().events).await;
    let unable = |error| store::StartError::Unable { url: url.clone(), error };
    Ok(Some(joined.map_err(unable)?))
}

fn warn_of_capacity(config: &Config) {
    let fits = config.capacity().clients;
    if fits < config.max_connections {
        tracing::warn!(
            fits,
            "--max-connections {}: not so many fit the limit of open files; raise it with ulimit -n, or LimitNOFILE in \
             a unit file",
            config.max_connections
        );
    }
}

/// The end of every task that serves browsers.
struct End {
    hub: Arc<Hub>,
    http: Arc<Http>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.http.draining.cancel();
        self.hub.cut_off();
    }
}

async fn accept(listener: TcpListener, entrance: Entrance, http: Arc<Http>) {
    loop {
        let (stream, peer) = listener::accept(&listener, &http.refusals.not_accepted).await;
        if let Some(visitor) = http.let_in(peer.ip().to_canonical()) {
            let served = Box::pin(entrance.clone().serve(stream, peer, visitor));
            http.tasks.spawn(beside_turns(served));
        }
    }
}

/// Balancers send nobody to a server that is being drained, or cannot reach what its fleet shares.
async fn show_health(hub: Arc<Hub>, health: Health) {
    let (mut drain, mut in_reach) = (hub.draining(), hub.fleet_in_reach());
    loop {
        tokio::select! {
            Ok(()) = drain.changed() => {}
            Ok(()) = in_reach.changed() => {}
            else => return,
        }
        let stage = drain.borrow_and_update().stage;
        let takes_clients = matches!(stage, Stage::Serving | Stage::Cancelled);
        health.set(takes_clients && *in_reach.borrow_and_update()).await;
    }
}

/// What peers can bring about however often is said once a second.
async fn say_refusals(http: Arc<Http>, token_file: Option<TokenFile>) {
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        http.refusals.say();
        token_file.iter().for_each(TokenFile::say_refusals);
    }
}
