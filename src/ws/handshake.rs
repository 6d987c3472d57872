//! The opening handshake of RFC 6455, section 4.2, as far as HTTP has a part in it.

use std::borrow::Cow;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Version,
    header::{
        CONNECTION, HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
    },
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// What is spoken here, for clients that name what they speak.
const SUBPROTOCOL: &[u8] = b"signalpost.v1";

/// RFC 6455 asks for base64 that stands for 16 bytes; RFC 4648, section 3.5 leaves it to us whether the four
/// bits that stand for nothing must be zero.
const KEY: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Why a request to become a WebSocket is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Something that RFC 6455 asks for is not as it asks for it.
    #[error("This is no proper WebSocket handshake: {0}.")]
    Malformed(&'static str),
    /// Not version 13.
    #[error("Only version 13 of the WebSocket protocol is spoken here.")]
    Version,
    /// The page comes from an origin that is not allowed.
    #[error("Pages of this origin may not connect; the server's --allowed-origin says which may.")]
    Origin,
}

/// Whether a request wants to become a WebSocket. In HTTP/1.0 none can (RFC 9110, section 7.8).
pub fn is_upgrade<B>(request: &Request<B>) -> bool {
    let names = |header, token| elements(request.headers(), header).any(|name| is(name, token));
    request.version() >= Version::HTTP_11
        && names(CONNECTION, "upgrade")
        && names(UPGRADE, "websocket")
}

/// The response that makes the connection a WebSocket, where [`is_upgrade`] says that it shall be one.
///
/// # Errors
/// [`Refused`]. A request without an origin comes from no page and is let in: it could name any.
pub fn accept<B>(
    request: &Request<B>,
    allowed_origins: &[String],
) -> Result<Response<()>, Refused> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(Refused::Malformed("its method must be GET"));
    }
    let origin = only(headers, ORIGIN, "it has more than one Origin")?;
    let allowed = |origin: &HeaderValue| allowed_origins.iter().any(|a| is(origin.as_bytes(), a));
    if !allowed_origins.is_empty() && origin.is_some_and(|origin| !allowed(origin)) {
        return Err(Refused::Origin);
    }
    let version =
        only(headers, SEC_WEBSOCKET_VERSION, "it has more than one Sec-WebSocket-Version")?;
    if version.is_none_or(|version| version != "13") {
        return Err(Refused::Version);
    }
    let key = only(headers, SEC_WEBSOCKET_KEY, "it has more than one Sec-WebSocket-Key")?;
    let key = key.map(HeaderValue::as_bytes).filter(|key| is_key(key));
    let key = key.ok_or(Refused::Malformed("Sec-WebSocket-Key must be 16 bytes in base64"))?;

    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accepted = HeaderValue::try_from(derive_accept_key(key)).expect("base64");
    response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accepted);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Some(agreed) = subprotocol(headers) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, agreed);
    }
    Ok(response)
}

/// [`SUBPROTOCOL`] if the client names it, or else its first choice: a browser closes where nothing is
/// answered, and some libraries must name something.
fn subprotocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut named = elements(headers, SEC_WEBSOCKET_PROTOCOL).filter(|name| is_token(name));
    let first = named.next()?;
    let agreed = if named.any(|name| name == SUBPROTOCOL) { SUBPROTOCOL } else { first };
    Some(HeaderValue::from_bytes(agreed).expect("a token"))
}

/// What a client says of the program it is (RFC 9110, section 10.1.5). It should be ASCII; what is
/// not even UTF-8 becomes U+FFFD.
pub fn user_agent(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    headers.get(USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()))
}

impl Refused {
    /// The HTTP status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Origin => StatusCode::FORBIDDEN,
        }
    }
}

/// The value of a header that may be there once.
fn only<'a>(
    headers: &'a HeaderMap,
    header: HeaderName,
    fault: &'static str,
) -> Result<Option<&'a HeaderValue>, Refused> {
    let mut values = headers.get_all(header).into_iter();
    let first = values.next();
    if values.next().is_some() { Err(Refused::Malformed(fault)) } else { Ok(first) }
}

/// What a list holds, on however many lines it came (RFC 9110, section 5.6.1).
fn elements(headers: &HeaderMap, header: HeaderName) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header).into_iter().map(HeaderValue::as_bytes);
    lines.flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

fn is(name: &[u8], token: &str) -> bool {
    name.eq_ignore_ascii_case(token.as_bytes())
}

fn is_key(key: &[u8]) -> bool {
    KEY.decode(key).is_ok_and(|nonce| nonce.len() == 16)
}

/// RFC 9110, section 5.6.2.
fn is_token(name: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_part)
}
