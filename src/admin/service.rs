//! `signalpost.admin.v1.AdminService`, as `admin.proto` describes it: each call, and where it is dealt with.

use std::{mem, pin::Pin, sync::Arc};

use futures_util::Stream;
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::{
    audit::Audit,
    convert::{ban, client, named},
    etag::Etags,
    pb,
    problem::{Faults, Problem, Reason},
    quota::Quota,
    request_ids::{RequestId, RequestIds, once_in_fleet},
    served::admin_service_server::AdminService,
    watch::{self, Watching},
};
use crate::{config::limits, event::Administrator, hub::Hub};

/// See the module.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) hub: Arc<Hub>,
    /// Streams of events.
    pub(super) watchers: Arc<Quota>,
    watching: Arc<Watching>,
    /// Bytes of answers on their way.
    answers: Arc<Quota>,
    request_ids: RequestIds,
}

impl Service {
    pub(super) fn new(hub: Arc<Hub>, closing: CancellationToken) -> Self {
        let answers = Quota::new(limits::ADMIN_ANSWER_BYTES);
        let watching = Watching::new(Arc::clone(&hub), Arc::clone(&answers), closing);
        let watchers = Quota::new(limits::WATCHERS);
        Self { hub, watchers, watching, answers, request_ids: RequestIds::default() }
    }

    /// Of the log's life as it is now.
    pub(super) fn etags(&self) -> Etags {
        Etags::new(self.hub.journal().epoch())
    }
}

type Answer<M> = Result<Response<M>, Status>;

#[tonic::async_trait]
impl AdminService for Service {
    async fn list_rooms(
        &self,
        request: Request<pb::ListRoomsRequest>,
    ) -> Answer<pb::ListRoomsResponse> {
        self.answer(self.list_of_rooms(request.get_ref()).await?)
    }

    async fn get_room(&self, request: Request<pb::GetRoomRequest>) -> Answer<pb::Room> {
        self.answer(self.room(request.get_ref()).await?)
    }

    async fn create_room(&self, request: Request<pb::CreateRoomRequest>) -> Answer<pb::Room> {
        let (audit, mut request) = Audit::begin(request);
        let text = mem::take(&mut request.request_id);
        let made = async {
            let id = request_id(audit.by(), &text, || self.read_new_room(&request))?;
            let acting = self.make_room(audit.by(), &request);
            self.once("CreateRoom", &id, &request, acting).await
        };
        let result = made.await;
        audit.end(result)
    }

    async fn update_room(&self, request: Request<pb::UpdateRoomRequest>) -> Answer<pb::Room> {
        let (audit, request) = Audit::begin(request);
        let result = self.change_room(audit.by(), &request).await;
        audit.end(result)
    }

    async fn lock_room(&self, request: Request<pb::LockRoomRequest>) -> Answer<pb::Room> {
        let (audit, request) = Audit::begin(request);
        let result = self.set_lock(audit.by(), &request).await;
        audit.end(result)
    }

    async fn delete_room(&self, request: Request<pb::DeleteRoomRequest>) -> Answer<()> {
        let (audit, request) = Audit::begin(request);
        let result = self.end_room(audit.by(), &request).await;
        audit.end(result)
    }

    async fn list_clients(
        &self,
        request: Request<pb::ListClientsRequest>,
    ) -> Answer<pb::ListClientsResponse> {
        self.answer(self.list_of_clients(request.get_ref()).await?)
    }

    async fn get_client(&self, request: Request<pb::GetClientRequest>) -> Answer<pb::Client> {
        Ok(Response::new(self.client(request.get_ref()).await?))
    }

    async fn disconnect_client(
        &self,
        request: Request<pb::DisconnectClientRequest>,
    ) -> Answer<pb::DisconnectClientResponse> {
        let (audit, mut request) = Audit::begin(request);
        let text = mem::take(&mut request.request_id);
        let ended = async {
            let id = request_id(audit.by(), &text, || client::ending(&request, self.hub.now()))?;
            let acting = self.end_client(audit.by(), &request);
            self.once("DisconnectClient", &id, &request, acting).await
        };
        let result = ended.await;
        audit.end(result)
    }

    async fn remove_client(&self, request: Request<pb::RemoveClientRequest>) -> Answer<pb::Client> {
        let (audit, request) = Audit::begin(request);
        let result = self.unseat_client(audit.by(), &request).await;
        audit.end(result)
    }

    async fn list_waiting(
        &self,
        request: Request<pb::ListWaitingRequest>,
    ) -> Answer<pb::ListWaitingResponse> {
        self.answer(self.list_of_waiting(request.get_ref()).await?)
    }

    async fn admit_client(&self, request: Request<pb::AdmitClientRequest>) -> Answer<pb::Client> {
        let (audit, request) = Audit::begin(request);
        let result = self.seat_client(audit.by(), &request).await;
        audit.end(result)
    }

    async fn deny_client(&self, request: Request<pb::DenyClientRequest>) -> Answer<pb::Client> {
        let (audit, request) = Audit::begin(request);
        let result = self.send_client_away(audit.by(), &request).await;
        audit.end(result)
    }

    async fn set_role(&self, request: Request<pb::SetRoleRequest>) -> Answer<pb::Member> {
        let (audit, request) = Audit::begin(request);
        let result = self.give_role(audit.by(), &request).await;
        audit.end(result)
    }

    async fn list_bans(
        &self,
        request: Request<pb::ListBansRequest>,
    ) -> Answer<pb::ListBansResponse> {
        self.answer(self.list_of_bans(request.get_ref()).await?)
    }

    async fn get_ban(&self, request: Request<pb::GetBanRequest>) -> Answer<pb::Ban> {
        self.ban(request.get_ref()).await.map(Response::new)
    }

    async fn create_ban(&self, request: Request<pb::CreateBanRequest>) -> Answer<pb::Ban> {
        let (audit, mut request) = Audit::begin(request);
        let text = mem::take(&mut request.request_id);
        let made = async {
            let id = request_id(audit.by(), &text, || ban::new_ban(&request, self.hub.now()))?;
            let acting = self.keep_out(audit.by(), &request);
            self.once("CreateBan", &id, &request, acting).await
        };
        let result = made.await;
        audit.end(result)
    }

    async fn delete_ban(&self, request: Request<pb::DeleteBanRequest>) -> Answer<()> {
        let (audit, request) = Audit::begin(request);
        let result = self.lift_ban(audit.by(), &request).await;
        audit.end(result)
    }

    async fn broadcast(
        &self,
        request: Request<pb::BroadcastRequest>,
    ) -> Answer<pb::BroadcastResponse> {
        let (audit, mut request) = Audit::begin(request);
        let text = mem::take(&mut request.request_id);
        let said = async {
            let id = request_id(audit.by(), &text, || self.read_broadcast(&request))?;
            let acting = self.say(&request);
            self.once("Broadcast", &id, &request, acting).await
        };
        let result = said.await;
        audit.end(result)
    }

    type WatchEventsStream = Streamed<watch::Response>;

    async fn watch_events(
        &self,
        request: Request<pb::WatchEventsRequest>,
    ) -> Answer<Self::WatchEventsStream> {
        let place = self.watchers.take(1);
        let too_many = || Problem::new(Reason::TooManyWatchers, "too many watchers");
        self.watching.reach(request.get_ref()).await?;
        let stream = self.watching.events(request.get_ref(), place.ok_or_else(too_many)?)?;
        Ok(Response::new(Box::pin(stream)))
    }

    async fn get_server_info(
        &self,
        _: Request<pb::GetServerInfoRequest>,
    ) -> Answer<pb::ServerInfo> {
        Ok(Response::new(self.info().await))
    }

    async fn list_nodes(&self, _: Request<pb::ListNodesRequest>) -> Answer<pb::ListNodesResponse> {
        self.answer(self.list_of_nodes().await?)
    }

    type DrainStream = Streamed<pb::DrainResponse>;

    async fn drain(&self, request: Request<pb::DrainRequest>) -> Answer<Self::DrainStream> {
        let (audit, request) = Audit::begin(request);
        audit.end(self.start_drain(request).map(|told| Box::pin(told) as Self::DrainStream))
    }

    async fn cancel_drain(
        &self,
        request: Request<pb::CancelDrainRequest>,
    ) -> Answer<pb::CancelDrainResponse> {
        let (audit, _) = Audit::begin(request);
        audit.end(self.stop_drain())
    }
}

type Streamed<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

impl Service {
    /// The answer of `act`, or the one that the same call with the same `id` had, here or at another server.
    async fn once<A: Message + Default>(
        &self,
        method: &'static str,
        id: &RequestId,
        request: &impl Message,
        act: impl Future<Output = Result<A, Status>>,
    ) -> Result<A, Status> {
        // In a box, as an act is large that may be done elsewhere.
        let acting = once_in_fleet(&self.hub, method, id, request, Box::pin(act));
        self.request_ids.once(method, id, request, acting).await
    }

    /// An answer that may be long: it takes a share until its caller took it.
    fn answer<M: Message>(&self, message: M) -> Answer<M> {
        let share = self.answers.for_answer(&message)?;
        let mut response = Response::new(message);
        response.extensions_mut().insert(Arc::new(share));
        Ok(response)
    }
}

/// Taken out of its request: the rest of that is what must be the same. Where it is at fault, so may be what `read`
/// reads.
fn request_id<T>(
    by: &Administrator,
    text: &str,
    read: impl FnOnce() -> Result<T, Faults>,
) -> Result<RequestId, Problem> {
    let id = named("request_id", text).map_err(|faults: Faults| faults.and(read()))?;
    Ok(RequestId::of(id, by))
}
