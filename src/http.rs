//! What browsers reach over HTTP: the client's files, `/healthz`, and the way into a WebSocket.

mod assets;
mod credential;
mod host;
mod pace;
pub mod peer;
mod refusals;
mod visitors;

use std::{
    convert::Infallible,
    future::{Future, ready},
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, StatusCode,
    body::{Body, Incoming},
    header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_VERSION, UPGRADE},
    server::conn::http1,
    service::Service,
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{Config, limits},
    hub::{Guest, Hub, NotLetIn, Origin, Session},
    ws,
};
use {
    assets::{Assets, SecurityHeaders},
    pace::{Pace, Paced},
    visitors::Visitors,
};
pub use {refusals::Refusals, visitors::Visitor};

type Response = hyper::Response<Full<Bytes>>;

/// See the module.
#[derive(Debug)]
pub struct Http {
    hub: Arc<Hub>,
    config: Arc<Config>,
    assets: Assets,
    security_headers: SecurityHeaders,
    visitors: Arc<Visitors>,
    /// Whoever was not let in.
    pub refusals: Arc<Refusals>,
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
        let assets = Assets::new(config.client_dir.clone(), config.base_path.clone());
        let security_headers = SecurityHeaders::new(&config.frame_ancestors);
        let (draining, killed) = (CancellationToken::new(), hub.killed.clone());
        let capacity = config.capacity();
        let visitors = Visitors::new(&capacity);
        let refusals = Arc::new(Refusals::new(!config.trusted_proxies.is_empty()));
        let tasks = TaskTracker::new();
        Self { hub, config, assets, security_headers, visitors, refusals, tasks, draining, killed }
    }

    /// A place for a new connection of `peer`, if only to be told that there is none; nothing where too many are.
    pub fn let_in(&self, peer: IpAddr) -> Option<Visitor> {
        let guest = if self.config.proxy_protocol { Ok(None) } else { self.greet(peer) };
        let visitor = self.visitors.enter(guest);
        match &visitor {
            Some(Visitor { refused: Some(refused), .. }) => self.refusals.count(*refused),
            Some(_) => {}
            None => self.refusals.without_words.count(),
        }
        visitor
    }

    /// Notes whose connection it is where that was not known before.
    pub fn known(&self, visitor: &mut Visitor, client: IpAddr) {
        if let Err(refused) = self.greet(client).and_then(|guest| visitor.introduce(guest)) {
            self.refusals.count(refused);
            visitor.refused = Some(refused);
        }
    }

    /// A proxy's connections are of many.
    fn greet(&self, address: IpAddr) -> Result<Option<Guest>, NotLetIn> {
        if self.config.trusts(address) { Ok(None) } else { self.hub.greet(address).map(Some) }
    }

    /// Serves the connection of `peer` as HTTP/1.1 until it ends, stands still for too long, all is killed, or a
    /// WebSocket's task takes it over.
    pub async fn serve<S>(self: Arc<Self>, stream: S, peer: IpAddr, visitor: Visitor)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (pace, visitor) = (Pace::new(), Arc::new(visitor));
        if visitor.refused.is_some() {
            pace.hurry();
        }
        let visit = Visit {
            http: Arc::clone(&self),
            peer,
            visitor: Arc::clone(&visitor),
            pace: Arc::clone(&pace),
            session: Arc::default(),
        };
        let resting = Arc::clone(&visitor);
        let on_rest = move || resting.rest();
        let stream = Paced { stream, pace: Arc::clone(&pace), on_rest };
        let mut connection = http1::Builder::new()
            .header_read_timeout(None)
            .max_buf_size(limits::HTTP_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), visit);
        let ended = async {
            tokio::select! {
                () = pace.overdue() => {}
                () = visitor.sent_away() => {}
                () = self.killed.cancelled() => {}
            }
        };
        let mut ended = pin!(ended);
        let served = tokio::select! {
            served = &mut connection => served,
            () = &mut ended => return,
            () = self.draining.cancelled() => {
                pace.hurry();
                Pin::new(&mut connection).graceful_shutdown();
                tokio::select! {
                    served = &mut connection => served,
                    () = ended => return,
                }
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "HTTP connection ended");
            return;
        }
        let http1::Parts { io, read_buf, service, .. } = connection.into_parts();
        let Some(session) = service.session.lock().take() else { return };
        // A task of its own: this one's room for HTTP would stay as long as it does, and so would the whole
        // buffer of which `read_buf` is a part.
        let already_read = read_buf.to_vec();
        let stream = io.into_inner().stream;
        self.tasks.spawn(ws::run(stream, already_read, session));
    }

    async fn respond(&self, request: Request<Incoming>) -> Response {
        let path = request.uri().path();
        match (self.config.base_path.strip(path), request.method()) {
            ("/ws", _) => upgrade_required("This is the WebSocket endpoint; the page is at /."),
            ("/healthz", &Method::GET | &Method::HEAD) => self.health(),
            (_, &Method::GET | &Method::HEAD) => self.assets.respond(path, request.headers()).await,
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
    async fn upgrade(
        &self,
        request: Request<Incoming>,
        address: IpAddr,
        guest: Option<&Guest>,
    ) -> (Response, Option<Session>) {
        // Its body would be taken for frames, or by a proxy on the way for something else.
        let has_a_body = !request.body().is_end_stream();
        let request = request.map(drop);
        let accepted = if has_a_body {
            Err(ws::Refused::Malformed("it has a body"))
        } else {
            ws::accept(&request, &self.config.allowed_origins)
        };
        let switching = match accepted {
            Ok(response) => response.map(|()| Full::default()),
            Err(refused @ ws::Refused::Version) => {
                return (upgrade_required(&refused.to_string()), None);
            }
            Err(refused) => return (plain(refused.status(), &refused.to_string()), None),
        };
        let pass = match credential::check(&request, address, &self.hub).await {
            Ok(pass) => pass,
            Err(refusal) => return (refusal, None),
        };
        let user_agent = ws::user_agent(request.headers());
        let origin = Origin { address, user_agent: user_agent.as_deref() };
        match self.hub.connect(origin, guest) {
            Ok(mut session) => {
                tracing::debug!(client_id = %session.client().id, %address, "a client comes");
                if let Some(pass) = pass {
                    session.introduce(pass);
                }
                (switching, Some(session))
            }
            Err(refused) => {
                self.refusals.count(refused);
                (self.refusals.answer(refused, request.headers()), None)
            }
        }
    }

    fn secured(&self, mut response: Response) -> Response {
        self.security_headers.put_on(&mut response);
        response
    }
}

/// One connection's requests, up to the one that makes it a WebSocket.
#[derive(Clone)]
struct Visit {
    http: Arc<Http>,
    peer: IpAddr,
    visitor: Arc<Visitor>,
    pace: Arc<Pace>,
    session: Arc<Mutex<Option<Session>>>,
}

impl Visit {
    /// The answer to a request that is not looked at any further.
    fn refusal(&self, request: &Request<Incoming>) -> Option<Response> {
        let refused = self.visitor.refused;
        let crowded = || {
            self.http.refusals.count(NotLetIn::Full);
            NotLetIn::Full
        };
        let refused = refused.or_else(|| (!self.visitor.rise()).then(crowded));
        match refused {
            Some(refused) => Some(self.http.refusals.answer(refused, request.headers())),
            None => (!host::is_named(request)).then(unnamed),
        }
    }

    /// The answer to a request to become a WebSocket.
    async fn upgrade(self, request: Request<Incoming>) -> Response {
        let address = self.address_of(&request);
        let guest = self.visitor.guest.as_ref();
        let (response, session) = self.http.upgrade(request, address, guest).await;
        if session.is_some() {
            // A client counts from then on, and nobody pings it before its WebSocket is there.
            self.pace.upgrade();
        }
        self.pace.answered();
        *self.session.lock() = session;
        self.http.secured(response)
    }

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
        self.pace.begin_answer();
        if let Some(response) = self.refusal(&request) {
            self.pace.answered();
            return Box::pin(ready(Ok(self.http.secured(response))));
        }
        let path = self.http.config.base_path.strip(request.uri().path());
        if matches!(path, "/" | "/ws") && ws::is_upgrade(&request) {
            let visit = self.clone();
            return Box::pin(async move { Ok(visit.upgrade(request).await) });
        }
        let (http, pace) = (Arc::clone(&self.http), Arc::clone(&self.pace));
        Box::pin(async move {
            let response = http.respond(request).await;
            pace.answered();
            Ok(http.secured(response))
        })
    }
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
