//! What browsers reach over HTTP: the client's files, `/healthz`, and the way into a WebSocket.

mod assets;

use std::{convert::Infallible, pin::pin, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, SEC_WEBSOCKET_VERSION, UPGRADE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{Config, limits},
    hub::Hub,
    ws,
};
use assets::Assets;

type Response = hyper::Response<Full<Bytes>>;

/// See the module.
#[derive(Debug)]
pub struct Http {
    hub: Arc<Hub>,
    config: Arc<Config>,
    assets: Assets,
    /// Every WebSocket's task, so that a stop can wait for their goodbyes.
    pub tasks: TaskTracker,
    /// No more requests on connections that are idle.
    pub draining: CancellationToken,
    /// The end of every task, whatever it is about.
    pub killed: CancellationToken,
}

impl Http {
    /// Serves what `hub` and the client's files have.
    pub fn new(hub: Arc<Hub>, config: Arc<Config>) -> Self {
        let assets = Assets::new(config.client_dir.clone());
        let (draining, killed) = (CancellationToken::new(), CancellationToken::new());
        Self { hub, config, assets, tasks: TaskTracker::new(), draining, killed }
    }

    /// Serves one connection as HTTP/1.1 until it ends, or a WebSocket's task takes it over.
    pub async fn serve<S>(self: Arc<Self>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let draining = self.draining.clone();
        let service = service_fn(move |request| {
            let http = Arc::clone(&self);
            async move { Ok::<_, Infallible>(http.respond::<S>(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits::HANDSHAKE)
            .max_buf_size(limits::HTTP_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let served = tokio::select! {
            served = connection.as_mut() => served,
            () = draining.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "HTTP connection ended");
        }
    }

    async fn respond<S>(&self, mut request: Request<Incoming>) -> Response
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let path = request.uri().path().to_owned();
        let mut response = match (&*path, request.method()) {
            ("/" | "/ws", _) if ws::is_upgrade(request.headers()) => {
                self.upgrade::<S>(&mut request)
            }
            ("/ws", _) => upgrade_required("This is the WebSocket endpoint; the page is at /."),
            ("/healthz", &Method::GET | &Method::HEAD) => self.health(),
            (path, &Method::GET | &Method::HEAD) => {
                self.assets.respond(path, request.headers()).await
            }
            _ => {
                let text = "Only GET and HEAD are answered here.";
                let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, text);
                refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                refused
            }
        };
        for (name, value) in assets::SECURITY_HEADERS {
            let name = HeaderName::from_static(name);
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }

    fn health(&self) -> Response {
        if self.draining.is_cancelled() {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "going away");
        }
        plain(StatusCode::OK, "ok")
    }

    fn upgrade<S>(&self, request: &mut Request<Incoming>) -> Response
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let switching = match ws::accept(request, &self.config.allowed_origins) {
            Ok(response) => response.map(|()| Full::default()),
            Err(refused @ ws::Refused::Version) => return upgrade_required(&refused.to_string()),
            Err(refused) => return plain(refused.status(), &refused.to_string()),
        };
        let Ok(session) = self.hub.connect() else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "The server takes no more connections.");
        };
        let upgraded = hyper::upgrade::on(request);
        let max_message_bytes = self.config.max_message_bytes;
        let (tasks, killed) = (self.tasks.clone(), self.killed.clone());
        self.tasks.spawn(async move {
            let Ok(upgraded) = upgraded.await else { return };
            let parts =
                upgraded.downcast::<TokioIo<S>>().expect("the stream that `serve` was given");
            let already_read = parts.read_buf.to_vec();
            // An empty `Bytes` would still hold hyper's whole read buffer.
            drop(parts.read_buf);
            let stream = parts.io.into_inner();
            // A task of its own: this one's room for the handshake would stay as long as it does.
            tasks.spawn(ws::run(stream, already_read, session, max_message_bytes, killed));
        });
        switching
    }
}

fn upgrade_required(text: &str) -> Response {
    let mut response = plain(StatusCode::UPGRADE_REQUIRED, text);
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

fn plain(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Full::from(format!("{text}\n")));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
