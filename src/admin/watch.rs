//! `WatchEvents`: a cursor on the log for each caller, and no queue.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{Stream, stream::unfold};
use tokio::task::coop::consume_budget;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{convert, going_away, pb};
use crate::{
    config::limits,
    hub::Hub,
    id::RoomId,
    journal::{Follower, Record},
};

/// Most rooms that a caller can name: each watcher keeps its own.
const MAX_ROOM_IDS: usize = 1000;

/// Entries read at once, under the log's lock.
const BATCH: usize = 256;

/// What happens from now on and passes `filter`. The stream ends with an error: when the caller has fallen
/// behind the log, or the server closes.
pub(super) fn events(
    hub: &Hub,
    filter: Filter,
    place: Place,
    closing: CancellationToken,
) -> impl Stream<Item = Result<pb::Event, Status>> + use<> {
    let Filter { rooms, kinds } = filter;
    let follower = hub.journal().follow(rooms);
    let watcher = Watcher { follower, kinds, batch: VecDeque::new(), closing, _place: place };
    unfold(Some(watcher), async |watcher| {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(event) => Some((Ok(event), Some(watcher))),
            Err(status) => Some((Err(status), None)),
        }
    })
}

struct Watcher {
    follower: Follower,
    kinds: BTreeSet<pb::EventKind>,
    batch: VecDeque<Arc<Record>>,
    closing: CancellationToken,
    _place: Place,
}

impl Watcher {
    async fn next(&mut self) -> Result<pb::Event, Status> {
        loop {
            while let Some(record) = self.batch.pop_front() {
                // Others want this thread too, however much there is to pass over.
                consume_budget().await;
                if self.wants(&record) {
                    return Ok(convert::event(&record));
                }
            }
            // Asked before the log is read, so that what was last to happen is still shown.
            let closing = self.closing.is_cancelled();
            if closing {
                self.follower.catch_up();
            }
            let batch = self.follower.read(BATCH);
            self.batch = batch.map_err(|trimmed| Status::data_loss(trimmed.to_string()))?.into();
            if self.batch.is_empty() {
                if closing {
                    return Err(going_away());
                }
                tokio::select! {
                    () = self.follower.grown() => {}
                    () = self.closing.cancelled() => {}
                }
            }
        }
    }

    fn wants(&self, record: &Record) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&convert::kind(&record.event.change))
    }
}

/// Which events a caller wants.
#[derive(Debug)]
pub(super) struct Filter {
    /// None: of all rooms.
    rooms: Option<BTreeSet<RoomId>>,
    /// Empty: of all kinds.
    kinds: BTreeSet<pb::EventKind>,
}

impl TryFrom<pb::WatchEventsRequest> for Filter {
    type Error = Status;

    fn try_from(request: pb::WatchEventsRequest) -> Result<Self, Status> {
        if request.room_ids.len() > MAX_ROOM_IDS {
            return Err(Status::invalid_argument(format!(
                "room_ids must be at most {MAX_ROOM_IDS}; name none to watch all rooms"
            )));
        }
        let kind = |number: i32| match pb::EventKind::try_from(number) {
            Ok(kind) if kind != pb::EventKind::Unspecified => Ok(kind),
            _ => Err(Status::invalid_argument(format!("kinds: there is no event kind {number}"))),
        };
        let rooms: BTreeSet<_> =
            request.room_ids.iter().map(|id| convert::room_id(id)).collect::<Result<_, _>>()?;
        let kinds = request.kinds.into_iter().map(kind).collect::<Result<_, _>>()?;
        Ok(Self { rooms: (!rooms.is_empty()).then_some(rooms), kinds })
    }
}

/// One of the places for watchers, given back when dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Place {
    pub(super) fn take(taken: &Arc<AtomicUsize>) -> Result<Self, Status> {
        let free = |taken| (taken < limits::WATCHERS).then_some(taken + 1);
        match taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free) {
            Ok(_) => Ok(Self(Arc::clone(taken))),
            Err(_) => Err(Status::resource_exhausted("too many watchers")),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
