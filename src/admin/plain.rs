//! What monitors and orchestrators ask in plain HTTP: `/metrics`, `/healthz` and `/readyz`, and nothing else.
//!
//! A web page on an administrator's machine can have its browser say HTTP/1 to this port: so it is no way into gRPC,
//! and a name that somebody has pointed here is refused (DNS rebinding).

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::{Empty, Full};
use hyper::{
    Method, Request, Response, StatusCode, Version,
    header::{
        ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue,
        WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    },
    http::{request::Parts, uri::Authority},
};
use tokio::{sync::Mutex, task::spawn_blocking};
use tonic::{Code, Status, body::Body};

use super::{Health, credentials::Role, door::Access};
use crate::metrics::{Exposition, Source};

const METRICS: &str = "/metrics";
const ALIVE: &str = "/healthz";
const READY: &str = "/readyz";

const TEXT: &str = "text/plain; charset=utf-8";

/// See the module.
#[derive(Debug)]
pub(super) struct Plain {
    health: Health,
    /// Whether only those are shown figures who have a credential.
    is_kept: bool,
    sources: Arc<[Arc<dyn Source>]>,
    /// One scrape at a time, however many ask, and hang up.
    gathering: Arc<Mutex<()>>,
}

/// Whether a request is answered here, and not by gRPC.
pub(super) fn is_plain<B>(request: &Request<B>) -> bool {
    is_http1(request.version()) || [METRICS, ALIVE, READY].contains(&request.uri().path())
}

pub(super) fn is_http1(version: Version) -> bool {
    version < Version::HTTP_2
}

impl Plain {
    pub(super) fn new(health: Health, sources: Vec<Arc<dyn Source>>, is_kept: bool) -> Self {
        Self { health, is_kept, sources: sources.into(), gathering: Arc::default() }
    }

    /// The answer to a request, whatever its body says.
    pub(super) async fn answer(&self, request: &Parts) -> Response<Body> {
        // A web page has no token to show, under whatever name it comes here.
        if !self.is_kept && !is_of_this_machine(request) {
            let text = "Ask by an IP address or as localhost.\n";
            return response(request, StatusCode::MISDIRECTED_REQUEST, TEXT, text.to_owned());
        }
        let path = request.uri.path();
        if ![METRICS, ALIVE, READY].contains(&path) {
            let text = format!("There are {METRICS}, {ALIVE} and {READY}; gRPC is HTTP/2.\n");
            return response(request, StatusCode::NOT_FOUND, TEXT, text);
        }
        if ![Method::GET, Method::HEAD].contains(&request.method) {
            let text = "Only GET and HEAD are answered here.\n".to_owned();
            let mut refusal = response(request, StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        match path {
            METRICS => {
                let text = self.metrics().await;
                response(request, StatusCode::OK, Exposition::CONTENT_TYPE, text)
            }
            READY if !self.health.is_serving() => {
                let text = "going away\n".to_owned();
                response(request, StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
            }
            _ => response(request, StatusCode::OK, TEXT, "ok\n".to_owned()),
        }
    }

    async fn metrics(&self) -> String {
        let alone = Arc::clone(&self.gathering).lock_owned().await;
        let sources = Arc::clone(&self.sources);
        let gather = move || {
            let _alone = alone;
            let mut exposition = Exposition::default();
            sources.iter().for_each(|source| source.expose(&mut exposition));
            exposition.text()
        };
        // It looks at every client: the threads that relay shall not wait for that.
        spawn_blocking(gather).await.expect("no source panics")
    }
}

/// What a request asks of its caller: only figures are not for everybody.
pub(super) fn access_of(path: &str) -> Access {
    if path == METRICS { Access::For(Role::Viewer) } else { Access::Open }
}

/// The answer to a request of nobody whom the server knows, or of somebody who may not.
pub(super) fn refused(request: &Parts, status: &Status) -> Response<Body> {
    let text = format!("{}\n", status.message());
    if status.code() == Code::PermissionDenied {
        return response(request, StatusCode::FORBIDDEN, TEXT, text);
    }
    let mut refusal = response(request, StatusCode::UNAUTHORIZED, TEXT, text);
    refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refusal
}

/// The answer to a request for which there is no place.
pub(super) fn busy(request: &Parts) -> Response<Body> {
    let text = "Too many calls at a time.\n".to_owned();
    response(request, StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
}

/// Whether whoever asks knows that it is this machine: a page of another site has that site's name. HTTP/1.0 may do
/// without any, which no browser does.
fn is_of_this_machine(request: &Parts) -> bool {
    let mut hosts = request.headers.get_all(HOST).into_iter();
    let host = match (request.uri.authority(), hosts.next(), hosts.next()) {
        (Some(authority), _, None) => Some(authority.clone()),
        (None, Some(host), None) => host.to_str().ok().and_then(|host| host.parse().ok()),
        (None, None, None) => return request.version < Version::HTTP_11,
        (_, _, Some(_)) => None,
    };
    host.is_some_and(|host: Authority| {
        let name = host.host();
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        name.eq_ignore_ascii_case("localhost") || address.unwrap_or(name).parse::<IpAddr>().is_ok()
    })
}

/// The one answer on its connection, if that is HTTP/1.
fn response(
    request: &Parts,
    status: StatusCode,
    kind: &'static str,
    text: String,
) -> Response<Body> {
    let length = HeaderValue::from(text.len());
    let body = if request.method == Method::HEAD {
        Body::new(Empty::<Bytes>::new())
    } else {
        Body::new(Full::<Bytes>::from(text))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_http1(request.version) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let known = |version: Version, target: &str, hosts: &[&str]| {
            let mut request = Request::builder().version(version).uri(target);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            is_of_this_machine(&request.body(()).unwrap().into_parts().0)
        };
        for host in ["localhost", "LocalHost:50051", "127.0.0.1:1", "10.0.0.1", "[::1]:50051"] {
            assert!(known(Version::HTTP_11, "/metrics", &[host]), "{host}");
            assert!(known(Version::HTTP_2, &format!("http://{host}/metrics"), &[]), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:50051", "127.0.0.1.nip.io", "", "a b"]
        {
            assert!(!known(Version::HTTP_11, "/metrics", &[host]), "{host}");
        }
        assert!(!known(Version::HTTP_11, "http://evil.example/metrics", &["localhost"]));
        assert!(!known(Version::HTTP_11, "/metrics", &["localhost", "localhost"]));
        assert!(!known(Version::HTTP_11, "/metrics", &[]));
        assert!(known(Version::HTTP_10, "/metrics", &[]));
    }
}
