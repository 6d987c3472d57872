//! `WatchEvents`: for each caller a cursor on the log and no queue, behind a snapshot where that is asked for.

mod cursor;
mod filter;
mod rooms;
mod shelf;
mod snapshot;
mod tail;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;

use futures_util::{Stream, stream::unfold};
use tokio_util::sync::CancellationToken;
use tonic::Status;

pub(super) use wire::Response;

use super::{
    etag::Etags,
    pb::{self, watch_events_request::Start as From},
    quota::{Quota, Share},
};
use crate::{
    config::limits,
    hub::{Hub, NotFound},
};
use cursor::Cursors;
use filter::{Filter, Start, Wish};
use rooms::Rooms;
use shelf::Shelf;
use snapshot::{Part, Snapshot};
use tail::Tail;

/// Entries read at once, under the log's lock, and kept by a watcher that does not read.
const BATCH: usize = 64;

/// What all who watch have in common.
#[derive(Debug)]
pub(super) struct Watching {
    hub: Arc<Hub>,
    /// Bytes of the names of watched rooms and users.
    names: Arc<Quota>,
    /// Bytes of answers on their way.
    answers: Arc<Quota>,
    shelf: Arc<Shelf<Rooms>>,
    closing: CancellationToken,
}

impl Watching {
    /// Pages of snapshots are taken from `answers`. Whatever is watched ends with `closing`.
    pub(super) fn new(hub: Arc<Hub>, answers: Arc<Quota>, closing: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            hub,
            names: Quota::new(limits::WATCHED_BYTES),
            answers,
            shelf: Shelf::new(),
            closing,
        })
    }

    /// Those of the log's life as it is now.
    fn cursors(&self) -> Cursors {
        Cursors::new(self.hub.journal().epoch())
    }

    fn etags(&self) -> Etags {
        Etags::new(self.hub.journal().epoch())
    }

    /// Waits until this server knows as much as the one that gave out the cursor of `request`.
    pub(super) async fn reach(&self, request: &pb::WatchEventsRequest) -> Result<(), NotFound> {
        let Some(From::Cursor(cursor)) = &request.start else { return Ok(()) };
        let is_ahead = |place| place > self.hub.journal().head();
        if self.cursors().place(cursor).is_ok_and(is_ahead) {
            self.hub.catch_up().await
        } else {
            Ok(())
        }
    }

    /// What `request` asks for. The stream holds `place`, and ends with an error.
    pub(super) fn events(
        self: &Arc<Self>,
        request: &pb::WatchEventsRequest,
        place: Share,
    ) -> Result<impl Stream<Item = Result<Response, Status>> + use<>, Status> {
        let journal = self.hub.journal();
        let Wish { rooms, filter, start } =
            Wish::read(request, self.cursors(), journal.head(), &self.names)?;
        let (own, counted) = (Arc::clone(self), self.hub.metrics.watcher(journal.head()));
        let tail = |follower, counted| Tail::new(Arc::clone(self), follower, counted);
        let stage = match start {
            Start::Snapshot => Stage::Snapshot(Snapshot::new(own, rooms, counted)),
            Start::Now => Stage::Tail(tail(journal.follow(rooms), counted)?),
            Start::After(cursor) => Stage::Tail(tail(journal.follow_from(cursor, rooms), counted)?),
        };
        let watcher = Watcher { stage, filter, _place: place };
        Ok(unfold(Some(watcher), async |watcher| {
            let mut watcher = watcher?;
            match watcher.next().await {
                Ok(response) => Some((Ok(response), Some(watcher))),
                Err(status) => Some((Err(status), None)),
            }
        }))
    }
}

struct Watcher {
    stage: Stage,
    filter: Filter,
    _place: Share,
}

enum Stage {
    Snapshot(Snapshot),
    Tail(Tail),
}

impl Watcher {
    async fn next(&mut self) -> Result<Response, Status> {
        match &mut self.stage {
            Stage::Tail(tail) => tail.next(&self.filter).await,
            Stage::Snapshot(snapshot) => match snapshot.next(&self.filter).await? {
                Part::Page(page) => Ok(page),
                Part::End(tail, end) => {
                    self.stage = Stage::Tail(tail);
                    Ok(end)
                }
            },
        }
    }
}
