//! The flags of the Redis that a fleet of servers shares.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use clap::{
    Arg, ArgAction, Args, Command,
    builder::{BoolishValueParser, TypedValueParser},
    error::ErrorKind,
};
use percent_encoding::percent_decode_str;
use url::Url;
use zeroize::Zeroizing;

use super::{Unguarded, limits, read_guarded};

/// Holds the password where no file does.
const PASSWORD_VARIABLE: &str = "SIGNALPOST_REDIS_PASSWORD";
const USUAL_PORT: u16 = 6379;

#[expect(missing_docs, reason = "a text here would take the place of the command's own in --help")]
#[derive(Debug, Clone, Args)]
pub struct RedisFlags {
    /// The Redis (7 or newer, or Valkey) through which servers share their rooms:
    /// `redis://[USER@]HOST[:PORT][/NUMBER]`, or rediss:// for TLS. All that name the same one and the same prefix are
    /// one fleet.
    ///
    /// Default: none. The server stands alone.
    #[arg(long, env = "SIGNALPOST_REDIS_URL", value_name = "URL", value_parser = Unrepeated)]
    pub redis_url: Option<RedisUrl>,

    /// A file that holds the password for it, on one line. Without one, the variable SIGNALPOST_REDIS_PASSWORD may.
    #[arg(
        long,
        env = "SIGNALPOST_REDIS_PASSWORD_FILE",
        value_name = "FILE",
        requires = "redis_url"
    )]
    pub redis_password_file: Option<PathBuf>,

    /// It is a Redis Cluster, of which --redis-url names one server; the others are found by it.
    #[arg(
        long, env = "SIGNALPOST_REDIS_CLUSTER", value_name = "true|false", requires = "redis_url",
        default_value_t = false, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, hide_possible_values = true, action = ArgAction::Set,
        value_parser = BoolishValueParser::new())]
    pub redis_cluster: bool,

    /// What the names of all keys begin with, so that several fleets can share a Redis: up to 64 letters, digits, dots, - and _
    #[arg(long, env = "SIGNALPOST_REDIS_PREFIX", value_name = "NAME", requires = "redis_url", default_value = "signalpost", value_parser = prefix)]
    pub redis_prefix: String,

    /// How long Redis may take to answer. What it has not answered by then is refused, and may be tried again.
    #[arg(long = "redis-timeout-ms", env = "SIGNALPOST_REDIS_TIMEOUT_MS", value_name = "MILLISECONDS", requires = "redis_url", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(limits::REDIS_MILLISECONDS))]
    pub redis_timeout_ms: u64,

    /// About how many events Redis keeps, for servers that were away, and for watchers of one that starts.
    #[arg(long, env = "SIGNALPOST_REDIS_LOG_EVENTS", value_name = "N", requires = "redis_url", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(limits::REDIS_LOG_EVENTS..))]
    pub redis_log_events: u64,

    /// How many replicas of Redis must have what administrators and hosts change of a room, that they end it, or whom they
    /// ban, before they hear that it is done. Fewer within the time for Redis to answer: they hear that it stands and that
    /// a failover may lose it. 0 waits for none.
    #[arg(long, env = "SIGNALPOST_REDIS_WAIT_REPLICAS", value_name = "N", requires = "redis_url", default_value_t = 0, value_parser = clap::value_parser!(u64).range(limits::REDIS_REPLICAS))]
    pub redis_wait_replicas: u64,

    /// How long the others wait for a server that is silent before they give up its seats. It shows itself five times
    /// as often.
    #[arg(long, env = "SIGNALPOST_NODE_LEASE_SECONDS", value_name = "SECONDS", requires = "redis_url", default_value_t = 10, value_parser = clap::value_parser!(u64).range(limits::NODE_LEASE_SECONDS))]
    pub node_lease_seconds: u64,
}

/// Where a Redis is. It holds no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisUrl {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user of its access control list; none is `default`.
    pub user: Option<String>,
    /// The number of the database.
    pub database: u32,
}

/// A password for Redis. `Debug` does not show it.
#[derive(Clone)]
pub struct RedisPassword(Zeroizing<String>);

/// Why there is no password where one was to be. The texts repeat nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum BadRedisPassword {
    /// It cannot be read.
    #[error("--redis-password-file: {0}; name a file that holds the password, on one line")]
    Unreadable(#[from] Unguarded),
    /// It is empty, or which of several would it be?
    #[error("--redis-password-file: it must hold the password alone, on one line, in UTF-8")]
    NotOneLine,
    /// The same of the variable.
    #[error("{PASSWORD_VARIABLE}: it must hold the password alone, in UTF-8")]
    Variable,
    /// Which one would it be?
    #[error("--redis-password-file and {PASSWORD_VARIABLE} are both given; leave out one of them")]
    Both,
}

impl RedisFlags {
    /// How long Redis may take to answer.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.redis_timeout_ms)
    }

    /// How long others wait for a server that is silent.
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.node_lease_seconds)
    }

    /// How often a server shows that it lives.
    pub fn heartbeat(&self) -> Duration {
        self.lease() / 5
    }

    /// The password, from the file or from the variable, if there is one.
    ///
    /// # Errors
    /// [`BadRedisPassword`].
    pub fn password(
        &self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<RedisPassword>, BadRedisPassword> {
        let said = variable(PASSWORD_VARIABLE).filter(|said| !said.is_empty());
        let (bytes, fault) = match (&self.redis_password_file, said) {
            (Some(_), Some(_)) => return Err(BadRedisPassword::Both),
            (Some(file), None) => {
                let bytes = read_guarded("--redis-password-file", file, true)?;
                (bytes, BadRedisPassword::NotOneLine)
            }
            (None, Some(said)) => (said.into_encoded_bytes(), BadRedisPassword::Variable),
            (None, None) => return Ok(None),
        };
        RedisPassword::of(bytes).ok_or(fault).map(Some)
    }
}

impl RedisPassword {
    fn of(bytes: Vec<u8>) -> Option<Self> {
        let mut text = Zeroizing::new(String::from_utf8(bytes).ok()?);
        let length = text.trim_end_matches(['\r', '\n']).len();
        text.truncate(length);
        (!text.is_empty() && !text.contains(['\r', '\n'])).then_some(Self(text))
    }

    /// The password.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RedisPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisPassword(..)")
    }
}

impl FromStr for RedisUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORMS: &str =
            "use redis://[USER@]HOST[:PORT][/NUMBER], or rediss:// for a Redis with TLS";

        let url = Url::parse(text).map_err(|_| FORMS)?;
        if url.password().is_some() {
            return Err(
                "it holds a password, which others can read in the list of processes; write it to the file of \
                        --redis-password-file, or to the variable SIGNALPOST_REDIS_PASSWORD",
            );
        }
        let tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(FORMS),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(FORMS)?;
        let user = percent_decode_str(url.username()).decode_utf8().map_err(|_| FORMS)?;
        let database = url.path().trim_start_matches('/');
        let database = if database.is_empty() { Ok(0) } else { database.parse() };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(FORMS);
        }
        Ok(Self {
            tls,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port().unwrap_or(USUAL_PORT),
            user: (!user.is_empty()).then(|| user.into_owned()),
            database: database.map_err(|_| FORMS)?,
        })
    }
}

/// As the flag has it.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let host =
            if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{scheme}://{host}:{}", self.port)
    }
}

/// Reads the flag, and does not repeat its value in the error: start-up errors end up in logs.
#[derive(Debug, Clone)]
struct Unrepeated;

impl TypedValueParser for Unrepeated {
    type Value = RedisUrl;

    fn parse_ref(
        &self,
        _: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<RedisUrl, clap::Error> {
        let parsed = value.to_str().ok_or("it must be UTF-8").and_then(str::parse);
        parsed.map_err(|mend| {
            let text = format!("invalid value for '--redis-url <URL>': {mend}\n");
            clap::Error::raw(ErrorKind::ValueValidation, text)
        })
    }
}

/// No brace may be in it: Redis Cluster places keys by what stands between braces.
fn prefix(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let fits = !text.is_empty() && text.len() <= limits::REDIS_PREFIX_CHARS;
    if fits && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("use up to 64 letters, digits, - _ and .")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        redis: RedisFlags,
    }

    fn flags(words: &str) -> Result<RedisFlags, String> {
        let words = ["signalpost"].into_iter().chain(words.split_whitespace());
        let command = Command::try_parse_from(words);
        command.map(|command| command.redis).map_err(|fault| fault.to_string())
    }

    /// Beside an address.
    fn beside(words: &str) -> Result<RedisFlags, String> {
        flags(&format!("--redis-url redis://a {words}"))
    }

    #[test]
    fn defaults_are_those_of_the_help() {
        let flags = flags("").unwrap();
        assert_eq!((flags.redis_url.clone(), flags.redis_cluster), (None, false));
        assert_eq!((&*flags.redis_prefix, flags.redis_log_events), ("signalpost", 1_000_000));
        assert_eq!(flags.redis_wait_replicas, 0);
        assert_eq!(flags.timeout(), Duration::from_secs(2));
        assert_eq!((flags.lease(), flags.heartbeat().as_secs()), (Duration::from_secs(10), 2));
    }

    #[test]
    fn an_address_names_host_port_user_and_database() {
        for (text, tls, host, port, user, database) in [
            ("redis://localhost", false, "localhost", 6379, None, 0),
            ("rediss://a.example.org:7000/3", true, "a.example.org", 7000, None, 3),
            ("redis://fl%40et@[::1]:1/", false, "::1", 1, Some("fl@et"), 0),
        ] {
            let user = user.map(str::to_owned);
            let expected = RedisUrl { tls, host: host.to_owned(), port, user, database };
            let flags = flags(&format!("--redis-url {text}")).unwrap();
            assert_eq!(flags.redis_url, Some(expected), "{text}");
        }
        assert_eq!(
            "redis://u@[::1]/2".parse::<RedisUrl>().unwrap().to_string(),
            "redis://[::1]:6379"
        );
        for text in ["localhost:6379", "http://a", "redis://", "redis://a/b", "redis://a?x=y", "a"]
        {
            let fault = flags(&format!("--redis-url {text}")).unwrap_err();
            assert!(
                fault.contains("--redis-url") && fault.contains("rediss://"),
                "{text}: {fault}"
            );
        }
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        for url in ["redis://:hunter2@a", "rediss://user:hunter2@a:1/0", "redis://u:hunter2@"] {
            for words in [format!("--redis-url {url}"), format!("--redis-url={url}")] {
                let fault = flags(&words).unwrap_err();
                assert!(!fault.contains("hunter2"), "{fault}");
                assert!(fault.contains("--redis-url"), "{fault}");
            }
        }
        let fault = flags("--redis-url redis://:hunter2@a").unwrap_err();
        assert!(fault.contains("--redis-password-file") && fault.contains(PASSWORD_VARIABLE));
    }

    #[test]
    fn the_password_comes_from_a_file_or_the_variable_and_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let of_file = |held: &str| {
            std::fs::write(&file, held).unwrap();
            let flags = beside(&format!("--redis-password-file {}", file.display())).unwrap();
            flags.password(|_| None)
        };
        for held in ["hunter2", "hunter2\n", "hunter2\r\n"] {
            let password = of_file(held).unwrap().unwrap();
            assert_eq!(
                (password.as_str(), &*format!("{password:?}")),
                ("hunter2", "RedisPassword(..)")
            );
        }
        for held in ["", "\n", "hunter2\nmore\n"] {
            let fault = of_file(held).unwrap_err().to_string();
            assert!(
                fault.contains("--redis-password-file") && !fault.contains("hunter2"),
                "{fault}"
            );
        }
        let variable = |name: &str| (name == PASSWORD_VARIABLE).then(|| "hunter2".into());
        let alone = flags("").unwrap();
        assert_eq!(alone.password(variable).unwrap().unwrap().as_str(), "hunter2");
        assert!(alone.password(|_| Some("".into())).unwrap().is_none());
        let both = beside(&format!("--redis-password-file {}", file.display())).unwrap();
        assert!(matches!(both.password(variable), Err(BadRedisPassword::Both)));
    }

    #[test]
    fn a_prefix_has_nothing_that_redis_reads_something_into() {
        assert_eq!(beside("--redis-prefix a-B_9.x").unwrap().redis_prefix, "a-B_9.x");
        for other in ["{a}", "a:b", "", "ä", &"a".repeat(65)] {
            assert!(beside(&format!("--redis-prefix={other}")).is_err(), "{other}");
        }
        assert!(beside("--node-lease-seconds 301").is_err());
        assert!(beside("--node-lease-seconds 0").is_err());
    }

    #[test]
    fn what_is_said_of_redis_is_refused_where_there_is_none() {
        for words in [
            "--redis-password-file a",
            "--redis-cluster",
            "--redis-prefix a",
            "--redis-timeout-ms 100",
            "--redis-log-events 100000",
            "--redis-wait-replicas 1",
            "--node-lease-seconds 2",
        ] {
            let fault = flags(words).unwrap_err();
            assert!(fault.contains("--redis-url"), "{fault}");
            beside(words).unwrap();
        }
    }
}
