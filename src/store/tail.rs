//! The end of the log, followed as it grows: the one way by which changes reach a server.

use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::{Instant, sleep};

use super::{Entry, Shared, Store, entry::id, fault::StoreError, line::Dedicated};
use crate::event::Position;

/// How long one read waits for entries.
const BLOCKS: Duration = Duration::from_millis(BLOCK_MILLISECONDS);
const BLOCK_MILLISECONDS: u64 = 2000;
/// Entries of one read.
const AT_ONCE: usize = 1000;
/// How long to wait before connecting anew, at first and at most.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

/// See the module.
#[derive(Debug)]
pub struct Tail {
    store: Store,
    epoch: u64,
    after: Position,
    /// None while there is none, or a read on it was given up.
    connection: Option<Dedicated>,
    /// When it was looked for the last time whether the log is still the one that is followed.
    looked_at: Option<Instant>,
    back_off: Duration,
}

impl Store {
    /// What follows `after`, and whatever is appended from now on, in the log's life as it is known now.
    pub fn tail(&self, after: Position) -> Tail {
        let (store, epoch) = (self.clone(), self.epoch());
        Tail { store, epoch, after, connection: None, looked_at: None, back_off: Duration::ZERO }
    }

    /// How long it takes at most until it shows in a tail that the log is another one, where Redis answers.
    pub fn notices_within(&self) -> Duration {
        BLOCKS + self.timeout()
    }
}

impl Tail {
    /// The next entries, as soon as there are some; none of them where there were none for 2 seconds. It can be dropped
    /// and called again: nothing is left out or given twice. That entries were trimmed before they were read shows in
    /// their `log_prev`.
    ///
    /// # Errors
    /// [`StoreError`], once for each attempt that failed. The next call makes another one, after a while.
    /// [`StoreError::Lost`], where the log has begun another life or is to do so: that has a tail of its own. It is looked
    /// for with each new connection, and every 2 seconds.
    pub async fn next(&mut self) -> Result<Vec<Entry>, StoreError> {
        sleep(self.back_off).await;
        let read = self.read().await;
        let [first, most] = BACK_OFF;
        self.back_off =
            if read.is_ok() { Duration::ZERO } else { (self.back_off * 2).clamp(first, most) };
        let entries = read?;
        if let Some(last) = entries.last() {
            self.after = last.position;
            self.store.0.saw(self.epoch, self.after);
        }
        Ok(entries)
    }

    async fn read(&mut self) -> Result<Vec<Entry>, StoreError> {
        let Shared { link, keys, .. } = &*self.store.0;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.looked_at = None;
                link.dedicated(&keys.log).await?
            }
        };
        // A server gets another lineage with its first replica, at any time.
        if self.looked_at.is_none_or(|at| at.elapsed() >= BLOCKS) {
            self.store.look_over(&mut connection, self.epoch).await?;
            self.looked_at = Some(Instant::now());
        }
        let answer = connection.ask(&xread(&keys.log, self.after), BLOCKS).await?;
        self.connection = Some(connection);
        Ok(of_one_stream(answer).map(Entry::read_all).transpose()?.unwrap_or_default())
    }
}

fn xread(stream: &str, after: Position) -> Cmd {
    let mut command = redis::cmd("XREAD");
    command.arg("COUNT").arg(AT_ONCE).arg("BLOCK").arg(BLOCK_MILLISECONDS);
    command.arg("STREAMS").arg(stream).arg(id(after));
    command
}

/// The entries that XREAD has of the one stream that it was asked for.
fn of_one_stream(answer: Value) -> Option<Value> {
    let Value::Map(streams) = answer else { return None };
    streams.into_iter().next().map(|(_, entries)| entries)
}
