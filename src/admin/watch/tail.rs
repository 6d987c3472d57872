//! What happens from a place in the log on: a cursor, a few records, and a word now and then where nothing happens.

use std::{collections::VecDeque, pin::Pin, sync::Arc};

use tokio::{
    select,
    task::coop::consume_budget,
    time::{Instant, Sleep, sleep_until},
};
use tonic::Status;

use super::{BATCH, Response, Watching, filter::Filter};
use crate::{
    admin::problem::{Problem, Reason, going_away},
    config::limits,
    event::Position,
    journal::{Follower, Lost, Record},
    metrics,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Tail {
    watching: Arc<Watching>,
    follower: Follower,
    batch: VecDeque<Arc<Record>>,
    /// Whatever was asked for up to there was shown.
    cursor: Position,
    /// The caller knows where it stands.
    is_told: bool,
    quiet: Quiet,
    counted: metrics::Watcher,
}

impl Tail {
    /// Fails at once where the log has lost something that would follow.
    pub(super) fn new(
        watching: Arc<Watching>,
        mut follower: Follower,
        counted: metrics::Watcher,
    ) -> Result<Self, Status> {
        let cursor = follower.position();
        let batch = follower.read(BATCH).map_err(status)?.into();
        counted.stands_at(cursor);
        let quiet = Quiet::new();
        Ok(Self { watching, follower, batch, cursor, is_told: false, quiet, counted })
    }

    /// The end of a snapshot of so many rooms, which it follows.
    pub(super) fn snapshot_end(&mut self, rooms: usize) -> Response {
        self.is_told = true;
        Response::snapshot_end(self.cursor(), rooms)
    }

    /// The next event that is wanted, or a bookmark: first of all, and if there was no event for long. It ends with an
    /// error: when its caller has fallen behind the log, the log begins anew, or the server closes.
    pub(super) async fn next(&mut self, filter: &Filter) -> Result<Response, Status> {
        if !self.is_told {
            return Ok(self.bookmark());
        }
        loop {
            while let Some(record) = self.batch.pop_front() {
                // Others want this thread too, however much there is to pass over.
                consume_budget().await;
                self.stand_at(record.position());
                if filter.wants(&record) {
                    self.quiet.end();
                    return Ok(Response::event(self.cursor(), &record, self.watching.etags()));
                }
            }
            // Asked before the log is read, so that what was last to happen is still shown.
            let closing = self.watching.closing.is_cancelled();
            if closing {
                self.follower.catch_up();
            }
            self.batch = self.follower.read(BATCH).map_err(status)?.into();
            if !self.batch.is_empty() {
                continue;
            }
            self.stand_at(self.follower.position());
            if self.follower.is_behind() {
                consume_budget().await;
                continue;
            }
            if closing {
                return Err(going_away());
            }
            if self.quiet.is_long() {
                return Ok(self.bookmark());
            }
            select! {
                () = self.follower.grown() => {}
                () = self.watching.closing.cancelled() => {}
                () = self.quiet.until_long() => {}
            }
        }
    }

    fn bookmark(&mut self) -> Response {
        self.is_told = true;
        self.quiet.end();
        Response::bookmark(self.cursor())
    }

    fn stand_at(&mut self, position: Position) {
        self.cursor = position;
        self.counted.stands_at(position);
    }

    fn cursor(&self) -> String {
        self.watching.cursors().of(self.cursor)
    }
}

/// How long nothing was said.
#[derive(Debug)]
struct Quiet {
    since: Instant,
    /// Set anew when it goes off, not with each word.
    timer: Pin<Box<Sleep>>,
}

impl Quiet {
    fn new() -> Self {
        let since = Instant::now();
        Self { since, timer: Box::pin(sleep_until(since + limits::WATCHED_QUIET)) }
    }

    fn end(&mut self) {
        self.since = Instant::now();
    }

    fn is_long(&self) -> bool {
        self.since.elapsed() >= limits::WATCHED_QUIET
    }

    async fn until_long(&mut self) {
        loop {
            self.timer.as_mut().await;
            if self.is_long() {
                return;
            }
            self.timer.as_mut().reset(self.since + limits::WATCHED_QUIET);
        }
    }
}

fn status(lost: Lost) -> Status {
    let reason = match lost {
        Lost::Trimmed { .. } => Reason::CursorExpired,
        Lost::BegunAnew => Reason::EpochChanged,
    };
    Problem::new(reason, lost.to_string()).into()
}
