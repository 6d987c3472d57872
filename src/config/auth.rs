//! The flags of the browsers' door.

use std::{ffi::OsString, path::PathBuf, str::FromStr};

use clap::{
    Args, ValueEnum,
    builder::{OsStringValueParser, TypedValueParser},
};
use url::Url;

use super::Contradiction;

#[expect(missing_docs, reason = "a text here would take the place of the command's own in --help")]
#[derive(Debug, Clone, Default, Args)]
pub struct AuthFlags {
    /// Whether browsers need a token (JWT, RFC 7519) to join a room: `required`; `optional` lets guests in beside
    /// those who have one; `off` asks nobody.
    ///
    /// Default: required with a key for tokens, off without one.
    #[arg(long, env = "SIGNALPOST_AUTH", value_name = "MODE", hide_possible_values = true)]
    pub auth: Option<AuthMode>,

    /// The secret that tokens are signed with by HS256, HS384 or HS512: a file with at least 32 bytes on one line, as
    /// `openssl rand -hex 64` makes them. They are taken as they stand, without the line's end.
    #[arg(long, env = "SIGNALPOST_JWT_SECRET_FILE", value_name = "FILE")]
    pub jwt_secret_file: Option<PathBuf>,

    /// A public key of who signs tokens (PEM): RSA for RS256 to PS512, P-256 for ES256, P-384 for ES384, Ed25519 for
    /// EdDSA. May be given more than once; all together are 8 keys at most.
    #[arg(
        long = "jwt-public-key-file",
        env = "SIGNALPOST_JWT_PUBLIC_KEY_FILE",
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub jwt_public_key_files: Vec<PathBuf>,

    /// The public keys of who signs tokens, as a JWK Set (RFC 7517): a file, or an https address, which is asked every
    /// ten minutes, and for a key that is not known yet. A token without a `kid` is tried against 8 of them at most.
    #[arg(long, env = "SIGNALPOST_JWKS", value_name = "FILE|URL", value_parser = OsStringValueParser::new().try_map(jwks))]
    pub jwks: Option<Jwks>,

    /// Who must have issued a token (`iss`).
    ///
    /// Default: whoever has a key.
    #[arg(long, env = "SIGNALPOST_JWT_ISSUER", value_name = "NAME", value_parser = issuer)]
    pub jwt_issuer: Option<String>,

    /// For whom a token must be (`aud`). May be given more than once; one of them is enough.
    ///
    /// Default: for nobody in particular. A token that names an audience is not taken then.
    #[arg(
        long = "jwt-audience",
        env = "SIGNALPOST_JWT_AUDIENCE",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = audience
    )]
    pub jwt_audiences: Vec<String>,
}

/// Who needs a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthMode {
    /// Everybody.
    Required,
    /// Nobody, but it counts.
    Optional,
    /// Nobody is asked for one.
    Off,
}

impl AuthMode {
    /// As the flag has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
            Self::Off => "off",
        }
    }
}

/// Where a JWK Set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jwks {
    /// In a file.
    File(PathBuf),
    /// Behind an https address.
    Url(Url),
}

impl AuthFlags {
    /// Who needs a token.
    pub fn mode(&self) -> AuthMode {
        let usual = || if self.have_key() { AuthMode::Required } else { AuthMode::Off };
        self.auth.unwrap_or_else(usual)
    }

    /// Whether the flags fit each other.
    ///
    /// # Errors
    /// A [`Contradiction`].
    pub fn check(&self) -> Result<(), Contradiction> {
        let about_tokens = match self {
            Self { jwt_issuer: Some(_), .. } => Some("--jwt-issuer"),
            Self { jwt_audiences, .. } if !jwt_audiences.is_empty() => Some("--jwt-audience"),
            _ => None,
        };
        match (self.mode(), self.have_key(), about_tokens) {
            (AuthMode::Off, true, _) => Err(Contradiction::KeyForNobody),
            (AuthMode::Required | AuthMode::Optional, false, _) => Err(Contradiction::NoKey),
            (AuthMode::Off, false, Some(flag)) => Err(Contradiction::ClaimWithoutKey(flag)),
            _ => Ok(()),
        }
    }

    fn have_key(&self) -> bool {
        self.jwt_secret_file.is_some()
            || !self.jwt_public_key_files.is_empty()
            || self.jwks.is_some()
    }
}

/// As it stands: a token's must be the same to the last character.
fn issuer(value: &str) -> Result<String, &'static str> {
    let is_one = !value.trim().is_empty();
    is_one.then(|| value.to_owned()).ok_or("no token is issued by nobody; leave the flag out")
}

fn audience(value: &str) -> Result<String, &'static str> {
    let name = value.trim();
    let is_one = !name.is_empty();
    is_one.then(|| name.to_owned()).ok_or("an audience has a name; leave the flag out")
}

fn jwks(value: OsString) -> Result<Jwks, &'static str> {
    match value.to_str().filter(|text| text.contains("://")) {
        Some(text) => text.trim().parse(),
        None => Ok(Jwks::File(value.into())),
    }
}

impl FromStr for Jwks {
    type Err = &'static str;

    /// Reads an address.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let url: Url = text.parse().map_err(|_| "it is no proper address")?;
        if url.scheme() != "https" {
            return Err("anybody on the way could put in keys of their own; use https, or a file");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it must have no user and no password: a JWK Set is for everybody to read");
        }
        Ok(Self::Url(url))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{super::Config, *};

    fn config(flags: &str) -> Result<Config, clap::Error> {
        Config::try_parse_from(["signalpost"].into_iter().chain(flags.split_whitespace()))
    }

    #[test]
    fn a_key_asks_everybody_for_a_token() {
        for (flags, mode) in [
            ("", AuthMode::Off),
            ("--auth off", AuthMode::Off),
            ("--jwt-secret-file f", AuthMode::Required),
            ("--jwt-public-key-file f", AuthMode::Required),
            ("--jwks f", AuthMode::Required),
            ("--jwks f --auth required", AuthMode::Required),
            ("--jwks f --auth optional", AuthMode::Optional),
        ] {
            let config = config(flags).unwrap();
            assert_eq!((config.auth_mode(), config.check()), (mode, Ok(())), "{flags}");
        }
    }

    #[test]
    fn flags_that_do_not_fit_each_other_are_refused_by_name() {
        for (flags, refused) in [
            ("--auth required", Contradiction::NoKey),
            ("--auth optional --jwt-issuer a", Contradiction::NoKey),
            ("--auth off --jwt-secret-file f", Contradiction::KeyForNobody),
            ("--auth off --jwks f --jwt-issuer a", Contradiction::KeyForNobody),
            ("--jwt-issuer a", Contradiction::ClaimWithoutKey("--jwt-issuer")),
            ("--auth off --jwt-audience a", Contradiction::ClaimWithoutKey("--jwt-audience")),
        ] {
            assert_eq!(config(flags).unwrap().check(), Err(refused), "{flags}");
        }
    }

    #[test]
    fn audiences_and_issuers_have_names() {
        let config = |flag: &str, value: &str| {
            Config::try_parse_from(["signalpost", "--jwks", "f", flag, value])
        };
        let audiences = config("--jwt-audience", "calls, chat ").unwrap().auth_flags.jwt_audiences;
        assert_eq!(audiences, ["calls", "chat"]);
        for (flag, value) in [
            ("--jwt-audience", ""),
            ("--jwt-audience", " "),
            ("--jwt-audience", "calls,"),
            ("--jwt-issuer", ""),
            ("--jwt-issuer", " "),
        ] {
            let fault = config(flag, value).unwrap_err().to_string();
            assert!(fault.contains(flag) && fault.contains("leave the flag out"), "{fault}");
        }
    }

    #[test]
    fn a_jwk_set_comes_from_a_file_or_by_https() {
        let jwks = |value: &str| config(&format!("--jwks {value}")).map(|c| c.auth_flags.jwks);
        let url = "https://login.example.org/keys?v=1";
        assert_eq!(jwks(url).unwrap(), Some(Jwks::Url(url.parse().unwrap())));
        assert_eq!(jwks("/etc/keys.json").unwrap(), Some(Jwks::File("/etc/keys.json".into())));
        for (refused, why) in [
            ("http://login.example.org/keys", "use https"),
            ("ftp://login.example.org/keys", "use https"),
            ("https://", "no proper address"),
            ("https://ann:hunter2@login.example.org/keys", "no user"),
        ] {
            let fault = jwks(refused).unwrap_err().to_string();
            assert!(fault.contains("--jwks") && fault.contains(why), "{fault}");
        }
    }
}
