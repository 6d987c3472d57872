//! STUN and TURN servers, as flags and as what browsers get.

use std::{ffi::OsStr, fmt, str::FromStr};

use clap::{Arg, Command, builder::TypedValueParser, error::ErrorKind};
use percent_encoding::percent_decode_str;
use serde::Serialize;

const SCHEMES: [&str; 4] = ["stun:", "stuns:", "turn:", "turns:"];

const SHOWN: &str = "it holds a secret, which others can read in the list of processes; write it to the file of \
                     --ice-server-file, or to the variable SIGNALPOST_ICE_SERVER";

/// One STUN or TURN server, in the shape of a browser's `RTCIceServer` (W3C WebRTC).
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct IceServer {
    urls: [String; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

/// A line of a file of servers that cannot be read. What it says is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {mend}")]
pub struct BadLine {
    line: usize,
    mend: &'static str,
}

impl FromStr for IceServer {
    type Err = &'static str;

    /// Reads `stun:HOST[:PORT]` and `turn:USER:SECRET@HOST[:PORT][?transport=…]` (RFC 7064, RFC 7065 with
    /// the credentials put in), and both with `s` for TLS. The user may hold colons, as coturn's temporary ones
    /// do (`EXPIRY:USER`); a colon in the secret is written `%3A`, and a percent sign `%25`, in either. Without them it
    /// is a server that shares the secret of `--turn-secret-file`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORMS: &str = "use stun:HOST[:PORT], turn:HOST[:PORT] or turn:USER:SECRET@HOST[:PORT], or stuns: or \
                             turns: for TLS";
        const NO_CREDENTIALS: &str =
            "a TURN server's credentials are a user and a secret: use turn:USER:SECRET@HOST[:PORT]";

        let (scheme, rest) = text.split_once(':').ok_or(FORMS)?;
        let (credentials, host) = match (scheme, rest.rsplit_once('@')) {
            ("stun" | "stuns" | "turn" | "turns", None) => (None, rest),
            ("turn" | "turns", Some((credentials, host))) => {
                (Some(credentials.rsplit_once(':').ok_or(NO_CREDENTIALS)?), host)
            }
            _ => return Err(FORMS),
        };
        if host.is_empty()
            || host.starts_with(['/', ':', '?'])
            || host.contains(|c: char| c.is_whitespace() || c == ',')
            || !has_proper_port(host)
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

impl IceServer {
    /// Reads a file of servers, with blanks, commas or line ends between, and comments from a `#` to the line's end.
    ///
    /// # Errors
    /// [`BadLine`].
    pub fn of_lines(text: &str) -> Result<Vec<Self>, BadLine> {
        let mut servers = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let begins = |at: &usize| text[..*at].chars().last().is_none_or(char::is_whitespace);
            let comment = text.match_indices('#').map(|(at, _)| at).find(begins);
            for entry in entries(&text[..comment.unwrap_or(text.len())]) {
                servers.push(entry.parse().map_err(|mend| BadLine { line, mend })?);
            }
        }
        Ok(servers)
    }

    /// Whether it relays only for those who show a credential, and has none itself.
    pub fn lacks_credentials(&self) -> bool {
        self.urls[0].starts_with("turn") && self.credential.is_none()
    }

    /// The same server, with these credentials.
    #[must_use]
    pub fn with_credentials(&self, username: String, credential: String) -> Self {
        let urls = self.urls.clone();
        Self { urls, username: Some(username), credential: Some(credential) }
    }

    /// All that is said of it.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let credentials = self.username.iter().chain(&self.credential);
        self.urls.iter().chain(credentials).map(String::as_str)
    }
}

/// Whether nothing but a port stands behind `HOST:`. Without a host, a user and a secret look much the same, and would
/// be told to everybody.
fn has_proper_port(host: &str) -> bool {
    let place = host.split_once('?').map_or(host, |(place, _)| place);
    let behind_address = place.rsplit_once(']').map_or(place, |(_, behind)| behind);
    behind_address.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok())
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
pub(super) enum Secretive {
    /// As an argument, which everyone on the machine can read: it must hold no secret.
    Argument,
    /// As a variable.
    Variable,
}

impl TypedValueParser for Secretive {
    type Value = IceServer;

    fn parse_ref(
        &self,
        _: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<IceServer, clap::Error> {
        let parsed = value.to_str().ok_or("it must be UTF-8").and_then(str::parse::<IceServer>);
        let server = parsed.and_then(|server| match (self, &server.credential) {
            (Self::Argument, Some(_)) => Err(SHOWN),
            _ => Ok(server),
        });
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
            ("turn:turn.example.org", r#"{"urls":["turn:turn.example.org"]}"#),
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
            "turn:ann@example.org",
            "turn::x@a",
            "turn:ann:%FF@a",
            "stun://a",
            "stun:a,b",
            "turn:ann:hunter2",
            "turn:ann:p@a:hunter2?transport=tcp",
        ] {
            assert!(flag.parse::<IceServer>().is_err(), "{flag}");
        }
    }

    #[test]
    fn a_file_has_servers_in_any_number_on_a_line_and_comments() {
        let lines = "# ours\nturn:ann:p#1@a stun:b # not c: stun:c\r\n\n\tturns:d,stuns:e\n#";
        let servers = IceServer::of_lines(lines).unwrap();
        let shown = servers.iter().map(|server| server.texts().collect::<Vec<_>>());
        let expected: [&[&str]; 4] =
            [&["turn:a", "ann", "p#1"], &["stun:b"], &["turns:d"], &["stuns:e"]];
        assert_eq!(shown.collect::<Vec<_>>(), expected);
        let lacking = servers.iter().map(IceServer::lacks_credentials);
        assert_eq!(lacking.collect::<Vec<_>>(), [false, false, true, false]);
        let fault = IceServer::of_lines("stun:a\n\nann:hunter2@b").unwrap_err().to_string();
        assert!(fault.starts_with("line 3: use stun:") && !fault.contains("hunter2"), "{fault}");
    }
}
