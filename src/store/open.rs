//! The start: whether this Redis will do, and whether what is kept there is ours.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use parking_lot::Mutex;
use redis::{ErrorKind, ServerErrorKind, Value, from_redis_value_ref};

use super::{
    Shared, Store,
    entry::position,
    fault::{Fault, StartError, StoreError},
    keys::Keys,
    link::{Code, Link},
};
use crate::config::{RedisFlags, RedisUrl};

static OPEN: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("open.lua")));

/// What is kept, and how. Releases that keep things in another way have another number.
const FORMAT: u32 = 1;
/// The first release with all that the scripts need.
const LEAST_VERSION: u64 = 7;

impl Store {
    /// Connects to the Redis of the flags, and begins a log there if there is none.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn connect(url: &RedisUrl, flags: &RedisFlags) -> Result<Self, StartError> {
        if flags.redis_cluster && url.database != 0 {
            return Err(StartError::NumberInCluster(url.clone()));
        }
        let password = flags.password(|name| std::env::var_os(name))?;
        let link = Link::new(url, password.as_ref(), flags.redis_cluster, flags.timeout());
        check_server(&link, url, flags.redis_cluster).await?;
        let store = Self(Arc::new(Shared {
            link,
            keys: Keys::new(&flags.redis_prefix),
            epoch: Mutex::default(),
            fence: 0.into(),
            log_events: flags.redis_log_events,
            wait_replicas: flags.redis_wait_replicas,
        }));
        let unable = |error| StartError::Unable { url: url.clone(), error };
        let prefix = || flags.redis_prefix.clone();
        match store.look().await.map_err(unable)? {
            Kept::Ours => Ok(store),
            Kept::OtherFormat(found) => {
                Err(StartError::OtherFormat { prefix: prefix(), found, known: FORMAT })
            }
            Kept::Foreign => Err(StartError::Foreign { prefix: prefix() }),
        }
    }

    /// Looks anew at what is kept, and begins a log if there is none, as where Redis was started again without its data.
    /// Returns its [epoch](Store::epoch). Until then nothing can be appended to a log of another epoch.
    ///
    /// # Errors
    /// [`StoreError`], also where what is there now is not ours.
    pub async fn reopen(&self) -> Result<u64, StoreError> {
        match self.look().await? {
            Kept::Ours => Ok(self.epoch()),
            Kept::OtherFormat(found) => {
                let why = format!("what is kept there has format {found} now, not {FORMAT}");
                Err(StoreError::Unavailable(why))
            }
            Kept::Foreign => {
                Err(StoreError::Unavailable("another program has its keys now".into()))
            }
        }
    }

    async fn look(&self) -> Result<Kept, StoreError> {
        let Shared { link, keys, .. } = &*self.0;
        let fresh = fastrand::u64(1..);
        let kept: Vec<String> = link
            .run(&OPEN, &[&keys.meta, &keys.log], |command| {
                command.arg(FORMAT).arg(fresh);
            })
            .await?;
        let Ok([format, epoch, begins_at]) = <[String; 3]>::try_from(kept) else {
            return Ok(Kept::Foreign);
        };
        if format != FORMAT.to_string() {
            return Ok(Kept::OtherFormat(format));
        }
        let (Ok(epoch), Some(begins_at)) = (epoch.parse(), position(&begins_at)) else {
            return Ok(Kept::Foreign);
        };
        if !self.0.enter(epoch, begins_at) {
            Box::pin(self.renew_epoch(epoch)).await?;
        }
        Ok(Kept::Ours)
    }
}

/// Whose it is what is kept under our names.
enum Kept {
    Ours,
    OtherFormat(String),
    Foreign,
}

async fn check_server(link: &Link, url: &RedisUrl, is_cluster: bool) -> Result<(), StartError> {
    let told = what_it_is(link).await.map_err(|fault| start_error(fault, url.clone()))?;
    let Told { version, of_cluster, forgets } = told;
    let major = version.split('.').next().and_then(|major| major.parse::<u64>().ok());
    if major.is_none_or(|major| major < LEAST_VERSION) {
        return Err(StartError::TooOld { url: url.clone(), version });
    }
    if let Some(policy) = forgets {
        return Err(StartError::Forgets { url: url.clone(), policy });
    }
    match (is_cluster, of_cluster) {
        (true, false) => Err(StartError::NoCluster(url.clone())),
        (false, true) => Err(StartError::IsCluster(url.clone())),
        _ => Ok(()),
    }
}

/// What a server says of itself.
struct Told {
    version: String,
    /// Whether it is one of a Redis Cluster.
    of_cluster: bool,
    /// How it chooses what it forgets once its memory is full, if it does, and says so.
    forgets: Option<String>,
}

async fn what_it_is(link: &Link) -> Result<Told, Fault> {
    match link.ask_seed::<String>(redis::cmd("INFO").arg("everything")).await {
        Ok(info) => {
            let of = |name: &str| info.lines().find_map(|line| line.trim().strip_prefix(name));
            let text = |name| of(name).unwrap_or_default().to_owned();
            let is_bounded = of("maxmemory:").is_some_and(|most| most != "0");
            let policy = text("maxmemory_policy:");
            Ok(Told {
                version: text("redis_version:"),
                of_cluster: of("cluster_enabled:") == Some("1"),
                forgets: Some(policy).filter(|policy| is_bounded && policy != "noeviction"),
            })
        }
        // What everybody may ask says less of those that are Redis by another name.
        Err(Fault::Refused(error)) if error.kind() == ServerErrorKind::NoPerm.into() => {
            let hello: HashMap<String, Value> = link.ask_seed(&redis::cmd("HELLO")).await?;
            let text = |name| hello.get(name).and_then(|value| from_redis_value_ref(value).ok());
            let mode: Option<String> = text("mode");
            Ok(Told {
                version: text("version").unwrap_or_default(),
                of_cluster: mode.as_deref() == Some("cluster"),
                forgets: None,
            })
        }
        Err(fault) => Err(fault),
    }
}

fn start_error(fault: Fault, url: RedisUrl) -> StartError {
    let why = match fault {
        Fault::NotSent(why) | Fault::Lost(why) => return StartError::Unreachable { url, why },
        Fault::Refused(error) => error,
    };
    match (why.kind(), why.code()) {
        (ErrorKind::RESP3NotSupported, _) => {
            StartError::TooOld { url, version: "5 or older".into() }
        }
        (ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm), _)
        | (_, Some("NOAUTH" | "WRONGPASS")) => StartError::Refused { url, why: why.to_string() },
        _ => StartError::Unreachable { url, why: why.to_string() },
    }
}
