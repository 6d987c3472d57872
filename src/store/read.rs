//! What can be read of the state and the log at any time.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use redis::Value;

use super::{
    Entry, Shared, Store, Subject, append::milliseconds, entry::id, epoch::place,
    fault::StoreError, link::Code,
};
use crate::{event::Position, id::Incarnation};

static LOAD: LazyLock<Code> = LazyLock::new(|| Code::new(include_str!("load.lua")));

/// A state as it is kept, of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// The position of its last entry; zero: it does not exist.
    pub version: Position,
    /// The position of the entry that settled it last; zero where none did.
    pub settled_at: Position,
    /// Where the log's last entry stood then, of whatever it was.
    pub head: Position,
    /// What its batches have written, in no order.
    pub fields: Vec<(String, Vec<u8>)>,
}

impl Store {
    /// A state as it is now.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Lost`] where the log ends before what it is known to have had.
    pub async fn load(&self, subject: Subject<'_>) -> Result<Loaded, StoreError> {
        let known = self.0.known();
        let state = self.0.keys.state(subject);
        let (head, fields): (String, _) =
            self.0.link.run(&LOAD, &[&state, &self.0.keys.meta], |_| ()).await?;
        let head = self.0.not_before(known, &head)?;
        Loaded::read(head, fields)
    }

    /// Names of rooms that begin with `prefix`, in the order of their bytes: at most `max` of those behind `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn names(
        &self,
        after: Option<&str>,
        prefix: &str,
        max: usize,
    ) -> Result<Vec<String>, StoreError> {
        let names = &self.0.keys.names;
        let first = match after {
            Some(after) if after >= prefix => format!("({after}"),
            _ => format!("[{prefix}"),
        };
        // No name, which is UTF-8, has this byte.
        let last = [b"(", prefix.as_bytes(), b"\xff"].concat();
        let mut command = redis::cmd("ZRANGE");
        command.arg(names).arg(first).arg(last).arg("BYLEX").arg("LIMIT").arg(0).arg(max);
        self.0.link.ask(names, &command).await
    }

    /// How many rooms there are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn room_count(&self) -> Result<usize, StoreError> {
        let names = &self.0.keys.names;
        self.0.link.ask(names, redis::cmd("ZCARD").arg(names)).await
    }

    /// The names of the rooms where a server seats somebody, in no order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rooms_of(&self, server: Incarnation) -> Result<Vec<String>, StoreError> {
        let seats = self.0.keys.seats(server);
        self.0.link.ask(&seats, redis::cmd("SMEMBERS").arg(&seats)).await
    }

    /// The names of rooms, `max` at most, in which something had its time by then, the first of them first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due(&self, by: SystemTime, max: usize) -> Result<Vec<String>, StoreError> {
        let due = &self.0.keys.due;
        let mut command = redis::cmd("ZRANGE");
        command
            .arg(due)
            .arg("-inf")
            .arg(milliseconds(by))
            .arg("BYSCORE")
            .arg("LIMIT")
            .arg(0)
            .arg(max);
        self.0.link.ask(due, &command).await
    }

    /// The position of the last entry.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Lost`] where that is before what the log is known to have had.
    pub async fn head(&self) -> Result<Position, StoreError> {
        let known = self.0.known();
        let meta = &self.0.keys.meta;
        let head: Option<String> =
            self.0.link.ask(meta, redis::cmd("HGET").arg(meta).arg("head")).await?;
        self.0.not_before(known, head.as_deref().unwrap_or("0-0"))
    }

    /// What Redis' clock says, which all servers go by.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn time(&self) -> Result<SystemTime, StoreError> {
        let (seconds, micros) = self.0.link.ask(&self.0.keys.meta, &redis::cmd("TIME")).await?;
        Ok(UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros))
    }

    /// The newest entries, `max` at most, the oldest of them first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recent(&self, max: usize) -> Result<Vec<Entry>, StoreError> {
        let Shared { link, keys, .. } = &*self.0;
        let mut command = redis::cmd("XREVRANGE");
        command.arg(&keys.log).arg("+").arg("-").arg("COUNT").arg(max);
        let entries = link.ask::<Value>(&keys.log, &command).await?;
        let mut entries = Entry::read_all(entries)?;
        entries.reverse();
        Ok(entries)
    }

    /// The entries behind `after`, `max` at most.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn since(&self, after: Position, max: usize) -> Result<Vec<Entry>, StoreError> {
        let Shared { link, keys, .. } = &*self.0;
        let mut command = redis::cmd("XRANGE");
        command.arg(&keys.log).arg(format!("({}", id(after))).arg("+").arg("COUNT").arg(max);
        Entry::read_all(link.ask(&keys.log, &command).await?)
    }
}

impl Loaded {
    fn read(head: Position, kept: Vec<(String, Vec<u8>)>) -> Result<Self, StoreError> {
        let mut loaded = Self { head, ..Self::default() };
        for (name, value) in kept {
            let own = match &*name {
                "v" => &mut loaded.version,
                "s" => &mut loaded.settled_at,
                _ => {
                    loaded.fields.push((name, value));
                    continue;
                }
            };
            *own = place(&String::from_utf8_lossy(&value))?;
        }
        Ok(loaded)
    }
}
