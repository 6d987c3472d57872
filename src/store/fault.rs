//! What can go wrong with Redis, parted by what a caller must do then.

use redis::RedisError;

use crate::config::{BadRedisPassword, RedisUrl};

/// Why something could not be done. The texts are for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It has not been done, for sure.
    #[error("Redis did not do it: {0}")]
    Unavailable(String),
    /// The reply was lost: it may have been done, or be done yet.
    #[error("Redis may have done it: {0}")]
    Unknown(String),
    /// The log is another one than in this [epoch](super::Store::epoch), or lacks what it is known to have had in it.
    #[error("Redis has lost a part of the log")]
    Lost(u64),
}

/// Why a server cannot start with this Redis. Each text names the flag and the mend.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no password where one was to be.
    #[error(transparent)]
    Password(#[from] BadRedisPassword),
    /// It does not answer.
    #[error(
        "--redis-url {url}: {why}; is Redis there, reachable from here, and with TLS only where it is rediss://?"
    )]
    Unreachable {
        /// The setting.
        url: RedisUrl,
        /// What became of it.
        why: String,
    },
    /// It lets nobody in, or not this one.
    #[error(
        "--redis-url {url}: {why}; give the user in --redis-url, and the password in --redis-password-file or \
         SIGNALPOST_REDIS_PASSWORD"
    )]
    Refused {
        /// The setting.
        url: RedisUrl,
        /// What it said.
        why: String,
    },
    /// It is there, and lets this one in, but does not do all that a server needs of it.
    #[error(
        "--redis-url {url}: {error}; see that it answers, and that its user may do what docs/security.md lists"
    )]
    Unable {
        /// The setting.
        url: RedisUrl,
        /// What became of it.
        error: StoreError,
    },
    /// It lacks what the log needs.
    #[error("--redis-url {url}: it is Redis {version}; use Redis 7 or newer, or Valkey")]
    TooOld {
        /// The setting.
        url: RedisUrl,
        /// What it says of itself.
        version: String,
    },
    /// It forgets what it has no memory for, and so rooms and leases.
    #[error(
        "--redis-url {url}: it forgets where its memory is full (maxmemory-policy {policy}); set maxmemory-policy \
         noeviction there"
    )]
    Forgets {
        /// The setting.
        url: RedisUrl,
        /// How it chooses what to forget.
        policy: String,
    },
    /// Keys would be looked for at one server that has but some of them.
    #[error("--redis-url {0}: it is one server of a Redis Cluster; add --redis-cluster")]
    IsCluster(RedisUrl),
    /// There are no others to be found.
    #[error("--redis-url {0}: it is no Redis Cluster; leave out --redis-cluster")]
    NoCluster(RedisUrl),
    /// A Redis Cluster has no others.
    #[error("--redis-url {0}: a Redis Cluster has no numbered databases; leave out the number")]
    NumberInCluster(RedisUrl),
    /// Other releases keep other things there.
    #[error(
        "--redis-prefix {prefix}: what is kept there has format {found}, and this release knows {known}; use a release \
         that knows it, or another prefix"
    )]
    OtherFormat {
        /// The setting.
        prefix: String,
        /// What is there.
        found: String,
        /// What this release would have there.
        known: u32,
    },
    /// Something else has these names.
    #[error("--redis-prefix {prefix}: another program has keys there; use another prefix")]
    Foreign {
        /// The setting.
        prefix: String,
    },
}

/// What became of a command that was to be sent.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// It was not sent.
    NotSent(String),
    /// The server answered that it does not do it.
    Refused(RedisError),
    /// It was sent, and no answer came.
    Lost(String),
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotSent(why) => Self::Unavailable(why),
            Fault::Refused(error) => Self::Unavailable(error.to_string()),
            Fault::Lost(why) => Self::Unknown(why),
        }
    }
}
