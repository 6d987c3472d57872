//! The flags of the administrators' door.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use clap::{
    ArgAction, Args,
    builder::{BoolishValueParser, OsStringValueParser, TypedValueParser},
};

use super::Contradiction;

/// What every administrator's token begins with, so that one is known for what it is wherever it turns up.
pub const ADMIN_TOKEN_PREFIX: &str = "sp_admin_";

#[expect(missing_docs, reason = "a text here would take the place of the command's own in --help")]
#[derive(Debug, Clone, Args)]
pub struct AdminDoor {
    /// Who may administer: a file with a line for each, of a name, a role (viewer or admin) and what shows who it
    /// is. `signalpost gen-token admin` makes a token and its line. Without it, all who reach --admin-listen may.
    #[arg(long, env = "SIGNALPOST_ADMIN_TOKEN_FILE", value_name = "FILE", value_parser = OsStringValueParser::new().try_map(file_of_secrets))]
    pub admin_token_file: Option<PathBuf>,

    /// The certificate chain (PEM) for gRPC and /metrics over TLS.
    #[arg(
        long,
        env = "SIGNALPOST_ADMIN_TLS_CERT",
        value_name = "FILE",
        requires = "admin_tls_key"
    )]
    pub admin_tls_cert: Option<PathBuf>,

    /// That certificate's private key (PEM).
    #[arg(
        long,
        env = "SIGNALPOST_ADMIN_TLS_KEY",
        value_name = "FILE",
        requires = "admin_tls_cert"
    )]
    pub admin_tls_key: Option<PathBuf>,

    /// The certificates (PEM) of those who sign administrators' own. Whoever shows one that they signed needs no token;
    /// --admin-token-file has a line for it, with `cn:` and its common name or `dn:` and its whole subject.
    #[arg(long, env = "SIGNALPOST_ADMIN_CLIENT_CA", value_name = "FILE", requires_all = ["admin_tls_cert", "admin_token_file"])]
    pub admin_client_ca: Option<PathBuf>,

    /// Let administrators in from elsewhere without TLS, where a proxy or a private network keeps tokens from others.
    #[arg(
        long, env = "SIGNALPOST_ADMIN_PLAINTEXT", value_name = "true|false",
        default_value_t = false, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, hide_possible_values = true, action = ArgAction::Set,
        value_parser = BoolishValueParser::new())]
    pub admin_plaintext: bool,
}

impl AdminDoor {
    /// Whether what can be reached there is kept well enough.
    pub(super) fn check(&self, address: SocketAddr) -> Result<(), Contradiction> {
        let is_secure = self.admin_tls_cert.is_some();
        if is_secure && self.admin_plaintext {
            return Err(Contradiction::AdminPlaintextAndTls);
        }
        if address.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        if self.admin_token_file.is_none() {
            return Err(Contradiction::AdminExposed(address));
        }
        if is_secure || self.admin_plaintext {
            return Ok(());
        }
        Err(Contradiction::AdminUnencrypted(address))
    }
}

/// Whether a word is or holds a token, which must not be repeated.
pub(super) fn may_hold_token(word: &str) -> bool {
    word.to_ascii_lowercase().contains(ADMIN_TOKEN_PREFIX)
}

/// An argument is seen by everyone on the machine.
fn file_of_secrets(value: OsString) -> Result<PathBuf, &'static str> {
    if may_hold_token(&value.to_string_lossy()) {
        return Err(
            "it is a token itself, which others can read in the list of processes; write the \
                    line of `signalpost gen-token admin` to a file and name that",
        );
    }
    Ok(value.into())
}
