//! Tokens (JWT) for people in browsers.

use std::{path::PathBuf, time::SystemTime};

use clap::{ArgGroup, Args};
use serde_json::{Value, json};

use super::Made;
use crate::auth::Signer;

/// See the module.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("key").required(true).args(["jwt_secret_file", "jwt_private_key_file"]))]
pub struct User {
    /// The server's --jwt-secret-file; the token is signed by HS256.
    #[arg(long, env = "SIGNALPOST_JWT_SECRET_FILE", value_name = "FILE")]
    jwt_secret_file: Option<PathBuf>,

    /// A private key (PEM, PKCS #8) whose public one the server knows; the token is signed by RS256, ES256, ES384 or
    /// EdDSA, as fits the key.
    #[arg(long, value_name = "FILE")]
    jwt_private_key_file: Option<PathBuf>,

    /// Who it is for: the userId.
    #[arg(long, value_name = "USER")]
    sub: String,

    /// What to show of them to people: the displayName.
    #[arg(long)]
    name: Option<String>,

    /// The rooms that it is for, as names or as beginnings of names with a * behind them. May be given more than once.
    ///
    /// Default: every room.
    #[arg(long, value_name = "ROOM", value_delimiter = ',')]
    rooms: Vec<String>,

    /// What they may do in a room: guest, member or host.
    #[arg(long)]
    role: Option<String>,

    /// For how many seconds it is good.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=315_360_000))]
    ttl: u64,

    /// Who issues it, as the server's --jwt-issuer has it.
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,

    /// For whom it is, as the server's --jwt-audience has it. May be given more than once.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    audience: Vec<String>,

    /// What the server is to vouch for beside all this: JSON, at most 1 KiB.
    #[arg(long, value_name = "JSON", value_parser = json_of)]
    metadata: Option<Value>,

    /// The key's name in the server's --jwks.
    #[arg(long, value_name = "NAME")]
    kid: Option<String>,
}

impl User {
    pub(super) fn make(&self) -> Result<Made, String> {
        let signer = match (&self.jwt_secret_file, &self.jwt_private_key_file) {
            (Some(file), _) => Signer::with_secret(file),
            (None, Some(file)) => Signer::with_private_key(file),
            (None, None) => return Err("name a key with --jwt-secret-file".to_owned()),
        };
        let signer = signer.map_err(|fault| fault.to_string())?;
        let token = signer.sign(self.kid.as_deref(), &self.claims());
        let text = token.map_err(|refused| format!("no server would take it: {refused}"))?;
        Ok(Made { text, hint: "A token, which lets in whoever has it." })
    }

    fn claims(&self) -> Value {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = now.as_secs();
        let list = |names: &[String]| (!names.is_empty()).then(|| json!(names));
        let mut claims = json!({"sub": self.sub, "iat": now, "exp": now + self.ttl});
        for (name, value) in [
            ("name", self.name.as_ref().map(|name| json!(name))),
            ("role", self.role.as_ref().map(|role| json!(role))),
            ("rooms", list(&self.rooms)),
            ("iss", self.issuer.as_ref().map(|issuer| json!(issuer))),
            ("aud", list(&self.audience)),
            ("metadata", self.metadata.clone()),
        ] {
            if let Some(value) = value {
                claims[name] = value;
            }
        }
        claims
    }
}

fn json_of(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text)
}
