//! The opening handshake of RFC 6455, section 4.2, as far as HTTP has a part in it.

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{CONNECTION, HeaderName, ORIGIN, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

/// Why a request to become a WebSocket is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Something that RFC 6455 asks for is missing.
    #[error("This is no proper WebSocket handshake.")]
    Malformed,
    /// Not version 13.
    #[error("Only version 13 of the WebSocket protocol is spoken here.")]
    Version,
    /// The page comes from an origin that is not allowed.
    #[error("Pages of this origin may not connect; the server's --allowed-origin says which may.")]
    Origin,
}

/// Whether a request wants to become a WebSocket.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    names(headers, CONNECTION, "upgrade") && names(headers, UPGRADE, "websocket")
}

/// The response that makes the connection a WebSocket.
///
/// # Errors
/// [`Refused`]. A request without an origin comes from no page and is let in: it could name any.
pub fn accept<B>(
    request: &Request<B>,
    allowed_origins: &[String],
) -> Result<Response<()>, Refused> {
    let origin = request.headers().get(ORIGIN).map(|value| value.to_str().unwrap_or(""));
    let allowed = |origin: &str| allowed_origins.iter().any(|a| a.eq_ignore_ascii_case(origin));
    if !allowed_origins.is_empty() && origin.is_some_and(|origin| !allowed(origin)) {
        return Err(Refused::Origin);
    }
    if request.method() == Method::GET
        && request.headers().get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13")
    {
        return Err(Refused::Version);
    }
    create_response_with_body(request, || ()).map_err(|_| Refused::Malformed)
}

impl Refused {
    /// The HTTP status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Origin => StatusCode::FORBIDDEN,
        }
    }
}

fn names(headers: &HeaderMap, header: HeaderName, token: &str) -> bool {
    let values = headers.get_all(header).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case(token))
}
