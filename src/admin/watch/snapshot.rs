//! A snapshot of the rooms without a lock on all of them: each is copied under its own, then the log tells what
//! happened meanwhile. The follower that read the log up to there goes on from there.

use std::{collections::BTreeSet, num::NonZeroUsize, sync::Arc};

use tokio::task::{coop::consume_budget, yield_now};
use tonic::Status;

use super::{
    BATCH, Response, Watching,
    filter::Filter,
    rooms::Rooms,
    shelf::{Place, TakenAway},
    tail::Tail,
};
use crate::{
    admin::{
        problem::{Problem, Reason, going_away},
        quota::Share,
    },
    config::limits,
    id::RoomId,
    journal::{Entry, Follower},
    metrics,
};

/// Rooms that are copied without a pause.
const ROOMS: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// See the module.
#[derive(Debug)]
pub(super) struct Snapshot {
    watching: Arc<Watching>,
    named: Option<BTreeSet<RoomId>>,
    whole: Option<Whole>,
    /// Until the tail has it.
    counted: Option<metrics::Watcher>,
    /// The bytes of the page that its caller has not taken yet.
    page: Option<Share>,
}

/// A snapshot that is to be taken.
#[derive(Debug)]
struct Whole {
    rooms: Place<Rooms>,
    count: usize,
    follower: Follower,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Part {
    Page(Response),
    /// There are no more, and what follows.
    End(Tail, Response),
}

impl Snapshot {
    /// Without names, of all rooms.
    pub(super) fn new(
        watching: Arc<Watching>,
        named: Option<BTreeSet<RoomId>>,
        counted: metrics::Watcher,
    ) -> Self {
        Self { watching, named, whole: None, counted: Some(counted), page: None }
    }

    pub(super) async fn next(&mut self, filter: &Filter) -> Result<Part, Status> {
        self.page = None;
        if self.whole.is_none() {
            let whole = tokio::select! {
                whole = self.gather(filter) => whole?,
                () = self.watching.closing.cancelled() => return Err(going_away()),
            };
            (self.whole, self.named) = (Some(whole), None);
        }
        let whole = self.whole.as_ref().expect("just gathered");
        yield_now().await;
        if self.watching.closing.is_cancelled() {
            return Err(going_away());
        }
        let etags = self.watching.etags();
        let page =
            whole.rooms.with(|rooms| rooms.take_page(etags, |member| filter.shows(member)))?;
        let Some(page) = page else {
            let Whole { follower, count, .. } = self.whole.take().expect("just seen");
            let counted = self.counted.take().expect("a snapshot ends once");
            let mut tail = Tail::new(Arc::clone(&self.watching), follower, counted)?;
            let end = tail.snapshot_end(count);
            return Ok(Part::End(tail, end));
        };
        let page = Response::snapshot(&page);
        self.page = Some(self.watching.answers.for_answer(&page)?);
        Ok(Part::Page(page))
    }

    async fn gather(&self, filter: &Filter) -> Result<Whole, Status> {
        let rooms = self.watching.shelf.place().await;
        for _ in 0..limits::SNAPSHOT_ATTEMPTS {
            let Some(follower) = self.attempt(filter, &rooms).await? else { continue };
            let count = rooms.with(|rooms| {
                if filter.names_users() {
                    rooms.retain(|member| filter.shows(member));
                }
                rooms.len()
            })?;
            return Ok(Whole { rooms, count, follower });
        }
        let text = "more happened during the snapshot than the log keeps: raise --log-events";
        Err(Problem::new(Reason::LogTooShort, text).into())
    }

    /// Who has followed the log up to the moment of `rooms`; none, if the log passed it.
    async fn attempt(
        &self,
        filter: &Filter,
        rooms: &Place<Rooms>,
    ) -> Result<Option<Follower>, Status> {
        let hub = &self.watching.hub;
        let mut follower = hub.follower(self.named.clone());
        rooms.with(|rooms| *rooms = Rooms::default())?;
        self.copy(filter, rooms).await?;
        // In a fleet a copy may be newer than what the log has here.
        hub.catch_up().await?;
        let head = hub.journal().head();
        follower.catch_up();
        while follower.position() < head {
            let Ok(records) = follower.read(BATCH) else { return Ok(None) };
            rooms.with(|rooms| {
                for record in records {
                    if let Entry::Room { id, event } = &record.entry
                        && filter.covers(Some(id))
                    {
                        rooms.apply(id, event);
                    }
                }
            })?;
            yield_now().await;
        }
        Ok(Some(follower))
    }

    /// Each room as it is when its turn comes.
    async fn copy(&self, filter: &Filter, rooms: &Place<Rooms>) -> Result<(), Status> {
        let hub = &self.watching.hub;
        for named in self.named.iter().flatten() {
            if let Some(room) = hub.snapshot(named).await? {
                rooms.with(|rooms| rooms.add(room))?;
            }
            consume_budget().await;
        }
        if self.named.is_some() {
            return Ok(());
        }
        let prefix = filter.prefix.as_ref().map_or("", RoomId::as_str);
        let mut after = None;
        loop {
            let (page, next) = hub.snapshots(after.as_ref(), prefix, ROOMS).await?;
            rooms.with(|rooms| page.into_iter().for_each(|room| rooms.add(room)))?;
            after = next;
            if after.is_none() {
                return Ok(());
            }
            yield_now().await;
        }
    }
}

impl From<TakenAway> for Status {
    fn from(taken: TakenAway) -> Self {
        Problem::new(Reason::CursorExpired, taken.to_string()).into()
    }
}
