//! The flags of STUN and TURN servers.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::{IceServer, ice, limits};

#[expect(missing_docs, reason = "a text here would take the place of the command's own in --help")]
#[derive(Debug, Clone, Args)]
pub struct IceFlags {
    /// A STUN or TURN server for browsers to use: stun:HOST, turn:HOST where there is --turn-secret-file. May be given
    /// more than once, in the variable with spaces or commas between. There, and in --ice-server-file, TURN servers may
    /// be turn:USER:SECRET@HOST; a colon in the secret is written %3A, a percent sign %25.
    #[arg(
        long = "ice-server",
        env = "SIGNALPOST_ICE_SERVER",
        value_name = "URL",
        value_delimiter = ' ',
        hide_env_values = true, value_parser = ice::Secretive::Argument)]
    pub ice_servers: Vec<IceServer>,

    /// A file of more such servers, one a line, with comments after a #. It is read anew when it changes, and at
    /// SIGHUP.
    #[arg(long, env = "SIGNALPOST_ICE_SERVER_FILE", value_name = "FILE")]
    pub ice_server_file: Option<PathBuf>,

    /// A file that holds the secret of the TURN servers without a USER:SECRET (coturn's static-auth-secret). Each
    /// client in a room gets credentials of its own, made with it, before those end that it has. Read anew when it
    /// changes, and at SIGHUP.
    #[arg(long, env = "SIGNALPOST_TURN_SECRET_FILE", value_name = "FILE")]
    pub turn_secret_file: Option<PathBuf>,

    /// How long such credentials are good.
    #[arg(long = "turn-ttl", env = "SIGNALPOST_TURN_TTL", value_name = "SECONDS", default_value_t = 3600, requires = "turn_secret_file", value_parser = clap::value_parser!(u64).range(limits::TURN_SECONDS))]
    pub turn_ttl_seconds: u64,
}

impl IceFlags {
    /// How long credentials of a client's own are good.
    pub fn turn_ttl(&self) -> Duration {
        Duration::from_secs(self.turn_ttl_seconds)
    }
}
