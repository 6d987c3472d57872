//! `signalpost gen-token turn`: credentials as clients get them, to try a TURN server with.

use std::{path::PathBuf, time::Duration, time::SystemTime};

use clap::Args;

use crate::{
    config::{BadSecret, Secret, limits},
    turn::Credentials,
};

/// What `gen-token turn` is asked for.
#[derive(Debug, Clone, Args)]
pub struct TurnOptions {
    /// The file that the server has as --turn-secret-file.
    #[arg(long, env = "SIGNALPOST_TURN_SECRET_FILE", value_name = "FILE")]
    pub turn_secret_file: PathBuf,
    /// How long they are good.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=*limits::TURN_SECONDS.end()))]
    pub ttl: u64,
    /// Whose they are, for the TURN server's log; a client's are its clientId's.
    #[arg(long, default_value = "test")]
    pub name: String,
}

impl TurnOptions {
    /// Makes them.
    ///
    /// # Errors
    /// [`BadSecret`].
    pub fn make(&self) -> Result<Credentials, BadSecret> {
        let secret = Secret::read("--turn-secret-file", &self.turn_secret_file)?;
        let expires_at = SystemTime::now() + Duration::from_secs(self.ttl);
        Ok(Credentials::of(&secret, &self.name, expires_at))
    }
}
