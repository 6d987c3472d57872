//! The token that somebody shows with the request to become a WebSocket (RFC 6750, section 2): in a header, or in the
//! address, for those who can set no header. Neither is ever logged.

use std::{borrow::Cow, net::IpAddr};

use hyper::{
    Request, StatusCode,
    header::{AUTHORIZATION, CONNECTION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};
use url::form_urlencoded;

use super::{Response, plain};
use crate::{
    auth::Pass,
    hub::{Hub, Network, NotTaken},
    protocol::Token,
};

/// More than one token is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Several;

/// What the token of a request says, if it shows one and anybody is asked for it. `address` is whose it is.
///
/// # Errors
/// The answer.
pub(super) async fn check<B>(
    request: &Request<B>,
    address: IpAddr,
    hub: &Hub,
) -> Result<Option<Pass>, Response> {
    let Some(authority) = hub.authority() else { return Ok(None) };
    let checked = match token(request) {
        Ok(None) => return Ok(None),
        Ok(Some(token)) => hub.check_token(authority, Network::of(address), token.as_str()).await,
        Err(Several) => {
            hub.metrics.token(false);
            Err(NotTaken::Refused)
        }
    };
    checked.map(Some).map_err(answer)
}

/// The one token of a request, if it has any. What a proxy in front asks for (`Basic`) is none.
fn token<B>(request: &Request<B>) -> Result<Option<Token>, Several> {
    let headers = request.headers().get_all(AUTHORIZATION).into_iter();
    let shown = headers.filter_map(|value| bearer(value).map(Cow::Borrowed));
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let named = form_urlencoded::parse(query).filter(|(name, _)| name == "access_token");
    let mut tokens = shown.chain(named.map(|(_, value)| value));
    match (tokens.next(), tokens.next()) {
        (_, Some(_)) => Err(Several),
        (token, None) => Ok(token.map(Token::new)),
    }
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    // What is no ASCII is no token either, but it was meant as one.
    let text = value.to_str().unwrap_or("Bearer");
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The answer (RFC 6750, section 3; RFC 6585, section 4), the same whatever is wrong with the token.
fn answer(not_taken: NotTaken) -> Response {
    let mut response = match not_taken {
        NotTaken::Refused => {
            let mut response = plain(StatusCode::UNAUTHORIZED, "The token is not accepted.");
            let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            response
        }
        NotTaken::TooMany { retry_after } => {
            let text = "Too many tokens of your address were not accepted; try again shortly.";
            let mut response = plain(StatusCode::TOO_MANY_REQUESTS, text);
            let seconds = retry_after.as_millis().div_ceil(1000).to_string();
            let seconds = HeaderValue::from_str(&seconds).expect("a number");
            response.headers_mut().insert(RETRY_AFTER, seconds);
            response
        }
    };
    // Whoever tries many takes many connections, which are counted.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str, authorization: &[&'static [u8]]) -> Result<Option<String>, Several> {
        let mut request = Request::get(uri).body(()).unwrap();
        for value in authorization {
            let value = HeaderValue::from_bytes(value).unwrap();
            request.headers_mut().append(AUTHORIZATION, value);
        }
        token(&request).map(|token| token.map(|token| token.as_str().to_owned()))
    }

    #[test]
    fn a_request_has_one_token_or_none() {
        let some = |text: &str| Ok(Some(text.to_owned()));
        for (uri, headers, expected) in [
            ("/ws", &[][..], Ok(None)),
            ("/ws?a=b&access_tokens=c", &[], Ok(None)),
            ("/ws", &[&b"Basic YTpi"[..]], Ok(None)),
            ("/ws", &[b"Bearer a.b.c"], some("a.b.c")),
            ("/ws", &[b"Basic YTpi", b"bEARER  a.b.c "], some("a.b.c")),
            ("/ws", &[b"Bearer "], some("")),
            ("/ws", &[b"Bearer"], some("")),
            ("/ws", &[b"\xe9"], some("")),
            ("/ws?access_token=a%2Eb.c&x=y", &[], some("a.b.c")),
            ("/?access_token=", &[], some("")),
            ("/ws?access_token=a&access_token=a", &[], Err(Several)),
            ("/ws?access_token=a", &[b"Bearer a"], Err(Several)),
            ("/ws", &[b"Bearer a", b"Bearer b"], Err(Several)),
        ] {
            assert_eq!(read(uri, headers), expected, "{uri} {headers:?}");
        }
    }
}
