//! The way to Redis: which server has a key, a connection to it, and what became of a command. Nothing is sent twice
//! that may have been done, for which reason the library's own client for Redis Cluster, which does that, is not used.

mod servers;
mod slots;

use std::{sync::Arc, time::Duration};

use redis::{Cmd, FromRedisValue, RedisError, Script, ServerErrorKind, Value, from_redis_value};
use tokio::time::{Instant, sleep};

use self::{servers::Servers, slots::Server};
use super::{
    fault::{Fault, StoreError},
    line::Dedicated,
    wire::{self, Wire},
};
use crate::config::{RedisPassword, RedisUrl};

/// How long to wait where a server asks to be asked again.
const AGAIN: Duration = Duration::from_millis(50);

/// See the module. A command goes to the server that has its key; with Redis Cluster that is looked up, and looked up
/// anew where it has moved.
#[derive(Debug)]
pub(crate) struct Link {
    way: Way,
    timeout: Duration,
}

#[derive(Debug)]
enum Way {
    To(Arc<Servers>),
    /// What takes the place of all servers.
    Over(Arc<dyn Wire>),
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
        let servers = Servers::new(url, password, is_cluster, timeout);
        Self { way: Way::To(Arc::new(servers)), timeout }
    }

    /// A way that is this wire.
    pub(super) fn over(wire: Arc<dyn Wire>, timeout: Duration) -> Self {
        Self { way: Way::Over(wire), timeout }
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
        let answer = match &self.way {
            Way::To(servers) => servers.seed().ask(deadline, command, false).await?,
            Way::Over(wire) => wire::ask(&**wire, command).await?,
        };
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
        let servers = match &self.way {
            Way::To(servers) => servers,
            Way::Over(wire) => return Ok(Dedicated::over(wire, self.timeout)),
        };
        servers.look_up_anew();
        let server = servers.server_of(key, Instant::now() + self.timeout).await?;
        Ok(Dedicated::connect(&servers.info(&server), self.timeout).await?)
    }

    async fn answer(&self, key: &str, command: &Cmd, deadline: Instant) -> Result<Value, Fault> {
        let servers = match &self.way {
            Way::To(servers) => servers,
            Way::Over(wire) => return wire::ask(&**wire, command).await,
        };
        let mut server = servers.server_of(key, deadline).await?;
        let mut asking = false;
        loop {
            let error = match servers.line(&server).ask(deadline, command, asking).await {
                Ok(answer) => return Ok(answer),
                Err(Fault::Refused(error)) => error,
                Err(fault) => {
                    // Another one may have taken its place.
                    servers.look_up_anew();
                    return Err(fault);
                }
            };
            // Whoever refuses has done nothing.
            match Elsewhere::of(&error, &server) {
                Some(Elsewhere::Moved(other)) => {
                    servers.look_up_anew();
                    (server, asking) = (other, false);
                }
                Some(Elsewhere::Moving(other)) => (server, asking) = (other, true),
                Some(Elsewhere::Soon) if Instant::now() + AGAIN < deadline => {
                    sleep(AGAIN).await;
                    servers.look_up_anew();
                    (server, asking) = (servers.server_of(key, deadline).await?, false);
                }
                _ => return Err(Fault::Refused(error)),
            }
        }
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
