//! The flags of STUN and TURN servers.

use clap::Args;

use super::{IceServer, ice};

#[expect(missing_docs, reason = "a text here would take the place of the command's own in --help")]
#[derive(Debug, Clone, Args)]
pub struct IceFlags {
    /// A STUN or TURN server for browsers to use: stun:HOST, turn:USER:SECRET@HOST. May be given more than once,
    /// in the variable with spaces or commas between. A colon in the secret is written %3A, a percent sign %25.
    #[arg(
        long = "ice-server",
        env = "SIGNALPOST_ICE_SERVER",
        value_name = "URL",
        value_delimiter = ' ',
        hide_env_values = true, value_parser = ice::Secretive)]
    pub ice_servers: Vec<IceServer>,
}
