//! Where every call comes in: it passes the door, takes its place among the others or is refused, its request is
//! counted as it arrives, and it ends in time.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready as or_pending},
};

use bytes::Bytes;
use hyper::{
    HeaderMap, Request, Response,
    body::{Frame, SizeHint},
};
use tokio::time::timeout;
use tonic::{
    Status,
    body::Body,
    codegen::{BoxFuture, Service},
    service::Routes,
};

use super::{
    door::{Door, Pass, access_of},
    line::{Answer, Caller},
    plain::{self, Plain},
    problem::{Problem, Reason, explain},
    quota::{Quota, Share},
};
use crate::config::limits;

/// Calls that stay open for as long as their callers like; all others are answered and done.
const STANDING: [&str; 5] = [
    "/signalpost.admin.v1.AdminService/WatchEvents",
    "/signalpost.admin.v1.AdminService/Drain",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    door: Door,
    routes: Routes,
    plain: Arc<Plain>,
    standing: Arc<Quota>,
    /// Those that stand open of callers whom nobody knows.
    strangers: Arc<Quota>,
    calls: Arc<Quota>,
    bytes: Arc<Quota>,
}

impl Gate {
    /// All requests on their way take `bytes` at most.
    pub(super) fn new(door: Door, routes: Routes, plain: Plain, bytes: usize) -> Self {
        Self {
            door,
            routes: routes.prepare(),
            plain: Arc::new(plain),
            standing: Quota::new(limits::WATCHERS),
            strangers: Quota::new(limits::STRANGERS),
            calls: Quota::new(limits::ADMIN_CALLS),
            bytes: Quota::new(bytes),
        }
    }

    /// A place for a call.
    fn admit(&self, caller: &Arc<Caller>, path: &str, pass: &Pass) -> Result<Place, Problem> {
        if STANDING.contains(&path) {
            let on_this_connection = caller.standing.take(1).ok_or_else(|| {
                let text = "too many open streams on this connection";
                Problem::new(Reason::TooManyStreams, text)
            })?;
            // Strangers do not take the places of those whom the door lets in.
            let all = if pass.is_strangers() { &self.strangers } else { &self.standing };
            let of_all = all.take(1);
            let too_many = || Problem::new(Reason::TooManyWatchers, "too many watchers");
            let of_all = of_all.ok_or_else(too_many)?;
            return Ok(Place::Standing(on_this_connection, of_all));
        }
        let too_many = || Problem::new(Reason::TooManyCalls, "too many calls at a time");
        let place = self.pass(caller).ok_or_else(too_many)?;
        Ok(Place::Passing(place, None))
    }

    fn pass(&self, caller: &Caller) -> Option<Share> {
        caller.first.take(1).or_else(|| self.calls.take(1))
    }

    /// Answers what is no call, in a call's place.
    fn answer_plainly(
        &self,
        caller: &Arc<Caller>,
        mut request: Request<Body>,
    ) -> BoxFuture<Response<Body>, Infallible> {
        if plain::is_http1(request.version()) {
            caller.answers_once();
        }
        let path = request.uri().path().to_owned();
        let access = plain::access_of(&path);
        let admitted = self.door.admit(&path, access, caller, request.headers_mut());
        let (request, _) = request.into_parts();
        if let Err(problem) = admitted {
            return Box::pin(ready(Ok(plain::refused(&request, &problem.into()))));
        }
        let Some(place) = self.pass(caller) else {
            return Box::pin(ready(Ok(plain::busy(&request))));
        };
        let place = Place::Passing(place, Some((caller.answer(), None)));
        let plain = Arc::clone(&self.plain);
        Box::pin(async move {
            let response = plain.answer(&request).await;
            Ok(response.map(|body| Body::new(Placed { body, withdrawn: None, _place: place })))
        })
    }

    fn counted(&self, caller: &Arc<Caller>, body: Body) -> Body {
        let shares = [&caller.bytes, &self.bytes].map(|quota| quota.take(0).expect("nothing"));
        Body::new(Counted { body, free: limits::ADMIN_FREE_BYTES, shares })
    }
}

impl Service<Request<Body>> for Gate {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let caller = request.extensions().get::<Arc<Caller>>();
        let caller = Arc::clone(caller.expect("every connection is a line"));
        if plain::is_plain(&request) {
            return self.answer_plainly(&caller, request);
        }
        let path = request.uri().path().to_owned();
        let pass = match self.door.admit(&path, access_of(&path), &caller, request.headers_mut()) {
            Ok(pass) => pass,
            Err(problem) => return Box::pin(refuse(problem)),
        };
        request.extensions_mut().insert(pass.administrator());
        let mut place = match self.admit(&caller, &path, &pass) {
            Ok(place) => place,
            Err(problem) => return Box::pin(refuse(problem)),
        };
        let request = request.map(|body| self.counted(&caller, body));
        let answer = self.routes.call(request);
        Box::pin(async move {
            let Ok(response) = timeout(limits::ADMIN_REQUEST, answer).await else {
                let text = "the request took too long to arrive, or to be carried out: a change may have been made";
                return refuse(Problem::new(Reason::TooSlow, text)).await;
            };
            let mut response = response?;
            explain(response.headers_mut());
            let withdrawn = if let Place::Passing(_, answer) = &mut place {
                let bytes = response.extensions_mut().remove::<Arc<Share>>();
                *answer = Some((caller.answer(), bytes));
                None
            } else {
                Some(Box::pin(pass.withdrawn()) as Withdrawn)
            };
            Ok(response.map(|body| Body::new(Placed { body, withdrawn, _place: place })))
        })
    }
}

fn refuse(problem: Problem) -> Ready<Result<Response<Body>, Infallible>> {
    ready(Ok(Status::from(problem).into_http()))
}

/// What a call holds until its answer was taken.
#[expect(dead_code, reason = "held to be dropped")]
#[derive(Debug)]
enum Place {
    Standing(Share, Share),
    /// With the answer, and its bytes if they are many.
    Passing(Share, Option<(Answer, Option<Arc<Share>>)>),
}

/// A request whose bytes are counted as they arrive, on its connection and in all.
struct Counted {
    body: Body,
    /// What it may take without being counted: so a small one is never refused for others that are large.
    free: usize,
    shares: [Share; 2],
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = or_pending!(Pin::new(&mut self.body).poll_frame(cx));
        let arrived =
            frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref().map(Bytes::len));
        let arrived = arrived.unwrap_or_default();
        let counted = arrived.saturating_sub(self.free);
        self.free = self.free.saturating_sub(arrived);
        if !self.shares.iter_mut().all(|share| share.grow(counted)) {
            let text = "too many bytes of requests are on their way";
            let problem = Problem::new(Reason::TooManyBytes, text);
            return Poll::Ready(Some(Err(problem.into())));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How a stream ends whose caller may no longer have it.
type Withdrawn = Pin<Box<dyn Future<Output = Status> + Send>>;

/// An answer that holds its call's place; where it is a stream that ends with an error, that is explained.
struct Placed {
    body: Body,
    withdrawn: Option<Withdrawn>,
    _place: Place,
}

impl hyper::body::Body for Placed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let withdrawn = self.withdrawn.as_mut().map(|withdrawn| withdrawn.as_mut().poll(cx));
        if let Some(Poll::Ready(status)) = withdrawn {
            (self.withdrawn, self.body) = (None, Body::empty());
            let mut trailers = HeaderMap::new();
            status.add_header(&mut trailers)?;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let mut frame = or_pending!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            explain(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
