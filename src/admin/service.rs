//! `signalpost.admin.v1.AdminService`, as `admin.proto` describes it.

use std::{num::NonZeroUsize, pin::Pin, sync::Arc};

use futures_util::Stream;
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::{
    convert, page, pb,
    problem::{Faults, Problem, Reason},
    quota::Quota,
    watch,
};
use crate::{config::limits, hub::Hub};

/// See the module.
#[derive(Debug)]
pub(super) struct Service {
    hub: Arc<Hub>,
    /// Bytes of the names of watched rooms.
    watched: Arc<Quota>,
    /// Bytes of answers on their way.
    answers: Arc<Quota>,
    closing: CancellationToken,
}

impl Service {
    pub(super) fn new(hub: Arc<Hub>, closing: CancellationToken) -> Self {
        Self {
            hub,
            watched: Quota::new(limits::WATCHED_BYTES),
            answers: Quota::new(limits::ADMIN_ANSWER_BYTES),
            closing,
        }
    }
}

#[tonic::async_trait]
impl pb::admin_service_server::AdminService for Service {
    async fn list_rooms(
        &self,
        request: Request<pb::ListRoomsRequest>,
    ) -> Result<Response<pb::ListRoomsResponse>, Status> {
        let pb::ListRoomsRequest { page_size, page_token } = request.into_inner();
        let (wanted, after) = Faults::gather(|faults| {
            let wanted = usize::try_from(page_size).map_err(|_| "must not be negative");
            let wanted = faults.check("page_size", wanted);
            let after = faults.check("page_token", page::after(&page_token));
            Some((wanted?, after?))
        })?;
        let wanted = NonZeroUsize::new(wanted.min(limits::MAX_PAGE_ROOMS));
        let wanted = wanted.or(NonZeroUsize::new(limits::PAGE_ROOMS)).expect("not zero");

        let (rooms, more) = self.hub.rooms(after.as_ref(), wanted);
        let last = rooms.last().filter(|_| more);
        self.answer(pb::ListRoomsResponse {
            next_page_token: last.map(|room| page::token(&room.id)).unwrap_or_default(),
            rooms: rooms.into_iter().map(convert::room).collect(),
        })
    }

    async fn get_room(
        &self,
        request: Request<pb::GetRoomRequest>,
    ) -> Result<Response<pb::Room>, Status> {
        let room_id = convert::room_id(&request.into_inner().room_id)?;
        let missing = |error| Problem::from(error).with("room_id", &room_id);
        let (room, members) = self.hub.room(&room_id).map_err(missing)?;
        let members = members.iter().map(|member| convert::member(member)).collect();
        self.answer(pb::Room { members, ..convert::room(room) })
    }

    async fn lock_room(
        &self,
        request: Request<pb::LockRoomRequest>,
    ) -> Result<Response<pb::Room>, Status> {
        let pb::LockRoomRequest { room_id, locked } = request.into_inner();
        let id = convert::room_id(&room_id)?;
        let missing = |error| Problem::from(error).with("room_id", &room_id);
        let room = self.hub.lock(&id, locked).await.map_err(missing)?;
        tracing::info!(%room_id, locked, "an administrator set a room's lock");
        Ok(Response::new(convert::room(room)))
    }

    async fn broadcast(
        &self,
        request: Request<pb::BroadcastRequest>,
    ) -> Result<Response<pb::BroadcastResponse>, Status> {
        let pb::BroadcastRequest { target, body } = request.into_inner();
        let most = self.hub.max_message_bytes();
        let (audience, content) = Faults::gather(|faults| {
            let audience = faults.merge(convert::audience(target));
            let content = faults.merge(convert::content(body));
            if content.as_ref().is_some_and(|content| content.get().len() > most) {
                faults.add("content", format!("must be at most {most} bytes of JSON"));
            }
            Some((audience?, content?))
        })?;
        let reached = self.hub.broadcast(&audience, &content)?;
        tracing::info!(reached, "an administrator sent a broadcast");
        let reached = u32::try_from(reached).unwrap_or(u32::MAX);
        Ok(Response::new(pb::BroadcastResponse { reached }))
    }

    type WatchEventsStream = Pin<Box<dyn Stream<Item = Result<pb::Event, Status>> + Send>>;

    async fn watch_events(
        &self,
        request: Request<pb::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let filter = watch::Filter::new(request.into_inner(), &self.watched)?;
        let stream = watch::events(&self.hub, filter, self.closing.clone());
        Ok(Response::new(Box::pin(stream)))
    }
}

impl Service {
    /// An answer that may be long: it takes a share until its caller took it.
    fn answer<M: Message>(&self, message: M) -> Result<Response<M>, Status> {
        let counted = message.encoded_len().saturating_sub(limits::ADMIN_FREE_BYTES);
        let share = self.answers.take(counted).ok_or_else(|| {
            let text = "too many bytes of answers are on their way";
            Problem::new(Reason::TooManyBytes, text)
        })?;
        let mut response = Response::new(message);
        response.extensions_mut().insert(Arc::new(share));
        Ok(response)
    }
}
