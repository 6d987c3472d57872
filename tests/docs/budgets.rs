//! `docs/limits.md`: each limit is the code's, and a test that is there holds it.

use std::{fs, path::Path};

use signalpost::config::limits;

const LIMITS: &str = include_str!("../../docs/limits.md");

#[test]
fn every_limit_names_a_test_that_is_there() {
    let mut tests = String::new();
    let mut folders: Vec<_> =
        ["src", "tests"].map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("browser") {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                tests += &fs::read_to_string(path).unwrap();
            }
        }
    }
    let rows = LIMITS.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let mut named = 0;
    for row in rows {
        let name = row.trim_end_matches(" |").rsplit("| ").next().unwrap().trim_matches('`');
        assert!(tests.contains(&format!("fn {name}()")), "{name}: {row}");
        named += 1;
    }
    assert!(named >= 28, "{named} rows were read");
    for stated in [
        format!("| {} s | closed | `a_header", limits::HANDSHAKE.as_secs()),
        format!("{} bytes a second after", limits::MESSAGE_BYTES_A_SECOND),
        format!("between two requests | {} s", limits::HTTP_IDLE.as_secs()),
        format!("refused | {} s", limits::REFUSAL.as_secs()),
        format!("{} s, and a second more for each", limits::MESSAGE_SECONDS),
        format!(
            "{} KiB a second over {} s",
            limits::SLOW_BYTES_A_SECOND >> 10,
            limits::SLOW_SECONDS
        ),
        format!("goodbye | {} s", limits::CLOSE.as_secs()),
        format!("{} MiB at most, and half of that", limits::POST_BYTES >> 20),
        format!("{} MiB at most; those for one", limits::INBOX_BYTES >> 20),
        format!("stays full for {} s", limits::POST_TO_FULL.as_secs()),
        format!("Before a room {} changes wait", limits::MOTIONS),
        format!("speak HTTP | {},", limits::VISITORS),
        format!("{}, at most half of all", limits::CONNECTIONS_PER_ADDRESS),
        format!("in words | {} at a time", limits::REFUSALS),
        format!("`--rate-limit`; {},", limits::RATE_LIMIT),
        format!("in a lobby | {} minutes", limits::WAIT.as_secs() / 60),
        format!("whose last one was | {} s", limits::RETURN.as_secs()),
        format!("room's lobby | {} |", limits::WAITING),
        format!("bans that hosts make | {} from one address", limits::NETWORK_BANS),
        format!("a room remembers | {} |", limits::RETURNERS),
        format!("a return token | {} bytes", limits::RETURN_TOKEN_BYTES),
        format!("password | {} characters", limits::PASSWORD_CHARS),
        format!(
            "of a client | {} at once, then one every {} s",
            limits::CLIENT_GUESSES,
            limits::CLIENT_GUESS_SECONDS
        ),
        format!(
            "passwords of an address (IPv6: /48) | {} at once, then one every {} s",
            limits::ADDRESS_GUESSES,
            limits::ADDRESS_GUESS_SECONDS
        ),
        format!(
            "{} of an address (IPv6: /48), {} in all",
            limits::ADDRESS_PASSWORDS,
            limits::WAITING_PASSWORDS
        ),
        format!("four cores, at most {}", limits::PASSWORD_THREADS),
        format!(
            "{} KiB unsent, {} KiB unread",
            limits::UNSENT_BYTES >> 10,
            limits::SOCKET_BYTES >> 10
        ),
        format!("{} of its {} calls", limits::ADMIN_STREAMS / 2, limits::ADMIN_STREAMS),
        format!("admin: connections | {},", limits::ADMIN_CONNECTIONS),
        format!("HTTP/1 request | {} s to arrive", limits::HANDSHAKE.as_secs()),
        format!("HTTP/1 connection | {} s to be taken", limits::ADMIN_ANSWER.as_secs()),
        format!("where one is asked for | {} |", limits::STRANGERS),
        format!("credential that is taken | {} of a", limits::ADMIN_FAILURES),
        format!("HTTP/1 request | {} KiB", limits::ADMIN_HEADER_BYTES >> 10),
        format!("at once, scrapes among them | {},", limits::ADMIN_CALLS),
        format!("request | {} s to arrive", limits::ADMIN_REQUEST.as_secs()),
        format!("answer | {} s to be taken", limits::ADMIN_ANSWER.as_secs()),
        format!("{} rooms, {} KiB", limits::WATCHED_ROOMS, limits::WATCHED_NAMES_BYTES >> 10),
        format!("{} users | INVALID", limits::WATCHED_USERS),
        format!("names in all of them | {} MiB", limits::WATCHED_BYTES >> 20),
        format!("until they are taken | {}; where", limits::SNAPSHOTS),
        format!("{} s without progress | others", limits::SNAPSHOT_LEFT.as_secs()),
        format!("that the log passes | {} |", limits::SNAPSHOT_ATTEMPTS),
        format!("message of a snapshot | {} MiB", limits::SNAPSHOT_PAGE_BYTES >> 20),
        format!("without news | {} s", limits::WATCHED_QUIET.as_secs()),
        format!("of a page | {}; {} unless", limits::MAX_PAGE_SIZE, limits::PAGE_SIZE),
        format!("filter | {} bytes", limits::FILTER_BYTES),
        format!("people are told | {} characters", limits::REASON_CHARS),
        format!("leaves out | {} each", limits::BROADCAST_NAMES),
        format!("empty | {} days", limits::LONGEST_EMPTY_ROOM.as_secs() / 86_400),
        format!("`request_id` | {} characters", limits::REQUEST_ID_CHARS),
        format!("every {} clients, at least", limits::DRAINED_A_SECOND),
        format!("everybody needs one | {} s", limits::UNAUTHENTICATED.as_secs()),
        format!("it is told {} s before", limits::TOKEN_EXPIRING.as_secs()),
        format!("waits for its key | {} s", limits::JWKS_WAIT.as_secs()),
        format!("a token | {} KiB", limits::TOKEN_BYTES >> 10),
        format!(
            "refused tokens of an address (IPv6: /48) | {} at once, then {} a second",
            limits::REFUSED_TOKENS,
            limits::REFUSED_TOKENS_A_SECOND
        ),
        format!("of its `kid` first | {} |", limits::TOKEN_KEYS),
        format!(
            "are | {},{:03} |",
            limits::COUNTED_ADDRESSES / 1000,
            limits::COUNTED_ADDRESSES % 1000
        ),
        format!("{}, {} KiB of JSON", limits::TOKEN_ROOMS, limits::VOUCHED_BYTES >> 10),
        format!("for unknown keys | {} s", limits::JWKS_AGAIN.as_secs()),
        format!(
            "{} KiB, {} keys, {} s to be answered",
            limits::JWKS_BYTES >> 10,
            limits::JWKS_KEYS,
            limits::JWKS_ANSWER.as_secs()
        ),
    ] {
        assert!(LIMITS.contains(&stated), "{stated}");
    }
}
