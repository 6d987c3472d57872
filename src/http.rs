//! What browsers reach over HTTP: the client's files, `/healthz`, and the way into a WebSocket.

mod assets;
mod host;
pub mod peer;

use std::{
    convert::Infallible,
    future::{Future, ready},
    net::IpAddr,
    pin::Pin,
    sync::Arc,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, StatusCode,
    body::{Body, Incoming},
    header::{
        ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
    server::conn::http1,
    service::Service,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{Config, limits},
    hub::{Hub, Session, TooManyClients},
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
    /// The end of every task, whatever it is about. It comes after `draining`.
    pub killed: CancellationToken,
}

impl Http {
    /// Serves what `hub` and the client's files have.
    pub fn new(hub: Arc<Hub>, config: Arc<Config>) -> Self {
        let assets = Assets::new(config.client_dir.clone());
        let (draining, killed) = (CancellationToken::new(), CancellationToken::new());
        Self { hub, config, assets, tasks: TaskTracker::new(), draining, killed }
    }

    /// Serves the connection of `peer` as HTTP/1.1 until it ends, all is killed, or a WebSocket's task takes it over.
    pub async fn serve<S>(self: Arc<Self>, stream: S, peer: IpAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let upgrading = Arc::new(Notify::new());
        let visit = Visit {
            http: Arc::clone(&self),
            peer,
            session: Mutex::default(),
            upgrading: Arc::clone(&upgrading),
        };
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits::HANDSHAKE)
            .max_buf_size(limits::HTTP_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), visit);
        // A client counts from then on, and nobody pings it before its WebSocket is there.
        let overdue = async {
            upgrading.notified().await;
            sleep(limits::HANDSHAKE).await;
        };
        let served = tokio::select! {
            served = &mut connection => served,
            () = overdue => return,
            () = self.draining.cancelled() => {
                Pin::new(&mut connection).graceful_shutdown();
                let Some(served) = self.killed.run_until_cancelled(&mut connection).await else { return };
                served
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "HTTP connection ended");
            return;
        }
        let http1::Parts { io, read_buf, service, .. } = connection.into_parts();
        let Some(session) = service.session.into_inner() else { return };
        let max_message_bytes = self.config.max_message_bytes;
        let killed = self.killed.clone();
        // A task of its own: this one's room for HTTP would stay as long as it does, and so would the whole
        // buffer of which `read_buf` is a part.
        let already_read = read_buf.to_vec();
        self.tasks.spawn(ws::run(
            io.into_inner(),
            already_read,
            session,
            max_message_bytes,
            killed,
        ));
    }

    async fn respond(&self, request: Request<Incoming>) -> Response {
        let path = request.uri().path();
        match (path, request.method()) {
            ("/ws", _) => upgrade_required("This is the WebSocket endpoint; the page is at /."),
            ("/healthz", &Method::GET | &Method::HEAD) => self.health(),
            (path, &Method::GET | &Method::HEAD) => {
                self.assets.respond(path, request.headers()).await
            }
            // As HAProxy asks, unless told otherwise, whether a server is well (RFC 9110, section 9.3.7).
            (_, &Method::OPTIONS) => {
                let mut response = Response::default();
                *response.status_mut() = StatusCode::NO_CONTENT;
                with_methods(response)
            }
            _ => {
                let text = "Only GET and HEAD are answered here.";
                with_methods(plain(StatusCode::METHOD_NOT_ALLOWED, text))
            }
        }
    }

    fn health(&self) -> Response {
        if self.draining.is_cancelled() {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "going away");
        }
        plain(StatusCode::OK, "ok")
    }

    /// The answer to a request to become a WebSocket, and the client's session if it shall.
    fn upgrade(&self, request: &Request<Incoming>, address: IpAddr) -> (Response, Option<Session>) {
        // Its body would be taken for frames, or by a proxy on the way for something else.
        let accepted = if request.body().is_end_stream() {
            ws::accept(request, &self.config.allowed_origins)
        } else {
            Err(ws::Refused::Malformed("it has a body"))
        };
        let switching = match accepted {
            Ok(response) => response.map(|()| Full::default()),
            Err(refused @ ws::Refused::Version) => {
                return (upgrade_required(&refused.to_string()), None);
            }
            Err(refused) => return (plain(refused.status(), &refused.to_string()), None),
        };
        match self.hub.connect(address) {
            Ok(session) => {
                tracing::debug!(client_id = %session.client().id, %address, "a client comes");
                (switching, Some(session))
            }
            Err(TooManyClients) => {
                let text = "The server takes no more connections.";
                (plain(StatusCode::SERVICE_UNAVAILABLE, text), None)
            }
        }
    }
}

/// One connection's requests, up to the one that makes it a WebSocket.
struct Visit {
    http: Arc<Http>,
    peer: IpAddr,
    session: Mutex<Option<Session>>,
    /// Told when there is a session.
    upgrading: Arc<Notify>,
}

impl Visit {
    fn address_of(&self, request: &Request<Incoming>) -> IpAddr {
        let trusts = |address| self.http.config.trusts(address);
        peer::client_address(self.peer, request.headers(), trusts)
    }
}

impl Service<Request<Incoming>> for Visit {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if !host::is_named(&request) {
            return Box::pin(ready(Ok(with_security_headers(unnamed()))));
        }
        if matches!(request.uri().path(), "/" | "/ws") && ws::is_upgrade(&request) {
            let (response, session) = self.http.upgrade(&request, self.address_of(&request));
            if session.is_some() {
                self.upgrading.notify_one();
            }
            *self.session.lock() = session;
            return Box::pin(ready(Ok(with_security_headers(response))));
        }
        let http = Arc::clone(&self.http);
        Box::pin(async move { Ok(with_security_headers(http.respond(request).await)) })
    }
}

fn with_security_headers(mut response: Response) -> Response {
    for (name, value) in assets::SECURITY_HEADERS {
        let name = HeaderName::from_static(name);
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The last answer on its connection: what follows may be a part of what was not understood.
fn unnamed() -> Response {
    let mut response =
        plain(StatusCode::BAD_REQUEST, "A request must have one proper Host header.");
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn upgrade_required(text: &str) -> Response {
    let mut response = plain(StatusCode::UPGRADE_REQUIRED, text);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

fn with_methods(mut response: Response) -> Response {
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    response
}

fn plain(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Full::from(format!("{text}\n")));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
