//! The limits: those that flags move, with their defaults, and those that are part of the protocol.

use std::{num::NonZeroUsize, ops::RangeInclusive, time::Duration};

/// Longest roomId, userId and targetId, in characters (so at most four times as many bytes).
pub const NAME_CHARS: usize = 128;
/// Longest displayName and requestId, in characters.
pub const LABEL_CHARS: usize = 64;
/// Longest password of a room, in characters (so at most four times as many bytes).
pub const PASSWORD_CHARS: usize = 128;
/// Wrong passwords that a client may give at once, and after how many seconds it may give one more.
pub const CLIENT_GUESSES: u32 = 5;
/// See [`CLIENT_GUESSES`].
pub const CLIENT_GUESS_SECONDS: u32 = 5;
/// The same for all clients of an address together.
pub const ADDRESS_GUESSES: u32 = 20;
/// See [`ADDRESS_GUESSES`].
pub const ADDRESS_GUESS_SECONDS: u32 = 1;
/// Most addresses whose wrong passwords are remembered, and as many for refused tokens; wrong passwords of others beyond
/// count for their clients only.
pub const COUNTED_ADDRESSES: usize = 65_536;
/// Most passwords of one address that wait to be hashed.
pub const ADDRESS_PASSWORDS: usize = 64;
/// Most passwords that wait to be hashed, of all addresses together.
pub const WAITING_PASSWORDS: usize = 1024;
/// Most threads that hash passwords; there is one for every four cores, and at least one. Each takes 19 MiB while it
/// has work.
pub const PASSWORD_THREADS: usize = 4;
/// After which time a password may be given again that found too many waiting.
pub const PASSWORD_RETRY: Duration = Duration::from_secs(2);
/// Longest metadata of a member, in bytes of JSON.
pub const METADATA_BYTES: usize = 2048;
/// What a list of members needs for each beside its metadata, in bytes, with names of ordinary length.
pub const MEMBER_BYTES: usize = 300;
/// Longest message from a browser, in bytes; `--max-message-bytes`.
pub const MESSAGE_BYTES: usize = 256 << 10;
/// Messages kept for a browser; `--outbox-messages`.
pub const OUTBOX_MESSAGES: usize = 4096;
/// Bytes kept for a browser; `--outbox-bytes`.
pub const OUTBOX_BYTES: usize = 1 << 20;
/// What a relayed message may be longer than it came, by its sender's names.
pub const RELAYED_BYTES: usize = 2048;
/// The largest `--max-members`: every join is told to every member.
pub const MAX_MEMBERS: u64 = 10_000;
/// What a message counts in an outbox beside its bytes.
pub const OUTBOX_MESSAGE_OVERHEAD: usize = 64;
/// Events kept in the log; `--log-events`.
pub const LOG_EVENTS: usize = 65_536;
/// Bytes kept in the log; `--log-bytes`.
pub const LOG_BYTES: usize = 64 << 20;
/// What a page of a list holds where the caller does not say.
pub const PAGE_SIZE: NonZeroUsize = NonZeroUsize::new(50).unwrap();
/// Most that a page of a list holds.
pub const MAX_PAGE_SIZE: NonZeroUsize = NonZeroUsize::new(1000).unwrap();
/// Longest filter of a list, in bytes.
pub const FILTER_BYTES: usize = 1024;
/// Longest request_id of an administrator's call, in characters.
pub const REQUEST_ID_CHARS: usize = 64;
/// Most calls that are remembered by their request_id, those that run among them.
pub const REQUEST_IDS: usize = 32_768;
/// Once their answers take so many bytes together, no more are remembered.
pub const REQUEST_ID_BYTES: usize = 16 << 20;
/// How long the answer of a call with a request_id is remembered.
pub const REQUEST_ID_KEPT: Duration = Duration::from_secs(10 * 60);
/// Most streams of administrators that stand open at a time: `WatchEvents`, `Health/Watch` and reflection.
pub const WATCHERS: usize = 10_000;
/// Most of these of callers who showed no credential, where they are asked for: they watch health.
pub const STRANGERS: usize = 1000;
/// Most clients that are looked at for one page of a listing: with a filter that few match, it is short.
pub const CLIENTS_LOOKED_AT: usize = 10_000;
/// Bytes kept of a browser's User-Agent.
pub const USER_AGENT_BYTES: usize = 256;
/// What the server counts for a client that is connected and idle, in bytes.
pub const CLIENT_BYTES: usize = 4 << 10;
/// What the server needs beside its log and what it keeps for its clients, in bytes, and the least that it keeps for
/// them. The default of `--memory-budget` is no less than both.
pub const OWN_BYTES: usize = 32 << 20;
/// See [`OWN_BYTES`].
pub const LEAST_KEPT_BYTES: usize = 32 << 20;
/// How slowly a client may take what is due to it, once half of its outbox is full, in bytes a second, and for how
/// many seconds it may be slower than that.
pub const SLOW_BYTES_A_SECOND: u32 = 16 << 10;
/// See [`SLOW_BYTES_A_SECOND`].
pub const SLOW_SECONDS: u32 = 10;
/// Longest time for a message to arrive, in seconds; a longer one may take one more for each
/// [`MESSAGE_BYTES_A_SECOND`].
pub const MESSAGE_SECONDS: u32 = 10;
/// See [`MESSAGE_SECONDS`].
pub const MESSAGE_BYTES_A_SECOND: usize = 4 << 10;
/// Messages a second of a client, in the long run; `--rate-limit`.
pub const RATE_LIMIT: u32 = 200;
/// The largest `--rate-limit`.
pub const MAX_RATE_LIMIT: i64 = 100_000;
/// Most rooms that a `WatchEvents` names.
pub const WATCHED_ROOMS: usize = 1000;
/// Longest names of the rooms of a `WatchEvents` together, in bytes.
pub const WATCHED_NAMES_BYTES: usize = 128 << 10;
/// Most userIds that a `WatchEvents` names.
pub const WATCHED_USERS: usize = 1000;
/// What all `WatchEvents` together may take for the names of their rooms and users, in bytes, each name with
/// [`WATCHED_NAME_OVERHEAD`] more.
pub const WATCHED_BYTES: usize = 64 << 20;
/// What the name of a watched room or user counts beside its bytes.
pub const WATCHED_NAME_OVERHEAD: usize = 256;
/// After how long without any other message a `WatchEvents` is told where it stands.
pub const WATCHED_QUIET: Duration = Duration::from_secs(15);
/// Most snapshots of `WatchEvents` that are kept at a time until their callers have taken them; others wait.
pub const SNAPSHOTS: usize = 8;
/// How long a snapshot is left to a caller that takes nothing of it, while another one waits.
pub const SNAPSHOT_LEFT: Duration = Duration::from_secs(5);
/// Most bytes of rooms in one message of a snapshot.
pub const SNAPSHOT_PAGE_BYTES: usize = 1 << 20;
/// How often a snapshot is begun that the log passes before it is whole.
pub const SNAPSHOT_ATTEMPTS: usize = 3;
/// Most connections to the admin API, unless one in 64 of the files that the process may open are fewer; those beyond
/// are closed at once.
pub const ADMIN_CONNECTIONS: usize = 1000;
/// Most calls at a time on one connection to the admin API. Half of them may stand open, so that there is
/// always one for a question.
pub const ADMIN_STREAMS: usize = 200;
/// Most calls to the admin API at a time that do not stand open, not counting one of each connection.
pub const ADMIN_CALLS: usize = 1000;
/// Longest request to the admin API, in bytes, unless a broadcast may be longer.
pub const ADMIN_REQUEST_BYTES: usize = 1 << 20;
/// Longest request for health or reflection, in bytes: it names a service or a symbol.
pub const ADMIN_NAME_BYTES: usize = 4 << 10;
/// Bytes of requests on a connection to the admin API that may come before their calls have read others.
pub const ADMIN_WINDOW_BYTES: u32 = 64 << 10;
/// Bytes of each request to the admin API, and of each answer, that are not counted among those on their way.
pub const ADMIN_FREE_BYTES: usize = 8 << 10;
/// Most bytes of requests to the admin API on their way, on one connection, unless one request may be longer.
/// All connections together have four times as much.
pub const ADMIN_BYTES: usize = 4 << 20;
/// Most bytes of answers of the admin API's that were not taken yet, not counting [`ADMIN_FREE_BYTES`] of each. A
/// room of as many members as there can be takes half of it.
pub const ADMIN_ANSWER_BYTES: usize = 64 << 20;
/// Longest list of headers of a request to the admin API, in bytes; over HTTP/1, of all that is said.
pub const ADMIN_HEADER_BYTES: u32 = 8 << 10;
/// Calls without a credential, or with a wrong one, that are answered on a connection to the admin API; the next one
/// ends it.
pub const ADMIN_FAILURES: usize = 10;
/// Longest file of keys, or of those whose keys count, in bytes.
pub const KEY_FILE_BYTES: u64 = 1 << 20;
/// How often it is looked whether such a file has changed.
pub const KEY_FILES_LOOKED_AT: Duration = Duration::from_secs(5);
/// The shortest and the longest life of a client's TURN credentials, in seconds; `--turn-ttl`.
pub const TURN_SECONDS: RangeInclusive<u64> = 60..=86_400;
/// The shortest and the longest time for Redis to answer, in milliseconds; `--redis-timeout-ms`.
pub const REDIS_MILLISECONDS: RangeInclusive<u64> = 50..=60_000;
/// The fewest events that Redis keeps; `--redis-log-events`.
pub const REDIS_LOG_EVENTS: u64 = 1000;
/// How many replicas may be waited for; `--redis-wait-replicas`.
pub const REDIS_REPLICAS: RangeInclusive<u64> = 0..=16;
/// Longest prefix of the names of keys in Redis, in characters.
pub const REDIS_PREFIX_CHARS: usize = 64;
/// The shortest and the longest lease of a server in a fleet, in seconds; `--node-lease-seconds`.
pub const NODE_LEASE_SECONDS: RangeInclusive<u64> = 1..=300;
/// Most letters that another server's inbox holds. Whoever has more for it keeps them for a while.
pub const INBOX_LETTERS: usize = 65_536;
/// The same in bytes of Redis' memory: a server that stands still shall not fill it for all.
pub const INBOX_BYTES: usize = 64 << 20;
/// Most of them that are read at a time.
pub const INBOX_READ_AT_ONCE: usize = 256;
/// Most letters to other servers that wait to be written; half as many for each.
pub const POST_LETTERS: usize = 65_536;
/// The same in bytes.
pub const POST_BYTES: usize = 32 << 20;
/// Most letters that are written to an inbox at a time.
pub const POSTED_AT_ONCE: usize = 512;
/// The same in bytes, if it is more than one letter.
pub const POSTED_BYTES_AT_ONCE: usize = 1 << 20;
/// How long letters are kept for an inbox that stays full.
pub const POST_TO_FULL: Duration = Duration::from_secs(10);
/// How long before they end a client is told of others, if a fifth of their life is not longer.
pub const TURN_RENEWED_BEFORE: Duration = Duration::from_secs(30);
/// The shortest secret that is taken, in bytes.
pub const LEAST_SECRET_BYTES: usize = 32;
/// Longest token, in bytes.
pub const TOKEN_BYTES: usize = 8 << 10;
/// Tokens of an address that may be refused at once, and how many more in a second.
pub const REFUSED_TOKENS: u32 = 200;
/// See [`REFUSED_TOKENS`].
pub const REFUSED_TOKENS_A_SECOND: u32 = 4;
/// Most keys that one token is tried against.
pub const TOKEN_KEYS: usize = 8;
/// How far the clock of who makes tokens may be from the server's own.
pub const TOKEN_LEEWAY: Duration = Duration::from_secs(30);
/// How long before a token expires its client hears of it.
pub const TOKEN_EXPIRING: Duration = Duration::from_secs(60);
/// Longest time for a client to show a token, where everybody needs one.
pub const UNAUTHENTICATED: Duration = Duration::from_secs(10);
/// Most rooms, or beginnings of their names, that a token is good for, unless it is for all.
pub const TOKEN_ROOMS: usize = 64;
/// Longest metadata that a token vouches for, in bytes of JSON.
pub const VOUCHED_BYTES: usize = 1 << 10;
/// Longest JWK Set, in bytes.
pub const JWKS_BYTES: usize = 256 << 10;
/// Most keys of a JWK Set.
pub const JWKS_KEYS: usize = 64;
/// How often a JWK Set is fetched anyway.
pub const JWKS_EVERY: Duration = Duration::from_secs(10 * 60);
/// How often it is fetched at most for keys that it did not have, and how soon after its source was away.
pub const JWKS_AGAIN: Duration = Duration::from_secs(30);
/// Longest time for its source to answer.
pub const JWKS_ANSWER: Duration = Duration::from_secs(10);
/// How long a client's token waits for a key.
pub const JWKS_WAIT: Duration = Duration::from_secs(5);
/// Longest time for a request to the admin API to arrive and its answer to begin.
pub const ADMIN_REQUEST: Duration = Duration::from_secs(10);
/// After which time a call to the admin API that a limit refused may succeed.
pub const ADMIN_RETRY: Duration = Duration::from_secs(1);
/// Longest time for an answer of the admin API's to be taken, unless it is one that stands open.
pub const ADMIN_ANSWER: Duration = Duration::from_secs(20);
/// Longest time for a PROXY protocol header, for a TLS handshake, for an HTTP request's head to arrive, and for the
/// answer to an upgrade to be taken.
pub const HANDSHAKE: Duration = Duration::from_secs(10);
/// Longest time that a connection may be kept alive between two requests: longer than balancers do, which would else
/// send a request into a closing connection.
pub const HTTP_IDLE: Duration = Duration::from_secs(90);
/// Longest time for a refusal to be taken, and while the server stops, for any answer.
pub const REFUSAL: Duration = Duration::from_secs(2);
/// Most connections that speak HTTP at a time, or are about to. Where fewer files fit they get one in 32 of them, or
/// [`FEW_VISITORS`], or a quarter, whichever is enough; and never fewer than [`LEAST_VISITORS`].
pub const VISITORS: usize = 4096;
/// See [`VISITORS`].
pub const FEW_VISITORS: usize = 64;
/// See [`VISITORS`].
pub const LEAST_VISITORS: usize = 8;
/// What such a connection may take, in bytes; all of them get a sixteenth of the memory.
pub const VISITOR_BYTES: usize = 64 << 10;
/// Most connections that are told at a time that they do not fit, a quarter of the visitors where that is less; the
/// others are just closed.
pub const REFUSALS: usize = 64;
/// Most connections of one address, unless half of all that fit are fewer; `--max-connections-per-address`.
pub const CONNECTIONS_PER_ADDRESS: usize = 1000;
/// Files that the server keeps for itself.
pub const OWN_FILES: usize = 32;
/// Bytes from a browser that the kernel keeps until they are read, before it doubles them for its own needs.
pub const SOCKET_BYTES: usize = 64 << 10;
/// Bytes for a browser that the kernel keeps before it sends them.
pub const UNSENT_BYTES: u32 = 64 << 10;
/// Longest head of an HTTP request, in bytes.
pub const HTTP_HEAD_BYTES: usize = 16 << 10;
/// Longest header of the PROXY protocol, in bytes. A client's certificate may be named in it.
pub const PROXY_HEADER_BYTES: usize = 2 << 10;
/// Most rooms that are looked at for a page of a list.
pub const ROOMS_LOOKED_AT: usize = 10_000;
/// Most rooms that a broadcast names, and most clients that it leaves out.
pub const BROADCAST_NAMES: usize = 1000;
/// Most bans that stand at a time. Where half of them do, only administrators make others.
pub const BANS: usize = 10_000;
/// Most of them that hosts made from one address.
pub const NETWORK_BANS: usize = 100;
/// The longest time for which a host keeps somebody out.
pub const LONGEST_BAN_BY_HOST: Duration = Duration::from_secs(24 * 60 * 60);
/// How long whoever lost a seat may return to it past what keeps others out, and how long a room that keeps others out
/// waits for its last one.
pub const RETURN: Duration = Duration::from_secs(60);
/// Longest return token that is looked at, in bytes.
pub const RETURN_TOKEN_BYTES: usize = 64;
/// Most lost seats that a room remembers.
pub const RETURNERS: usize = 1000;
/// Most that wait in a room's lobby at a time.
pub const WAITING: usize = 50;
/// How long somebody waits there at most.
pub const WAIT: Duration = Duration::from_secs(10 * 60);
/// Longest reason that an administrator gives to people, in characters.
pub const REASON_CHARS: usize = 256;
/// How long a room that an administrator makes stays while it is empty, if nothing is said.
pub const EMPTY_ROOM: Duration = Duration::from_secs(5 * 60);
/// The longest time that a room may stay while it is empty.
pub const LONGEST_EMPTY_ROOM: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The longest time that a ban with an end may stand: ten years.
pub const LONGEST_BAN: Duration = Duration::from_secs(3653 * 24 * 60 * 60);
/// Clients that are sent away in a second, where a drain's window is not given.
pub const DRAINED_A_SECOND: usize = 100;
/// The least window of a drain that is not given.
pub const LEAST_DRAIN: Duration = Duration::from_secs(1);
/// The longest window of a drain that is not given.
pub const LONGEST_DEFAULT_DRAIN: Duration = Duration::from_secs(5 * 60);
/// The longest window of a drain.
pub const LONGEST_DRAIN: Duration = Duration::from_secs(60 * 60);
/// Longest time for a browser to take what is left for it and answer the close frame.
pub const CLOSE: Duration = Duration::from_secs(10);

/// How much the server keeps for a browser that does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxLimits {
    /// In messages.
    pub messages: usize,
    /// In bytes, each message with [`OUTBOX_MESSAGE_OVERHEAD`] more.
    pub bytes: usize,
}

/// How much of the log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// In events.
    pub events: usize,
    /// In bytes.
    pub bytes: usize,
}

/// Motions that wait to be put before one room of a fleet, beside departures.
pub const MOTIONS: usize = 1024;
/// Of these so many are decided at once.
pub const MOTIONS_AT_ONCE: usize = 256;
