//! `grpc.health.v1`, for the whole server and for this API.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{Stream, StreamExt, stream::unfold};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, HealthCheckResponse, health_server},
    server::{HealthReporter, HealthService},
};

use super::problem::going_away;

/// The switch of what is answered.
#[derive(Debug, Clone, Default)]
pub struct Health {
    reporter: HealthReporter,
    serving: Arc<AtomicBool>,
}

impl Health {
    /// SERVING or NOT_SERVING.
    pub async fn set(&self, serving: bool) {
        if self.serving.swap(serving, Ordering::Relaxed) == serving {
            return;
        }
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in ["", "signalpost.admin.v1.AdminService"] {
            self.reporter.set_service_status(service, status).await;
        }
    }

    /// What was set last.
    pub(super) fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Relaxed)
    }

    pub(super) fn service(&self, closing: CancellationToken) -> Service {
        let answers = HealthService::from_health_reporter(self.reporter.clone());
        Service { answers, closing }
    }
}

/// The library's, but for the end of `Watch`: there it has none, and a stop would wait for it.
#[derive(Debug)]
pub(super) struct Service {
    answers: HealthService,
    closing: CancellationToken,
}

#[tonic::async_trait]
impl health_server::Health for Service {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.answers.check(request).await
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let statuses = self.answers.watch(request).await?.into_inner();
        Ok(Response::new(Box::pin(until(statuses, self.closing.clone()))))
    }
}

/// What `statuses` has to show, and an error once there is no more of it and the server closes.
fn until<S>(statuses: S, closing: CancellationToken) -> impl Stream<Item = S::Item>
where
    S: Stream<Item = Result<HealthCheckResponse, Status>> + Unpin,
{
    unfold(Some((statuses, closing)), async |watching| {
        let (mut statuses, closing) = watching?;
        tokio::select! {
            // NOT_SERVING is set before the server closes, maybe only just.
            biased;
            status = statuses.next() => Some((status?, Some((statuses, closing)))),
            () = closing.cancelled() => Some((Err(going_away()), None)),
        }
    })
}
