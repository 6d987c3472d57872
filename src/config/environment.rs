//! Settings from environment variables, as env files, unit files and compose files leave them: with blanks
//! and carriage returns around, with separators that part nothing, or with nothing in them.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
};

use clap::{
    Arg, Command, FromArgMatches,
    builder::Resettable,
    error::{ContextKind, ContextValue},
};

use super::{door, ice, refuse_pasted};

/// Stands for what a start-up error, which ends up in logs, must not repeat.
const HIDDEN: &str = "(not repeated, as it may hold a secret; ICE servers come after --ice-server)";
/// The same for an administrator's token.
const HIDDEN_TOKEN: &str =
    "(not repeated, as it holds a token; --admin-token-file names a file with its SHA-256)";

/// Reads the command line, its name first, and the environment. A variable that is set to nothing counts as not set.
///
/// # Errors
/// clap's. What it repeats is escaped, and holds no secret.
pub fn read<T: FromArgMatches>(
    command: Command,
    given: &[OsString],
    variable: impl Fn(&OsStr) -> Option<OsString>,
) -> Result<T, clap::Error> {
    let command = without_empty(command, &variable);
    let words = words(&command, given, &variable);
    refuse_pasted(&words)?;
    let matches = command.try_get_matches_from(words);
    matches.and_then(|matches| T::from_arg_matches(&matches)).map_err(shown)
}

/// The command line with what the variables say beside it, for flags that it does not give.
fn words(
    command: &Command,
    given: &[OsString],
    variable: impl Fn(&OsStr) -> Option<OsString>,
) -> Vec<OsString> {
    let (name, given) = given.split_at(given.len().min(1));
    let mut words = name.to_vec();
    for flag in command.get_arguments().filter(|flag| flag.get_action().takes_values()) {
        let (Some(long), Some(name)) = (flag.get_long(), flag.get_env()) else { continue };
        if gives(given, long) {
            continue;
        }
        let said = variable(name).unwrap_or_default();
        for value in values(flag, &said) {
            let mut word = OsString::from(format!("--{long}="));
            word.push(value);
            words.push(word);
        }
    }
    words.extend_from_slice(given);
    words
}

/// A variable may hold secrets, which arguments may not.
pub(super) fn with_secrets(command: Command, given: &[OsString]) -> Command {
    if gives(given, "ice-server") {
        return command;
    }
    command.mut_arg("ice_servers", |flag| flag.value_parser(ice::Secretive::Variable))
}

/// A variable that is set to nothing counts as not set.
fn without_empty(command: Command, variable: impl Fn(&OsStr) -> Option<OsString>) -> Command {
    command.mut_args(|flag| {
        let said = flag.get_env().and_then(&variable);
        let is_empty = said.is_some_and(|said| values(&flag, &said).is_empty());
        if is_empty { flag.env(Resettable::Reset) } else { flag }
    })
}

/// The fault with what was refused written out, so that a carriage return shows, and a secret does not.
fn shown(mut fault: clap::Error) -> clap::Error {
    let refused = |(kind, value): (ContextKind, &ContextValue)| {
        let text = value.to_string();
        let shown = if door::may_hold_token(&text) {
            HIDDEN_TOKEN.into()
        } else if ice::may_hold_secret(&text) {
            HIDDEN.into()
        } else {
            text.escape_debug().to_string()
        };
        (shown != text).then_some((kind, shown))
    };
    let named = [ContextKind::InvalidArg, ContextKind::InvalidValue];
    let named = |(kind, _): &(ContextKind, _)| named.contains(kind);
    for (kind, text) in fault.context().filter(named).filter_map(refused).collect::<Vec<_>>() {
        fault.insert(kind, ContextValue::String(text));
    }
    let is_secret = |text: &str| ice::may_hold_secret(text) || door::may_hold_token(text);
    if fault.context().any(|(_, value)| is_secret(&value.to_string())) {
        fault.remove(ContextKind::Suggested);
    }
    fault
}

fn gives(given: &[OsString], long: &str) -> bool {
    let dashed = format!("--{long}");
    let valued = format!("{dashed}=");
    given.iter().any(|word| *word == *dashed || word.as_bytes().starts_with(valued.as_bytes()))
}

fn values<'a>(flag: &Arg, said: &'a OsStr) -> Vec<&'a OsStr> {
    let bytes = said.as_bytes().trim_ascii();
    let parts: Vec<&[u8]> = match (flag.get_value_delimiter(), std::str::from_utf8(bytes)) {
        (Some(' '), Ok(text)) => ice::entries(text).map(str::as_bytes).collect(),
        (Some(_), Ok(text)) => text.split(',').map(|part| part.trim().as_bytes()).collect(),
        _ => vec![bytes],
    };
    parts.into_iter().filter(|part| !part.is_empty()).map(OsStr::from_bytes).collect()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::{
        super::{Config, LogFormat},
        *,
    };

    fn read(flags: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let words = ["signalpost"].into_iter().chain(flags.split_whitespace()).map(Into::into);
        let variable = |name: &OsStr| {
            let found = variables.iter().find(|(own, _)| name == *own);
            found.map(|(_, value)| value.into())
        };
        Config::read(words, variable).map_err(|fault| fault.render().to_string())
    }

    #[test]
    fn variables_are_taken_as_files_leave_them() {
        let config = read(
            "--max-rooms 7",
            &[
                ("PORT", "80\r"),
                ("SIGNALPOST_MAX_MEMBERS", " 5 \r\n"),
                ("SIGNALPOST_MAX_ROOMS", "9"),
                ("SIGNALPOST_LISTEN", "127.0.0.1:1, 127.0.0.1:2,,\r"),
                ("SIGNALPOST_ALLOWED_ORIGIN", ",http://a , http://b,"),
                ("SIGNALPOST_FRAME_ANCESTOR", "https://a, https://*.b ,\r"),
                ("SIGNALPOST_TRUSTED_PROXY", "10.0.0.0/8, ::1,"),
                ("SIGNALPOST_TLS_CERT", "a file\r"),
                ("SIGNALPOST_TLS_KEY", "/key\t"),
                ("SIGNALPOST_LOG_FORMAT", "json\r"),
                ("SIGNALPOST_LOG", "debug "),
                ("SIGNALPOST_CLIENT_DIR", " \r"),
            ],
        )
        .unwrap();
        assert_eq!((config.port, config.max_members, config.max_rooms), (80, 5, 7));
        assert_eq!(config.listen.iter().map(SocketAddr::port).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(config.allowed_origins, ["http://a", "http://b"]);
        let ancestors = config.frame_ancestors.iter().map(ToString::to_string);
        assert_eq!(ancestors.collect::<Vec<_>>(), ["https://a", "https://*.b"]);
        assert_eq!(config.trusted_proxies.len(), 2);
        assert_eq!((config.tls_cert, config.tls_key), (Some("a file".into()), Some("/key".into())));
        assert_eq!((config.log_format, &*config.log), (LogFormat::Json, "debug"));
        assert_eq!(config.client_dir, None);
        for given in ["--port 81", "--port=81"] {
            assert_eq!(read(given, &[("PORT", "nonsense")]).unwrap().port, 81);
        }
    }

    #[test]
    fn what_is_refused_is_shown_escaped() {
        for (flags, variables, shown) in [
            ("", &[("PORT", "80\r81")][..], r"'80\r81'"),
            ("", &[("SIGNALPOST_MAX_MEMBERS", "5\u{200b}")], r"'5\u{200b}'"),
            ("", &[("SIGNALPOST_LISTEN", "1,2\n3")], r"'2\n3'"),
            ("--port 8\u{1b}0", &[], r"'8\u{1b}0'"),
        ] {
            let fault = read(flags, variables).unwrap_err();
            assert!(fault.contains(shown), "{fault}");
        }
    }

    #[test]
    fn lists_of_ice_servers_may_be_parted_as_people_part_lists() {
        let servers = "stun:a turn:u:s,t@b,turns:u:s@c\t stun:d, \r\n stun:e ,, ";
        let config = read("", &[("SIGNALPOST_ICE_SERVER", servers)]).unwrap();
        let servers = serde_json::to_value(&config.ice.ice_servers).unwrap();
        let urls = servers.as_array().unwrap().iter().map(|s| s["urls"][0].as_str().unwrap());
        assert_eq!(urls.collect::<Vec<_>>(), ["stun:a", "turn:b", "turns:c", "stun:d", "stun:e"]);
        assert_eq!(servers[1]["credential"], "s,t");
    }

    #[test]
    fn no_fault_repeats_a_secret() {
        let secret = "turn:user:hunter2@turn.example.org";
        for flags in [
            secret,
            "user:hunter2@turn.example.org",
            "TURN:user:hunter2",
            "--turn:user:hunter2@a",
            &format!("--ice-serve {secret}"),
            &format!("--ice-serve={secret}"),
            &format!("--listen {secret}"),
            &format!("--max-members={secret}"),
            &format!("--ice-server stun:a {secret}"),
            &format!("--ice-server={secret}"),
            "--ice-server turn:user:hunter2@",
        ] {
            let fault = read(flags, &[]).unwrap_err();
            assert!(!fault.contains("hunter2"), "{flags}: {fault}");
            assert!(fault.contains("--ice-server"), "{flags}: {fault}");
        }
        let fault = read(&format!("--ice-server {secret}"), &[]).unwrap_err();
        assert!(fault.contains("--ice-server-file") && fault.contains("SIGNALPOST_"), "{fault}");
        let fault = read("", &[("SIGNALPOST_ICE_SERVER", "stun:a user:hunter2@b")]).unwrap_err();
        assert!(!fault.contains("hunter2") && fault.contains("--ice-server"), "{fault}");
    }
}
