//! `signalpost gen-token`: makes a secret for somebody who may come in. It is shown once, and kept nowhere.

mod turn;
mod user;

use std::{ffi::OsString, fmt};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::{Parser, Subcommand};
use tokio_rustls::rustls::crypto::ring;

pub use turn::TurnOptions;

use crate::{
    admin::credentials::{self, Role},
    config::{ADMIN_TOKEN_PREFIX, refuse_pasted},
    event::Administrator,
};
pub use user::User;

/// Makes a token, shows it once, and keeps it nowhere.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "signalpost gen-token",
    bin_name = "signalpost gen-token",
    max_term_width = 100,
    arg_required_else_help = false
)]
pub struct Options {
    /// For whom.
    #[command(subcommand)]
    pub kind: Kind,
}

/// For whom a token is.
#[derive(Debug, Clone, Subcommand)]
pub enum Kind {
    /// For an administrator or a backend service: prints the bearer token, and below it the line for the file of
    /// --admin-token-file, which holds the token's SHA-256 only.
    Admin {
        /// Who it is, in events and in the audit log: at most 64 letters, digits and . _ - @.
        name: Administrator,
        /// What they may do: see everything, or make every call.
        #[arg(long)]
        role: Role,
    },
    /// For somebody in a browser, to try a server out: prints a token (JWT) that is signed with the server's secret, or
    /// with a private key of which it knows the public one. `signalpost check-token` reads it.
    User(Box<User>),
    /// For trying a TURN server: prints a username and a credential, as a client in a room gets them.
    Turn(TurnOptions),
}

/// What was made, for standard output, and what to do with it, for people.
pub struct Made {
    /// The token, on a line of its own, and below it what else is to be known, if anything.
    pub text: String,
    /// What each line is for.
    pub hint: &'static str,
}

impl Options {
    /// Reads what follows `gen-token` on the command line.
    ///
    /// # Errors
    /// clap's, which is an answer where it is not meant for standard error: `--help`.
    pub fn from_words(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<_> = words.into_iter().collect();
        refuse_pasted(&words)?;
        Self::try_parse_from([OsString::from("signalpost gen-token")].into_iter().chain(words))
    }

    /// Makes what is asked for.
    ///
    /// # Errors
    /// For people: what cannot be made, with the flag at fault and the mend.
    pub fn make(&self) -> Result<Made, String> {
        match &self.kind {
            Kind::Admin { name, role } => Ok(admin(name, *role)),
            Kind::User(user) => user.make(),
            Kind::Turn(options) => {
                let made =
                    options.make().map_err(|fault| format!("--turn-secret-file: {fault}"))?;
                let hint = "The first line is the username, the second one the credential.";
                Ok(Made { text: format!("{}\n{}", made.username, made.credential), hint })
            }
        }
    }
}

/// Without what it made.
impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Made").field("hint", &self.hint).finish_non_exhaustive()
    }
}

/// A token of 256 bits from the system's source of randomness.
fn admin(name: &Administrator, role: Role) -> Made {
    let mut secret = [0; 32];
    let random = ring::default_provider().secure_random;
    random.fill(&mut secret).expect("the system has a source of randomness");
    let token = format!("{ADMIN_TOKEN_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(secret));
    let hint = "The first line is the token, which is shown this once; the second one goes to --admin-token-file.";
    Made { text: format!("{token}\n{}", credentials::line_of(name, role, &token)), hint }
}
