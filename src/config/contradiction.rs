//! What no single flag can tell.

use std::net::SocketAddr;

/// Settings that cannot hold together. The text names the flag and the mend.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The admin API would be reachable from outside.
    #[error(
        "--admin-listen {0} is not a loopback address, and nobody is asked there who they are; name administrators \
         with --admin-token-file, or use 127.0.0.1:{port}, and an SSH tunnel from elsewhere", port = .0.port()
    )]
    AdminExposed(SocketAddr),
    /// Tokens would pass for everybody to read.
    #[error(
        "--admin-listen {0} is not a loopback address, and tokens would go there unencrypted; give --admin-tls-cert \
         and --admin-tls-key, or --admin-plaintext where a proxy or a private network sees to it"
    )]
    AdminUnencrypted(SocketAddr),
    /// Both cannot be meant.
    #[error(
        "--admin-plaintext is for an admin port without TLS; leave it out, or --admin-tls-cert and its key"
    )]
    AdminPlaintextAndTls,
    /// Nobody could come in.
    #[error(
        "--auth asks for tokens, and no key says whose count; give --jwt-secret-file, --jwt-public-key-file or --jwks"
    )]
    NoKey,
    /// Somebody wants tokens to count, and they would not.
    #[error(
        "--auth off asks nobody for a token, and there is a key for tokens; leave out one of the two, or use \
         --auth optional"
    )]
    KeyForNobody,
    /// What it says of tokens would be in vain.
    #[error(
        "{0} is about tokens, and no key says whose count; give --jwt-secret-file, --jwt-public-key-file or --jwks"
    )]
    ClaimWithoutKey(&'static str),
    /// The log alone would take what the server may take.
    #[error(
        "--memory-budget {given} is too small for --log-bytes {log_bytes}; use --memory-budget {least} or more, \
         or keep a smaller log"
    )]
    BudgetTooSmall {
        /// The setting.
        given: usize,
        /// What it collides with.
        log_bytes: usize,
        /// The least that would do.
        least: usize,
    },
    /// Nobody could connect.
    #[error(
        "--proxy-protocol takes connections only from a --trusted-proxy, and none is named; add the balancer's \
         address, such as --trusted-proxy 10.0.0.0/8"
    )]
    NoProxyTrusted,
    /// A full room's list of members, or two of the longest messages, would not fit an outbox.
    #[error(
        "--outbox-bytes {given} is too small for --max-members {max_members} and --max-message-bytes \
         {max_message_bytes}; use --outbox-bytes {least} or more, or leave the flag out"
    )]
    OutboxTooSmall {
        /// The setting.
        given: usize,
        /// A setting that it collides with.
        max_members: usize,
        /// The other one.
        max_message_bytes: usize,
        /// The least that would do.
        least: usize,
    },
}
