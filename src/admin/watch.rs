//! `WatchEvents`: a cursor on the log for each caller, and no queue.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use futures_util::{Stream, stream::unfold};
use tokio::task::coop::consume_budget;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{
    convert::event,
    etag::Etags,
    pb,
    problem::{Faults, Problem, Reason, going_away},
    quota::{Quota, Share},
};
use crate::{
    config::limits,
    hub::Hub,
    id::RoomId,
    journal::{Follower, Record},
    metrics,
};

/// Entries read at once, under the log's lock, and kept by a watcher that does not read.
const BATCH: usize = 64;

/// What happens from now on and passes `filter`. The stream ends with an error: when the caller has fallen
/// behind the log, or the server closes.
pub(super) fn events(
    hub: &Hub,
    filter: Filter,
    etags: Etags,
    closing: CancellationToken,
) -> impl Stream<Item = Result<pb::WatchEventsResponse, Status>> + use<> {
    let Filter { rooms, kinds, names } = filter;
    let follower = hub.journal().follow(rooms);
    let counted = hub.metrics.watcher(follower.cursor());
    let watcher =
        Watcher { follower, counted, etags, kinds, batch: VecDeque::new(), closing, _names: names };
    unfold(Some(watcher), async |watcher| {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(event) => {
                let what = Some(pb::watch_events_response::What::Event(event));
                let response = pb::WatchEventsResponse { cursor: String::new(), what };
                Some((Ok(response), Some(watcher)))
            }
            Err(status) => Some((Err(status), None)),
        }
    })
}

struct Watcher {
    follower: Follower,
    etags: Etags,
    counted: metrics::Watcher,
    kinds: BTreeSet<pb::EventKind>,
    batch: VecDeque<Arc<Record>>,
    closing: CancellationToken,
    _names: Share,
}

impl Watcher {
    async fn next(&mut self) -> Result<pb::Event, Status> {
        loop {
            while let Some(record) = self.batch.pop_front() {
                // Others want this thread too, however much there is to pass over.
                consume_budget().await;
                if self.wants(&record) {
                    return Ok(event::event(&record, self.etags));
                }
            }
            // Asked before the log is read, so that what was last to happen is still shown.
            let closing = self.closing.is_cancelled();
            if closing {
                self.follower.catch_up();
            }
            let batch = self.follower.read(BATCH);
            self.batch = batch
                .map_err(|trimmed| Problem::new(Reason::CursorExpired, trimmed.to_string()))?
                .into();
            self.counted.stands_at(self.follower.cursor());
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
        self.kinds.is_empty() || self.kinds.contains(&event::kind(record))
    }
}

/// Which events a caller wants.
#[derive(Debug)]
pub(super) struct Filter {
    /// None: of all rooms.
    rooms: Option<BTreeSet<RoomId>>,
    /// Empty: of all kinds.
    kinds: BTreeSet<pb::EventKind>,
    names: Share,
}

impl Filter {
    /// What `request` says; the names of its rooms are taken from `names`.
    pub(super) fn new(request: pb::WatchEventsRequest, names: &Arc<Quota>) -> Result<Self, Status> {
        if request.room_ids.len() > limits::WATCHED_ROOMS {
            let most = limits::WATCHED_ROOMS;
            let text = format!("must be at most {most}; name none to watch all rooms");
            return Err(Faults::of("room_ids", text).into());
        }
        let bytes: usize = request.room_ids.iter().map(String::len).sum();
        if bytes > limits::WATCHED_NAMES_BYTES {
            let most = limits::WATCHED_NAMES_BYTES;
            let text = format!("must be at most {most} bytes together");
            return Err(Faults::of("room_ids", text).into());
        }
        let names = names.take(bytes + request.room_ids.len() * limits::WATCHED_NAME_OVERHEAD);
        let names = names.ok_or_else(|| {
            Problem::new(Reason::TooManyWatchers, "too many rooms are watched by their names")
        })?;
        let kind = |number: i32| match pb::EventKind::try_from(number) {
            Ok(kind) if kind != pb::EventKind::Unspecified => Ok(kind),
            _ => Err(Faults::of("kinds", format!("has {number}, which is no event kind"))),
        };
        let room = |id: &String| id.parse().map_err(|invalid| Faults::of("room_ids", invalid));
        let rooms: BTreeSet<_> = request.room_ids.iter().map(room).collect::<Result<_, _>>()?;
        let kinds = request.kinds.into_iter().map(kind).collect::<Result<_, _>>()?;
        Ok(Self { rooms: (!rooms.is_empty()).then_some(rooms), kinds, names })
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, pin::pin};

    use clap::Parser;
    use futures_util::StreamExt;

    use super::*;
    use crate::{config::Config, room::LeaveReason};

    #[tokio::test]
    async fn passing_over_what_is_not_wanted_leaves_the_thread_to_others() {
        let hub = Arc::new(Hub::new(Arc::new(
            Config::try_parse_from(["signalpost", "--rate-limit", "0"]).unwrap(),
        )));
        let kinds = vec![pb::EventKind::Closed.into()];
        let request = pb::WatchEventsRequest { kinds, ..Default::default() };
        let filter = Filter::new(request, &Quota::new(0)).unwrap();
        let stream = events(&hub, filter, Etags::new(0), CancellationToken::new());
        let mut session = hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap();
        for _ in 0..5000 {
            let join = session.receive(r#"{"type":"join","roomId":"r"}"#).unwrap();
            session.join(join).await;
            session.client().outbox.take_due(&mut Vec::new(), usize::MAX);
            session.client().outbox.acknowledge();
        }
        session.end(LeaveReason::Left);

        let hearing = tokio::spawn(async move { pin!(stream).next().await });
        let mut turns = 0;
        while !hearing.is_finished() {
            tokio::task::yield_now().await;
            turns += 1;
        }
        let closed = hearing.await.unwrap().unwrap().unwrap();
        let Some(pb::watch_events_response::What::Event(closed)) = closed.what else { panic!() };
        assert!(matches!(closed.what, Some(pb::event::What::Closed(_))));
        assert!(turns > 50, "10,000 events were passed over in {turns} turns");
    }
}
