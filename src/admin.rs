//! The administrators' gRPC API: a thin shell that turns protobuf into calls of the hub and back. Beside it, what
//! monitors ask in plain HTTP.

mod audit;
mod bans;
mod clients;
mod convert;
pub mod credentials;
mod door;
mod etag;
mod filter;
mod gate;
mod health;
mod hosting;
mod line;
mod lists;
pub mod page;
mod plain;
pub mod problem;
mod quota;
mod request_ids;
mod rooms;
mod say;
mod server;
mod service;
mod subject;
mod token_file;
mod watch;

use std::{
    future::{Future, ready},
    io,
    sync::Arc,
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tonic::{service::Routes, transport::Server};
use tonic_health::pb::health_server::HealthServer;

pub use health::Health;
pub use subject::Peer;
pub use token_file::{TokenFile, TokenFileError};

use crate::{
    config::limits,
    hub::Hub,
    metrics::{Process, Source},
};
use door::Door;
use gate::Gate;
use line::Line;
use plain::Plain;
use quota::Quota;
use served::admin_service_server::AdminServiceServer;
use service::Service;

/// The generated code of `proto/signalpost/admin/v1`: its messages, and a client.
#[allow(missing_docs, unused_qualifications, clippy::all, clippy::or_fun_call, clippy::use_self, clippy::too_many_lines, clippy::wildcard_enum_match_arm, reason = "generated")]
#[rustfmt::skip]
pub mod pb {
    tonic::include_proto!("signalpost.admin.v1");
}

/// The server's half, with an answer of `WatchEvents` that holds what was encoded before.
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::or_fun_call, clippy::use_self, clippy::too_many_lines, clippy::wildcard_enum_match_arm, reason = "generated")]
#[rustfmt::skip]
mod served {
    include!(concat!(env!("OUT_DIR"), "/served/signalpost.admin.v1.rs"));
}

/// Every file of `proto/signalpost/admin/v1`, compiled, for reflection.
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// A caller that is gone without a word is noticed after this long and half of it again.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// The API, and the switches that a stop needs.
#[derive(Debug)]
pub struct Admin {
    hub: Arc<Hub>,
    health: Health,
    /// Who has figures for `/metrics`.
    sources: Vec<Arc<dyn Source>>,
    door: Door,
    /// Ends every stream of events or of health once it has shown what happened before.
    pub closing: CancellationToken,
}

impl Admin {
    /// Speaks for `hub`.
    pub fn new(hub: Arc<Hub>) -> Self {
        let sources = vec![Arc::clone(&hub) as Arc<dyn Source>, Arc::new(Process)];
        let (health, closing) = (Health::default(), CancellationToken::new());
        Self { hub, health, sources, door: Door::new(None), closing }
    }

    /// The same, with figures from elsewhere.
    #[must_use]
    pub fn exposing(mut self, source: Arc<dyn Source>) -> Self {
        self.sources.push(source);
        self
    }

    /// The same, for those whom the file names.
    #[must_use]
    pub fn asking(mut self, file: Option<TokenFile>) -> Self {
        self.door = Door::new(file);
        self
    }

    /// The switch for `grpc.health.v1`.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Serves `incoming` connections until `shutdown`, then until every call is answered.
    ///
    /// # Errors
    /// What the transport answers.
    pub async fn serve<S>(
        self,
        incoming: impl Stream<Item = io::Result<S>>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), tonic::transport::Error>
    where
        S: AsyncRead + AsyncWrite + Peer + Unpin + Send + 'static,
    {
        let Self { hub, health, sources, door, closing } = self;
        health.set(true).await;
        let places = Quota::new(hub.capacity().administrators);
        // A broadcast may be as long as a browser's message. A number takes a few times as much in protobuf as
        // in JSON text, all else about the same.
        let longest = limits::ADMIN_REQUEST_BYTES.max(hub.max_message_bytes().saturating_mul(6));
        let own = limits::ADMIN_BYTES.max(longest);
        let all = own.saturating_mul(4);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let plain = Plain::new(health.clone(), sources, door.is_kept());
        let health = health.service(closing.clone());
        let health = HealthServer::new(health).max_decoding_message_size(limits::ADMIN_NAME_BYTES);
        let service = AdminServiceServer::new(Service::new(hub, closing));
        let v1 = reflection().build_v1().expect("compiled with the code");
        let v1alpha = reflection().build_v1alpha().expect("compiled with the code");
        let routes = Routes::new(health)
            .add_service(service.max_decoding_message_size(longest))
            .add_service(v1.max_decoding_message_size(limits::ADMIN_NAME_BYTES))
            .add_service(v1alpha.max_decoding_message_size(limits::ADMIN_NAME_BYTES));
        let lines = incoming.filter_map(move |stream| {
            let line = stream.map(|stream| Some(Line::new(stream, places.take(1)?, own)));
            if let Ok(None) = line {
                tracing::debug!("too many connections to the admin API: one was closed");
            }
            ready(line.transpose())
        });
        Server::builder()
            .accept_http1(true)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .http2_keepalive_timeout(Some(KEEPALIVE / 2))
            .max_concurrent_streams(u32::try_from(limits::ADMIN_STREAMS).ok())
            .initial_stream_window_size(limits::ADMIN_WINDOW_BYTES)
            .initial_connection_window_size(limits::ADMIN_WINDOW_BYTES)
            .http2_max_header_list_size(limits::ADMIN_HEADER_BYTES)
            .serve_with_incoming_shutdown(Gate::new(door, routes, plain, all), lines, shutdown)
            .await
    }
}
