//! The STUN and TURN servers that browsers are told of, with credentials of each client's own for those that share a
//! secret with this server.

mod credentials;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

use crate::{
    config::{
        BadLine, BadSecret, Config, IceFlags, IceServer, Secret, Unguarded, limits, read_guarded,
    },
    id::ClientId,
};

pub use credentials::Credentials;

/// See the module. Clones are of the same ones.
#[derive(Debug, Clone)]
pub struct IceServers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    flags: IceFlags,
    known: Mutex<Arc<Known>>,
}

/// What the flags and their files say.
#[derive(Debug)]
struct Known {
    servers: Arc<[IceServer]>,
    secret: Option<Secret>,
}

/// Why browsers could not be told of servers. Each text names the flag and the mend, and repeats no secret.
#[derive(Debug, thiserror::Error)]
pub enum IceServersError {
    /// It cannot be read.
    #[error("--ice-server-file: {0}; name a file with an ICE server on each line")]
    Unreadable(Unguarded),
    /// What is in it cannot be read.
    #[error("--ice-server-file: {0}")]
    BadLine(#[from] BadLine),
    /// Nothing is in it, as while it is written.
    #[error("--ice-server-file: it names no server; add one, or leave the flag out")]
    Empty,
    /// It is no secret.
    #[error("--turn-secret-file: {0}")]
    BadSecret(#[from] BadSecret),
    /// It would relay for nobody.
    #[error(
        "--ice-server turn:HOST has no credentials; give --turn-secret-file if the TURN server shares a secret, or else \
         turn:USER:SECRET@HOST, in --ice-server-file or the variable SIGNALPOST_ICE_SERVER"
    )]
    NoSecret,
    /// Nobody shares it.
    #[error(
        "--turn-secret-file is for TURN servers without a USER:SECRET, and none is named; name one, as in \
         --ice-server turn:turn.example.org"
    )]
    NoServer,
}

impl IceServers {
    /// Reads what the flags name.
    ///
    /// # Errors
    /// [`IceServersError`].
    pub fn of(config: &Config) -> Result<Self, IceServersError> {
        let flags = config.ice.clone();
        let known = Mutex::new(Arc::new(Known::read(&flags)?));
        Ok(Self(Arc::new(Inner { flags, known })))
    }

    /// Those of the flags alone, without what their files hold.
    pub fn of_flags(config: &Config) -> Self {
        let flags =
            IceFlags { ice_server_file: None, turn_secret_file: None, ..config.ice.clone() };
        let known = Known { servers: flags.ice_servers.clone().into(), secret: None };
        Self(Arc::new(Inner { flags, known: Mutex::new(Arc::new(known)) }))
    }

    /// Reads the files anew. Clients hear of what is in them when they would hear of servers anyway.
    ///
    /// # Errors
    /// [`IceServersError`]; then what they held before holds on.
    pub fn reload(&self) -> Result<(), IceServersError> {
        let known = Arc::new(Known::read(&self.0.flags)?);
        *self.0.known.lock() = known;
        Ok(())
    }

    /// The files that it reads.
    pub fn files(&self) -> Vec<&Path> {
        let IceFlags { ice_server_file, turn_secret_file, .. } = &self.0.flags;
        ice_server_file.iter().chain(turn_secret_file).map(PathBuf::as_path).collect()
    }

    /// Whether what clients are told is good for some time only, and for one client.
    pub fn expire(&self) -> bool {
        self.0.flags.turn_secret_file.is_some()
    }

    /// After which time a client is to be told anew, if at all: early enough to come in time, and up to a tenth of
    /// their life earlier, so that clients that came together are not told together for ever.
    pub fn renewed_after(&self) -> Option<Duration> {
        let ttl = self.0.flags.turn_ttl();
        let early = (ttl / 5).max(limits::TURN_RENEWED_BEFORE);
        self.expire().then(|| (ttl - early).saturating_sub(ttl.mul_f64(fastrand::f64() / 10.0)))
    }

    /// What a client is told at `now`.
    pub fn of_client(&self, client: ClientId, now: SystemTime) -> Arc<[IceServer]> {
        let known = Arc::clone(&self.0.known.lock());
        let Known { servers, secret } = &*known;
        let Some(secret) = secret else { return Arc::clone(servers) };
        let expires_at = now + self.0.flags.turn_ttl();
        let Credentials { username, credential } = Credentials::of(secret, &client, expires_at);
        let with_credentials = |server: &IceServer| {
            if server.lacks_credentials() {
                server.with_credentials(username.clone(), credential.clone())
            } else {
                server.clone()
            }
        };
        servers.iter().map(with_credentials).collect()
    }
}

impl Known {
    fn read(flags: &IceFlags) -> Result<Self, IceServersError> {
        let mut servers = flags.ice_servers.clone();
        if let Some(file) = &flags.ice_server_file {
            servers.extend(servers_of(file)?);
        }
        let secret = flags.turn_secret_file.as_deref();
        let secret = secret.map(|file| Secret::read("--turn-secret-file", file)).transpose()?;
        match (servers.iter().any(IceServer::lacks_credentials), &secret) {
            (true, None) => Err(IceServersError::NoSecret),
            (false, Some(_)) => Err(IceServersError::NoServer),
            (true, Some(_)) | (false, None) => Ok(Self { servers: servers.into(), secret }),
        }
    }
}

fn servers_of(file: &Path) -> Result<Vec<IceServer>, IceServersError> {
    let read = read_guarded("--ice-server-file", file, true);
    let text = read.and_then(|bytes| Ok(String::from_utf8(bytes).map_err(io::Error::other)?));
    let servers = IceServer::of_lines(&text.map_err(IceServersError::Unreadable)?)?;
    if servers.is_empty() { Err(IceServersError::Empty) } else { Ok(servers) }
}
