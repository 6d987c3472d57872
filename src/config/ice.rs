//! STUN and TURN servers, as flags and as what browsers get.

use std::{ffi::OsStr, fmt, str::FromStr};

use clap::{Arg, Command, builder::TypedValueParser, error::ErrorKind};
use percent_encoding::percent_decode_str;
use serde::Serialize;

const SCHEMES: [&str; 4] = ["stun:", "stuns:", "turn:", "turns:"];

/// One STUN or TURN server, in the shape of a browser's `RTCIceServer` (W3C WebRTC).
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct IceServer {
    urls: [String; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

impl FromStr for IceServer {
    type Err = &'static str;

    /// Reads `stun:HOST[:PORT]` and `turn:USER:SECRET@HOST[:PORT][?transport=…]` (RFC 7064, RFC 7065 with
    /// the credentials put in), and both with `s` for TLS. The user may hold colons, as coturn's temporary ones
    /// do (`EXPIRY:USER`); a colon in the secret is written `%3A`, and a percent sign `%25`, in either.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORMS: &str =
            "use stun:HOST[:PORT] or turn:USER:SECRET@HOST[:PORT], or stuns: or turns: for TLS";
        const NO_CREDENTIALS: &str =
            "a TURN server needs credentials: use turn:USER:SECRET@HOST[:PORT]";

        let (scheme, rest) = text.split_once(':').ok_or(FORMS)?;
        let (credentials, host) = match (scheme, rest.rsplit_once('@')) {
            ("stun" | "stuns", None) => (None, rest),
            ("turn" | "turns", None) => return Err(NO_CREDENTIALS),
            ("turn" | "turns", Some((credentials, host))) => {
                (Some(credentials.rsplit_once(':').ok_or(NO_CREDENTIALS)?), host)
            }
            _ => return Err(FORMS),
        };
        if host.is_empty()
            || host.starts_with(['/', ':', '?'])
            || host.contains(|c: char| c.is_whitespace() || c == ',')
        {
            return Err(FORMS);
        }
        let (username, credential) = credentials.unzip();
        if username == Some("") || credential == Some("") {
            return Err(NO_CREDENTIALS);
        }
        let decoded = |text: Option<&str>| {
            let text = text.map(|text| percent_decode_str(text).decode_utf8()).transpose();
            text.map(|text| text.map(Into::into)).map_err(|_| "what %XX stands for must be UTF-8")
        };
        Ok(Self {
            urls: [format!("{scheme}:{host}")],
            username: decoded(username)?,
            credential: decoded(credential)?,
        })
    }
}

/// The servers of a list, which have blanks or commas between. A comma before anything but a scheme belongs to
/// a secret.
pub(super) fn entries(list: &str) -> impl Iterator<Item = &str> {
    let entries = list.split_whitespace().flat_map(|run| {
        let begins = |at: &usize| SCHEMES.iter().any(|scheme| run[at + 1..].starts_with(scheme));
        let mut commas: Vec<usize> =
            run.match_indices(',').map(|(at, _)| at).filter(begins).collect();
        commas.push(run.len());
        let mut start = 0;
        commas.into_iter().map(move |end| &run[std::mem::replace(&mut start, end)..end])
    });
    entries.map(|entry| entry.trim_matches(',')).filter(|entry| !entry.is_empty())
}

/// Whether a word looks like a TURN server, which has its secret in it.
pub(super) fn may_hold_secret(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    word.contains('@') || word.contains("turn:") || word.contains("turns:")
}

/// Reads the flag, and does not repeat its value in the error: start-up errors end up in logs.
#[derive(Debug, Clone)]
pub(super) struct Secretive;

impl TypedValueParser for Secretive {
    type Value = IceServer;

    fn parse_ref(
        &self,
        _: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<IceServer, clap::Error> {
        let server = value.to_str().ok_or("it must be UTF-8").and_then(str::parse);
        server.map_err(|mend| {
            let text = format!("invalid value for '--ice-server <URL>': {mend}\n");
            clap::Error::raw(ErrorKind::ValueValidation, text)
        })
    }
}

/// Without the secret.
impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IceServer").field(&self.urls[0]).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_what_browsers_take() {
        for (flag, expected) in [
            ("stun:stun.example.org", r#"{"urls":["stun:stun.example.org"]}"#),
            ("stuns:stun.example.org:5349", r#"{"urls":["stuns:stun.example.org:5349"]}"#),
            (
                "turn:ann:p@ss%3Aword@[2001:db8::1]:3478?transport=tcp",
                r#"{"urls":["turn:[2001:db8::1]:3478?transport=tcp"],"username":"ann","credential":"p@ss:word"}"#,
            ),
            (
                "turn:1900000000:ann:SECRET@turn.example.org",
                r#"{"urls":["turn:turn.example.org"],"username":"1900000000:ann","credential":"SECRET"}"#,
            ),
            (
                "turns:1900000000%3Aann:100%25%40home@turn.example.org",
                r#"{"urls":["turns:turn.example.org"],"username":"1900000000:ann","credential":"100%@home"}"#,
            ),
        ] {
            let server: IceServer = flag.parse().unwrap();
            assert_eq!(serde_json::to_string(&server).unwrap(), expected);
        }
        for flag in [
            "",
            "example.org",
            "http://a",
            "stun:",
            "turn:example.org",
            "turn:ann@example.org",
            "turn::x@a",
            "turn:ann:%FF@a",
            "stun://a",
            "stun:a,b",
        ] {
            assert!(flag.parse::<IceServer>().is_err(), "{flag}");
        }
    }
}
