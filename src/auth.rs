//! Who may enter by what they show: tokens (JWT, RFC 7519), checked with the keys that the flags name, as RFC 8725
//! asks for. No token is kept, and none gets into a log.

mod jwk_set;
mod key;
mod pass;
mod remote;
mod signer;
#[cfg(test)]
mod tests;
mod token;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use parking_lot::RwLock;

pub use key::BadKey;
pub use pass::Pass;
pub use signer::Signer;

use crate::config::{
    AuthFlags, AuthMode, BadSecret, Jwks, Secret, Unguarded, limits, read_guarded,
};
use {key::Key, pass::Expected, remote::Remote, token::Token};

/// Decides whose tokens are taken. One for each server, unless nobody is asked for one.
#[derive(Debug)]
pub struct Authority {
    is_required: bool,
    expected: Expected,
    files: Files,
    keys: RwLock<Arc<[Key]>>,
    remote: Option<Remote>,
}

/// Why a token is not taken: for the log alone, as a client is told the same whatever it is. Nothing of the token is
/// in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(&'static str);

/// Why no token could be checked. Each text names the flag and the mend.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read. A secret that somebody gave for the name of its file is not repeated.
    #[error("{flag}{}: {error}; name a file that holds {held}", shown(.file.as_deref()))]
    Unreadable {
        /// The flag.
        flag: &'static str,
        /// Its value, if it can be no secret.
        file: Option<PathBuf>,
        /// What the file is to hold.
        held: &'static str,
        /// What the system says.
        error: Unguarded,
    },
    /// The secret is none to take.
    #[error("--jwt-secret-file: {0}")]
    BadSecret(#[from] BadSecret),
    /// Some would never be tried.
    #[error(
        "--jwt-public-key-file: {keys} keys are more than the {} that one token is tried against; put them into a JWK \
         Set with a `kid` each, and name that with --jwks",
        limits::TOKEN_KEYS
    )]
    TooMany {
        /// How many there are.
        keys: usize,
    },
    /// What it holds is no key to take.
    #[error("{flag} {file:?}: {fault}")]
    BadKey {
        /// The flag.
        flag: &'static str,
        /// Its value.
        file: PathBuf,
        /// What is wrong, and the mend.
        fault: BadKey,
    },
    /// No address could be asked.
    #[error(
        "--jwks: no certificate is trusted on this system ({0}); install ca-certificates, or name some in SSL_CERT_FILE"
    )]
    NobodyTrusted(std::io::Error),
}

const NO_KEY: Refused =
    Refused("it is signed with no key that is known, or by an algorithm that is not its key's");

#[derive(Debug)]
struct Files {
    secret: Option<PathBuf>,
    public: Vec<PathBuf>,
    jwks: Option<PathBuf>,
}

impl Authority {
    /// Reads the keys, unless nobody is asked for a token.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn of(flags: &AuthFlags) -> Result<Option<Self>, KeyError> {
        if flags.mode() == AuthMode::Off {
            return Ok(None);
        }
        let mut files = Files {
            secret: flags.jwt_secret_file.clone(),
            public: flags.jwt_public_key_files.clone(),
            jwks: None,
        };
        let remote = match &flags.jwks {
            Some(Jwks::Url(url)) => {
                let name = format!("{}{}", url.origin().ascii_serialization(), url.path());
                Some(Remote::new(name, remote::by_https(url).map_err(KeyError::NobodyTrusted)?))
            }
            Some(Jwks::File(file)) => {
                files.jwks = Some(file.clone());
                None
            }
            None => None,
        };
        Ok(Some(Self {
            is_required: flags.mode() == AuthMode::Required,
            expected: Expected::of(flags),
            keys: RwLock::new(files.read()?),
            files,
            remote,
        }))
    }

    /// Whether nobody comes in without a token.
    pub fn is_required(&self) -> bool {
        self.is_required
    }

    /// What a token says, if it is taken. One with a key that is not known may have the JWK Set fetched: then this
    /// waits, for 5 s at most.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn check(&self, token: &str) -> Result<Pass, Refused> {
        let checked = self.check_signature(token).await;
        if let Err(reason) = &checked {
            tracing::debug!(%reason, "a token is not taken");
        }
        checked
    }

    async fn check_signature(&self, token: &str) -> Result<Pass, Refused> {
        let token = Token::read(token)?;
        let checked = self.verify(&token, SystemTime::now());
        match &self.remote {
            Some(remote)
                if checked == Err(NO_KEY) && remote.look_for(token.key_id.as_deref()).await =>
            {
                self.verify(&token, SystemTime::now())
            }
            _ => checked,
        }
    }

    fn verify(&self, token: &Token<'_>, now: SystemTime) -> Result<Pass, Refused> {
        let own = Arc::clone(&self.keys.read());
        let fetched = self.remote.as_ref().map(Remote::keys);
        let keys = own.iter().chain(fetched.iter().flat_map(|keys| keys.iter()));
        let fitting = keys.filter(|key| key.algorithms.contains(&token.algorithm));
        // A key without a name may be the one, whatever the token calls it, and a token may call it nothing.
        let is_named = |key: &&Key| key.id.is_some() && key.id == token.key_id;
        let may_be = |key: &&Key| key.id.is_none() || token.key_id.is_none();
        let candidates = fitting.clone().filter(is_named).chain(fitting.filter(may_be));
        let claims = candidates.take(limits::TOKEN_KEYS).find_map(|key| token.verify(&key.key));
        let claims = claims.ok_or(NO_KEY)??;
        self.expected.pass(&claims, now)
    }

    /// Keeps the JWK Set of an address, if there is one, for as long as it is polled.
    pub async fn run(&self) {
        match &self.remote {
            Some(remote) => remote.run().await,
            None => std::future::pending().await,
        }
    }

    /// Reads the keys anew, from files at once, from an address as soon as it answers.
    ///
    /// # Errors
    /// [`KeyError`]; then those of before hold on.
    pub fn reload(&self) -> Result<(), KeyError> {
        if let Some(remote) = &self.remote {
            remote.renew();
        }
        *self.keys.write() = self.files.read()?;
        Ok(())
    }

    /// The files that the keys are read from.
    pub fn files(&self) -> Vec<&Path> {
        let Files { secret, public, jwks } = &self.files;
        secret.iter().chain(public).chain(jwks).map(PathBuf::as_path).collect()
    }
}

impl Files {
    fn read(&self) -> Result<Arc<[Key]>, KeyError> {
        let mut keys = Vec::new();
        if let Some(file) = &self.secret {
            keys.push(Key::from_secret(&Secret::read("--jwt-secret-file", file)?));
        }
        for file in &self.public {
            keys.extend(read("--jwt-public-key-file", file, Key::from_pem)?);
        }
        let public = keys.len() - usize::from(self.secret.is_some());
        if public > limits::TOKEN_KEYS {
            return Err(KeyError::TooMany { keys: public });
        }
        if let Some(file) = &self.jwks {
            keys.extend(read("--jwks", file, jwk_set::read)?);
        }
        Ok(keys.into())
    }
}

fn read<T>(
    flag: &'static str,
    file: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, BadKey>,
) -> Result<T, KeyError> {
    let is_secret = flag == "--jwt-private-key-file";
    let unreadable = |error| KeyError::Unreadable {
        flag,
        file: (!is_secret).then(|| file.to_owned()),
        held: if is_secret { "the key, and never give the key itself" } else { "public keys" },
        error,
    };
    let bytes = read_guarded(flag, file, is_secret).map_err(unreadable)?;
    parse(&bytes).map_err(|fault| KeyError::BadKey { flag, file: file.to_owned(), fault })
}

/// A flag's value behind its name.
fn shown(file: Option<&Path>) -> String {
    file.map_or_else(String::new, |file| format!(" {file:?}"))
}
