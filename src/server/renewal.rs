//! What is read anew while the server runs: keys, certificates, administrators and ICE servers, at SIGHUP and when
//! their files change. What cannot be read leaves what was there before.

use std::{os::unix::fs::MetadataExt, path::Path, sync::Arc};

use parking_lot::Mutex;
use tokio::{task::spawn_blocking, time::interval};

use super::Certificate;
use crate::{admin::TokenFile, auth::Authority, config::limits, turn::IceServers};

/// See the module. Clones are of the same files.
#[derive(Debug, Clone, Default)]
pub struct Renewal(Arc<[Part]>);

#[derive(Debug)]
struct Part {
    source: Source,
    /// The files as they were when they were last read.
    seen: Mutex<Vec<Option<Stamp>>>,
}

#[derive(Debug)]
enum Source {
    Certificate(Certificate),
    TokenFile(TokenFile),
    IceServers(IceServers),
    Authority(Arc<Authority>),
}

/// What tells a file from what it was, or was before it was replaced.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    /// Of its bytes, its owner and its mode, in seconds and nanoseconds.
    changed: (i64, i64),
    bytes: u64,
}

impl Renewal {
    /// Of what was just read.
    pub(super) fn of(
        certificates: impl IntoIterator<Item = Certificate>,
        token_file: Option<TokenFile>,
        ice_servers: IceServers,
        authority: Option<Arc<Authority>>,
    ) -> Self {
        let certificates = certificates.into_iter().map(Source::Certificate);
        let sources = certificates.chain(token_file.map(Source::TokenFile));
        let sources = sources.chain([Source::IceServers(ice_servers)]);
        let sources = sources.chain(authority.map(Source::Authority));
        let parts = sources.filter(|source| source.is_read_anew()).map(|source| {
            let seen = Mutex::new(source.stamps());
            Part { source, seen }
        });
        Self(parts.collect())
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads everything anew, and says how that went.
    pub fn reload(&self) {
        self.0.iter().for_each(|part| part.reload(&mut part.seen.lock()));
    }

    /// Reads anew what has changed, and says how that went. A pair of files of which one was replaced so far does not
    /// fit, and is read again once the other one was.
    pub fn look(&self) {
        for part in &*self.0 {
            let mut seen = part.seen.lock();
            if part.source.stamps() != *seen {
                part.reload(&mut seen);
            }
        }
    }

    /// Looks every now and then, for as long as it is polled.
    pub(super) async fn run(self) {
        let mut times = interval(limits::KEY_FILES_LOOKED_AT);
        loop {
            times.tick().await;
            let renewal = self.clone();
            spawn_blocking(move || renewal.look()).await.expect("nothing of it panics");
        }
    }
}

impl Part {
    /// The stamps are from before it is read: what changes meanwhile is read once more. They stay locked, so that who
    /// reads at the same time, and sooner, does not have the last word.
    fn reload(&self, seen: &mut Vec<Option<Stamp>>) {
        *seen = self.source.stamps();
        // A JWK Set behind an address is in none.
        let file = self.source.files().first().map(|file| tracing::field::debug(*file));
        match &self.source {
            Source::Certificate(certificate) => match certificate.reload() {
                Ok(()) => tracing::info!(file, "handshakes show the reloaded certificate"),
                Err(fault) => tracing::error!(%fault, "the certificate of before stays in use"),
            },
            Source::TokenFile(administrators) => match administrators.reload() {
                Ok(()) => tracing::info!(file, "administrators are those of the reloaded file"),
                Err(fault) => tracing::error!(%fault, "the administrators of before stay"),
            },
            Source::IceServers(servers) => match servers.reload() {
                Ok(()) => tracing::info!(file, "clients hear of the reloaded ICE servers"),
                Err(fault) => tracing::error!(%fault, "the ICE servers of before stay"),
            },
            Source::Authority(authority) => match authority.reload() {
                Ok(()) => tracing::info!("tokens are checked with the reloaded keys"),
                Err(fault) => tracing::error!(%fault, "the keys for tokens of before stay"),
            },
        }
    }
}

impl Source {
    fn files(&self) -> Vec<&Path> {
        match self {
            Self::Certificate(certificate) => certificate.files(),
            Self::TokenFile(file) => vec![file.file()],
            Self::IceServers(servers) => servers.files(),
            Self::Authority(authority) => authority.files(),
        }
    }

    /// Whether it is in files, or behind an address.
    fn is_read_anew(&self) -> bool {
        matches!(self, Self::Authority(_)) || !self.files().is_empty()
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        self.files().into_iter().map(Stamp::of).collect()
    }
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(file).ok()?;
        Some(Self {
            inode: (metadata.dev(), metadata.ino()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            bytes: metadata.len(),
        })
    }
}
