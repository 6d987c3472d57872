//! The administrators' gRPC API: a thin shell that turns protobuf into calls of the hub and back.

mod convert;
mod health;
pub mod page;
mod service;
mod watch;

use std::{future::Future, io, sync::Arc, time::Duration};

use futures_util::Stream;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Server};
use tonic_health::pb::health_server::HealthServer;

pub use health::Health;

use crate::hub::Hub;
use pb::admin_service_server::AdminServiceServer;
use service::Service;

/// The generated code of `proto/signalpost/admin/v1`.
#[allow(missing_docs, unused_qualifications, clippy::all, clippy::or_fun_call, clippy::use_self, clippy::too_many_lines, clippy::wildcard_enum_match_arm, reason = "generated")]
#[rustfmt::skip]
pub mod pb {
    tonic::include_proto!("signalpost.admin.v1");
}

/// Every file of `proto/`, compiled, for reflection.
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The longest request, unless browsers may send longer messages. The library's own default.
const LEAST_DECODED_BYTES: usize = 4 << 20;

/// A caller that is gone without a word is noticed after this long and half of it again.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// The API, and the switches that a stop needs.
#[derive(Debug)]
pub struct Admin {
    hub: Arc<Hub>,
    health: Health,
    /// Ends every stream of events or of health once it has shown what happened before.
    pub closing: CancellationToken,
}

impl Admin {
    /// Speaks for `hub`.
    pub fn new(hub: Arc<Hub>) -> Self {
        Self { hub, health: Health::default(), closing: CancellationToken::new() }
    }

    /// The switch for `grpc.health.v1`.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Serves `incoming` connections until `shutdown`, then until every call is answered.
    ///
    /// # Errors
    /// What the transport answers.
    pub async fn serve(
        self,
        incoming: impl Stream<Item = io::Result<TcpStream>>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), tonic::transport::Error> {
        let Self { hub, health, closing } = self;
        health.set(true).await;
        // A broadcast may be as long as a browser's message, and JSON text in protobuf is little longer.
        let most = LEAST_DECODED_BYTES.max(hub.max_message_bytes().saturating_mul(2));
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE / 2))
            .add_service(HealthServer::new(health.service(closing.clone())))
            .add_service(
                AdminServiceServer::new(Service::new(hub, closing)).max_decoding_message_size(most),
            )
            .add_service(reflection().build_v1().expect("compiled with the code"))
            .add_service(reflection().build_v1alpha().expect("compiled with the code"))
            .serve_with_incoming_shutdown(incoming, shutdown)
            .await
    }
}

/// How a stream ends with the server.
fn going_away() -> Status {
    Status::unavailable("the server is going away")
}
