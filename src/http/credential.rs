//! The token that somebody shows with the request to become a WebSocket (RFC 6750, section 2): in a header, or in the
//! address, for those who can set no header. Neither is ever logged.

use std::borrow::Cow;

use hyper::{
    Request, StatusCode,
    header::{AUTHORIZATION, CONNECTION, HeaderValue, WWW_AUTHENTICATE},
};
use url::form_urlencoded;

use super::{Response, plain};
use crate::{auth::Pass, hub::Hub, protocol::Token};

/// The token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotAccepted;

/// What the token of a request says, if it shows one and anybody is asked for it.
pub(super) async fn check<B>(request: &Request<B>, hub: &Hub) -> Result<Option<Pass>, NotAccepted> {
    let Some(authority) = hub.authority() else { return Ok(None) };
    let checked = match token(request) {
        Ok(None) => return Ok(None),
        Ok(Some(token)) => authority.check(token.as_str()).await.map_err(|_| NotAccepted),
        Err(not_accepted) => Err(not_accepted),
    };
    hub.metrics.token(checked.is_ok());
    checked.map(Some)
}

/// The one token of a request, if it has any. What a proxy in front asks for (`Basic`) is none.
fn token<B>(request: &Request<B>) -> Result<Option<Token>, NotAccepted> {
    let headers = request.headers().get_all(AUTHORIZATION).into_iter();
    let shown = headers.filter_map(|value| bearer(value).map(Cow::Borrowed));
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let named = form_urlencoded::parse(query).filter(|(name, _)| name == "access_token");
    let mut tokens = shown.chain(named.map(|(_, value)| value));
    match (tokens.next(), tokens.next()) {
        (_, Some(_)) => Err(NotAccepted),
        (token, None) => Ok(token.map(Token::new)),
    }
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    // What is no ASCII is no token either, but it was meant as one.
    let text = value.to_str().unwrap_or("Bearer");
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl NotAccepted {
    /// The answer (RFC 6750, section 3), the same whatever is wrong with the token.
    pub(super) fn answer(self) -> Response {
        let mut response = plain(StatusCode::UNAUTHORIZED, "The token is not accepted.");
        let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        // Whoever tries many takes many connections, which are counted.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str, authorization: &[&'static [u8]]) -> Result<Option<String>, NotAccepted> {
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
            ("/ws?access_token=a&access_token=a", &[], Err(NotAccepted)),
            ("/ws?access_token=a", &[b"Bearer a"], Err(NotAccepted)),
            ("/ws", &[b"Bearer a", b"Bearer b"], Err(NotAccepted)),
        ] {
            assert_eq!(read(uri, headers), expected, "{uri} {headers:?}");
        }
    }
}
