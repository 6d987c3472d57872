//! A stream of events, without what is only about the stream.

#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]

use signalpost::admin::pb::{
    Event, WatchEventsRequest, WatchEventsResponse, admin_service_client::AdminServiceClient,
    watch_events_response,
};
use tonic::{Status, Streaming, transport::Channel};

use super::within;

pub struct Events(Streaming<WatchEventsResponse>);

impl Events {
    pub async fn of(admin: &mut AdminServiceClient<Channel>, request: WatchEventsRequest) -> Self {
        Self(admin.watch_events(request).await.unwrap().into_inner())
    }

    /// Of all rooms, from now on.
    pub async fn all(admin: &mut AdminServiceClient<Channel>) -> Self {
        Self::of(admin, WatchEventsRequest::default()).await
    }

    /// The next event, or how the stream ended.
    pub async fn try_next(&mut self) -> Result<Event, Status> {
        loop {
            let message = within(self.0.message()).await?.expect("it ends with a status");
            if let Some(watch_events_response::What::Event(event)) = message.what {
                return Ok(event);
            }
        }
    }

    pub async fn next(&mut self) -> Event {
        self.try_next().await.unwrap()
    }
}
