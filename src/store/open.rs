//! The start: whether this Redis will do, and whether what is kept there is ours.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicU64, Ordering},
};

use redis::{ErrorKind, ServerErrorKind};

use super::{
    Shared, Store,
    fault::{Fault, StartError, StoreError},
    keys::Keys,
    link::{Code, Link},
};
use crate::config::{RedisFlags, RedisUrl};

static OPEN: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("open.lua")));
static EPOCH: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("epoch.lua")));

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
            epoch: AtomicU64::new(0),
            fence: AtomicU64::new(0),
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

    /// Gives the log another [epoch](Store::epoch), for whoever sees that it has lost what was in it. Where another server
    /// has done so since `seen`, that counts. Returns the one that it has now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn renew_epoch(&self, seen: u64) -> Result<u64, StoreError> {
        let Shared { link, keys, epoch, .. } = &*self.0;
        let fresh = fastrand::u64(1..);
        let add = |command: &mut redis::Cmd| _ = command.arg(seen).arg(fresh);
        let now: Option<u64> = link.run(&EPOCH, &[&keys.meta], add).await?;
        let Some(now) = now else { return self.reopen().await };
        epoch.store(now, Ordering::Relaxed);
        Ok(now)
    }

    async fn look(&self) -> Result<Kept, StoreError> {
        let Shared { link, keys, epoch, .. } = &*self.0;
        let fresh = fastrand::u64(1..);
        let kept: Vec<String> = link
            .run(&OPEN, &[&keys.meta, &keys.log], |command| {
                command.arg(FORMAT).arg(fresh);
            })
            .await?;
        let Ok([format, found]) = <[String; 2]>::try_from(kept) else { return Ok(Kept::Foreign) };
        if format != FORMAT.to_string() {
            return Ok(Kept::OtherFormat(format));
        }
        let Ok(found) = found.parse() else { return Ok(Kept::Foreign) };
        epoch.store(found, Ordering::Relaxed);
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
    let info = link.ask_seed(redis::cmd("INFO").arg("everything")).await;
    let info: String = info.map_err(|fault| start_error(fault, url.clone()))?;
    let of = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let version = of("redis_version:").unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse::<u64>().ok());
    if major.is_none_or(|major| major < LEAST_VERSION) {
        return Err(StartError::TooOld { url: url.clone(), version: version.to_owned() });
    }
    let policy = of("maxmemory_policy:").filter(|policy| *policy != "noeviction");
    if let (Some(policy), true) = (policy, of("maxmemory:").is_some_and(|most| most != "0")) {
        return Err(StartError::Forgets { url: url.clone(), policy: policy.to_owned() });
    }
    match (is_cluster, of("cluster_enabled:") == Some("1")) {
        (true, false) => Err(StartError::NoCluster(url.clone())),
        (false, true) => Err(StartError::IsCluster(url.clone())),
        _ => Ok(()),
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
