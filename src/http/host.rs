//! Whether a request names its host as HTTP/1.1 wants it (RFC 9112, section 3.2).

use hyper::{
    Request, Version,
    header::{HOST, HeaderValue},
    http::uri::Authority,
};

/// Whether there is one `Host` with a host in it, which HTTP/1.0 may do without. Two readers of any other
/// request, such as a proxy and this server, may disagree on what it is about.
pub(super) fn is_named<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).into_iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => request.version() < Version::HTTP_11,
        (Some(host), None) => is_host(host),
        (Some(_), Some(_)) => false,
    }
}

/// Nothing at all is a host too: of a target that has none (RFC 9110, section 7.2).
fn is_host(value: &HeaderValue) -> bool {
    let is_authority = |host: &str| host.parse::<Authority>().is_ok() && !host.contains('@');
    value.is_empty() || value.to_str().is_ok_and(is_authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_and_no_more() {
        let named = |version: Version, hosts: &[&str]| {
            let mut request = Request::builder().version(version);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            is_named(&request.body(()).unwrap())
        };
        for host in ["x", "x:80", "x:", "", "127.0.0.1:80", "[::1]:80", "xn--bcher-kva.example"] {
            assert!(named(Version::HTTP_11, &[host]), "{host}");
        }
        for host in ["a b", "a, b", "user@x", "/", "x/y", "[::1", "::1", "x?"] {
            assert!(!named(Version::HTTP_11, &[host]), "{host}");
        }
        assert!(!named(Version::HTTP_11, &[]));
        assert!(!named(Version::HTTP_11, &["x", "x"]));
        assert!(named(Version::HTTP_10, &[]));
        assert!(named(Version::HTTP_10, &["x"]));
        assert!(!named(Version::HTTP_10, &["x", "x"]));
    }
}
