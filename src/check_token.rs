//! `signalpost check-token`: says of a token what a server with the same flags would.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Read},
    path::PathBuf,
};

use clap::{CommandFactory, Parser, error::ErrorKind};
use serde_json::{Value, json};

use crate::{
    auth::{Authority, Pass},
    config::{AuthFlags, read_settings},
};

/// Reads a token (JWT) and prints what it says, or why a server with these flags would not take it.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "signalpost check-token",
    bin_name = "signalpost check-token",
    max_term_width = 100
)]
pub struct Options {
    /// The file that holds the token; without it, standard input does.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// The server's flags.
    #[command(flatten)]
    pub auth_flags: AuthFlags,
}

/// Why there is nothing to print.
#[derive(Debug, thiserror::Error)]
pub enum NotChecked {
    /// The flags, or what they name, are at fault. The text names the mend.
    #[error("{0}")]
    Usage(String),
    /// The token is not taken.
    #[error("the token is not taken: {0}")]
    Refused(String),
}

impl Options {
    /// Reads what follows `check-token` on the command line.
    ///
    /// # Errors
    /// clap's, which is an answer where it is not meant for standard error: `--help`. It repeats no token.
    pub fn from_words(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<_> = words.into_iter().collect();
        // An argument is seen by everyone on the machine, and a fault's text ends up in logs.
        if words.iter().any(|word| word.to_string_lossy().contains("eyJ")) {
            let text = "a token is no argument, as others can read those in the list of processes; give it on \
                        standard input, or in a file\n";
            return Err(clap::Error::raw(ErrorKind::ValueValidation, text));
        }
        let words = [OsString::from("signalpost check-token")].into_iter().chain(words);
        read_settings(Self::command(), &words.collect::<Vec<_>>(), |name| env::var_os(name))
    }

    /// What the token says, as JSON.
    ///
    /// # Errors
    /// [`NotChecked`].
    pub async fn check(&self) -> Result<Value, NotChecked> {
        let usage = |fault: &dyn std::fmt::Display| NotChecked::Usage(fault.to_string());
        self.auth_flags.check().map_err(|fault| usage(&fault))?;
        let authority = Authority::of(&self.auth_flags).map_err(|fault| usage(&fault))?;
        let authority = authority.ok_or_else(|| usage(&"no key is given; see --help"))?;
        let token = self.read().map_err(|fault| usage(&fault))?;
        tokio::select! {
            pass = authority.check(token.trim()) => {
                pass.map(|pass| shown(&pass)).map_err(|refused| NotChecked::Refused(refused.to_string()))
            }
            () = authority.run() => unreachable!("it runs for as long as it is polled"),
        }
    }

    fn read(&self) -> io::Result<String> {
        match &self.file {
            Some(file) => fs::read_to_string(file),
            None => {
                let mut token = String::new();
                io::stdin().take(1 << 20).read_to_string(&mut token)?;
                Ok(token)
            }
        }
    }
}

fn shown(pass: &Pass) -> Value {
    let vouched = pass.vouched.metadata.as_deref().map(serde_json::from_str::<Value>);
    json!({
        "userId": pass.user_id,
        "displayName": pass.display_name,
        "role": pass.role.as_str(),
        "rooms": pass.rooms(),
        "metadata": vouched.map(|json| json.expect("checked when it was read")),
        "expiresAt": prost_types::Timestamp::from(pass.expires_at).to_string(),
    })
}
