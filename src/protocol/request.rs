//! What a browser asks for: one pass over a flat envelope, then each field for itself, so that every
//! fault gets words of its own. Payloads stay the bytes they came as.

mod hosting;
mod rejected;

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Code, ReturnToken,
    json::{Json, members},
};
use crate::{
    config::limits,
    id::{ClientId, DisplayName, InvalidName, RoomId, UserId, is_longer},
    password::Password,
    room::Identity,
};
pub use hosting::{Order, RoomUpdate};
pub use rejected::Rejected;

/// A well-formed request.
#[derive(Debug)]
pub enum Request<'a> {
    /// Go by these names; without a user id, the client's id stands in. A token's own come first.
    Register {
        /// The names.
        identity: Identity,
        /// What vouches for them.
        token: Option<Token>,
    },
    /// Take a seat. In a box: a signal takes less.
    Join(Box<JoinRequest>),
    /// Free the seat, if it is in this room.
    Leave {
        /// Where.
        room_id: RoomId,
    },
    /// Pass this on to one room-mate, or to all of them.
    Signal {
        /// As what.
        kind: SignalKind,
        /// To whom; only a message may go to all.
        target: Option<ClientId>,
        /// As it came.
        payload: Json<'a>,
    },
    /// Have the room that the sender sits in be otherwise.
    UpdateRoom(Box<RoomUpdate>),
    /// Do what else a host may in that room.
    Order(Order),
    /// Answer.
    Ping,
}

/// A wish for a seat.
#[derive(Debug)]
pub struct JoinRequest {
    /// Where.
    pub room_id: RoomId,
    /// What to tell the others about oneself: JSON text.
    pub metadata: Option<Arc<str>>,
    /// The room's, or what shall be that of a new room.
    pub password: Option<Password>,
    /// What shows that the seat was the sender's.
    pub returning: Option<ReturnToken>,
}

/// What passes from browser to browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalKind {
    /// An SDP offer (RFC 8829).
    Offer,
    /// An SDP answer.
    Answer,
    /// An ICE candidate (RFC 8838), or null: the end of them.
    Candidate,
    /// Anything else.
    Message,
}

/// What a client shows of who it is, unread. It never shows in what is logged.
#[derive(Clone)]
pub struct Token(Box<str>);

/// The client's own name for a request, as the JSON string that it sent.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct RequestId(Box<RawValue>);

impl RequestId {
    /// As it goes back, quotes included.
    pub(super) fn as_json(&self) -> &str {
        self.0.get()
    }
}

/// Reads one message.
///
/// # Errors
/// [`Rejected`], with the request's id where it has a proper one.
pub fn parse(text: &str) -> (Option<RequestId>, Result<Request<'_>, Rejected>) {
    let Some(envelope) = Envelope::read(text) else {
        return (None, Err(Rejected::bad("Invalid message format")));
    };
    match request_id(envelope.request_id) {
        Ok(request_id) => (request_id, envelope.request()),
        Err(rejected) => {
            let kind = envelope.kind.and_then(|kind| kind.string().ok());
            let for_anybody = matches!(kind.as_deref(), Some("register" | "ping"));
            (None, Err(Rejected { for_anybody, ..rejected }))
        }
    }
}

/// Every field that any request has, each unread.
#[derive(Default)]
struct Envelope<'a> {
    kind: Option<Json<'a>>,
    request_id: Option<Json<'a>>,
    user_id: Option<Json<'a>>,
    display_name: Option<Json<'a>>,
    token: Option<Json<'a>>,
    room_id: Option<Json<'a>>,
    metadata: Option<Json<'a>>,
    target_id: Option<Json<'a>>,
    sdp: Option<Json<'a>>,
    candidate: Option<Json<'a>>,
    content: Option<Json<'a>>,
    seldom: Option<Box<Seldom<'a>>>,
}

/// The fields of requests that nobody makes often: those that are made all the time need not carry them.
#[derive(Default)]
struct Seldom<'a> {
    password: Option<Json<'a>>,
    return_token: Option<Json<'a>>,
    locked: Option<Json<'a>>,
    max_members: Option<Json<'a>>,
    lobby: Option<Json<'a>>,
    role: Option<Json<'a>>,
    seconds: Option<Json<'a>>,
}

impl<'a> Envelope<'a> {
    /// None where it is no JSON object, or holds one of these twice. Other fields are of newer clients.
    fn read(text: &'a str) -> Option<Self> {
        let mut envelope = Self::default();
        members(text, |name, value| {
            let field = match envelope.field(name.quoted()?) {
                Some(field) => field,
                // It may be written with escapes.
                None => match envelope.field(&name.string().ok()?) {
                    Some(field) => field,
                    None => return Some(()),
                },
            };
            field.replace(value).is_none().then_some(())
        })?;
        let Self { request_id, user_id, display_name, metadata, target_id, .. } = &mut envelope;
        for optional in [request_id, user_id, display_name, metadata, target_id] {
            optional.take_if(is_null);
        }
        if let Some(seldom) = &mut envelope.seldom {
            let Seldom { return_token, locked, max_members, lobby, seconds, .. } = &mut **seldom;
            for optional in [return_token, locked, max_members, lobby, seconds] {
                optional.take_if(is_null);
            }
        }
        Some(envelope)
    }

    fn field(&mut self, name: &str) -> Option<&mut Option<Json<'a>>> {
        Some(match name {
            "type" => &mut self.kind,
            "requestId" => &mut self.request_id,
            "userId" => &mut self.user_id,
            "displayName" => &mut self.display_name,
            "token" => &mut self.token,
            "roomId" => &mut self.room_id,
            "metadata" => &mut self.metadata,
            "targetId" => &mut self.target_id,
            "sdp" => &mut self.sdp,
            "candidate" => &mut self.candidate,
            "content" => &mut self.content,
            _ => return self.seldom.get_or_insert_default().field(name),
        })
    }

    fn request(self) -> Result<Request<'a>, Rejected> {
        let kind = self.kind.ok_or_else(|| Rejected::bad("`type` is missing"))?;
        match &*string("type", kind)? {
            "register" => {
                self.register().map_err(|rejected| Rejected { for_anybody: true, ..rejected })
            }
            "join" => self.join().map_err(|rejected| Rejected { join: true, ..rejected }),
            "leave" => Ok(Request::Leave { room_id: self.room_id()? }),
            "offer" => self.signal(SignalKind::Offer, "sdp", self.sdp),
            "answer" => self.signal(SignalKind::Answer, "sdp", self.sdp),
            "candidate" => self.signal(SignalKind::Candidate, "candidate", self.candidate),
            "message" => self.signal(SignalKind::Message, "content", self.content),
            "ping" => Ok(Request::Ping),
            "update-room" => Ok(Request::UpdateRoom(Box::new(self.update()?))),
            kind => match self.order(kind)? {
                Some(order) => Ok(Request::Order(order)),
                None => Err(Rejected::new(Code::UnknownType, "No request has this `type`")),
            },
        }
    }

    fn register(&self) -> Result<Request<'a>, Rejected> {
        let user_id = match self.user_id {
            // An empty one stands for none, as it did in the tutorial.
            Some(raw) if raw.get() != r#""""# => Some(name::<UserId>("userId", raw)?),
            _ => None,
        };
        let display_name = match self.display_name {
            Some(raw) if raw.get() != r#""""# => Some(name::<DisplayName>("displayName", raw)?),
            _ => None,
        };
        let token = self.token.filter(|raw| raw.get() != "null");
        let token = token.map(|raw| string("token", raw)).transpose()?;
        let token = token.map(Token::new);
        Ok(Request::Register { identity: Identity { user_id, display_name }, token })
    }

    fn join(&self) -> Result<Request<'a>, Rejected> {
        let room_id = self.room_id()?;
        let metadata = self.metadata.map(Json::get);
        if metadata.is_some_and(|json| json.len() > limits::METADATA_BYTES) {
            let most = limits::METADATA_BYTES;
            return Err(Rejected::bad(format!("`metadata` must be at most {most} bytes of JSON")));
        }
        let seldom = self.seldom.as_deref();
        let shown = seldom.and_then(|seldom| seldom.password).filter(|raw| raw.get() != "null");
        Ok(Request::Join(Box::new(JoinRequest {
            room_id,
            metadata: metadata.map(Arc::from),
            password: shown.map(password).transpose()?,
            returning: seldom.and_then(|s| s.return_token).map(return_token).transpose()?,
        })))
    }

    fn room_id(&self) -> Result<RoomId, Rejected> {
        let raw = self.room_id.ok_or_else(|| Rejected::bad("`roomId` is missing"));
        raw.and_then(|raw| name("roomId", raw))
            .map_err(|rejected| Rejected { code: Code::BadRoomId, ..rejected })
    }

    fn signal(
        &self,
        kind: SignalKind,
        field: &str,
        payload: Option<Json<'a>>,
    ) -> Result<Request<'a>, Rejected> {
        let target = match self.target_id {
            None if kind == SignalKind::Message => None,
            _ => Some(self.target()?),
        };
        let payload = payload.ok_or_else(|| Rejected::bad(format!("`{field}` is missing")))?;
        Ok(Request::Signal { kind, target, payload })
    }

    fn target(&self) -> Result<ClientId, Rejected> {
        self.target_id.ok_or_else(|| Rejected::bad("`targetId` is missing")).and_then(target)
    }
}

impl<'a> Seldom<'a> {
    fn field(&mut self, name: &str) -> Option<&mut Option<Json<'a>>> {
        Some(match name {
            "password" => &mut self.password,
            "returnToken" => &mut self.return_token,
            "locked" => &mut self.locked,
            "maxMembers" => &mut self.max_members,
            "lobby" => &mut self.lobby,
            "role" => &mut self.role,
            "seconds" => &mut self.seconds,
            _ => return None,
        })
    }
}

fn request_id(raw: Option<Json<'_>>) -> Result<Option<RequestId>, Rejected> {
    let Some(raw) = raw else { return Ok(None) };
    let max_chars = limits::LABEL_CHARS;
    if is_longer(&string("requestId", raw)?, max_chars) {
        return Err(Rejected::field("requestId", InvalidName::TooLong { max_chars }));
    }
    let json = RawValue::from_string(raw.get().to_owned()).expect("a string is JSON");
    Ok(Some(RequestId(json)))
}

fn target(raw: Json<'_>) -> Result<ClientId, Rejected> {
    // A client's id is written in one way, without escapes.
    if let Some(Ok(id)) = raw.quoted().map(str::parse) {
        return Ok(id);
    }
    let text = string("targetId", raw)?;
    let max_chars = limits::NAME_CHARS;
    if text.is_empty() {
        return Err(Rejected::field("targetId", InvalidName::Empty));
    }
    if is_longer(&text, max_chars) {
        return Err(Rejected::field("targetId", InvalidName::TooLong { max_chars }));
    }
    text.parse().map_err(|_| Rejected::peer_not_found())
}

fn password(raw: Json<'_>) -> Result<Password, Rejected> {
    let text = string("password", raw)?;
    text.parse().map_err(|invalid| Rejected::bad(format!("`password` {invalid}")))
}

fn return_token(raw: Json<'_>) -> Result<ReturnToken, Rejected> {
    let most = limits::RETURN_TOKEN_BYTES;
    let token = ReturnToken::shown(&string("returnToken", raw)?);
    token.ok_or_else(|| Rejected::bad(format!("`returnToken` must be at most {most} bytes long")))
}

fn is_null(raw: &mut Json<'_>) -> bool {
    raw.get() == "null"
}

fn name<T: FromStr<Err = InvalidName>>(field: &str, raw: Json<'_>) -> Result<T, Rejected> {
    string(field, raw)?.parse().map_err(|invalid| Rejected::field(field, invalid))
}

fn string<'a>(field: &str, raw: Json<'a>) -> Result<Cow<'a, str>, Rejected> {
    raw.string().map_err(|fault| Rejected::bad(format!("`{field}` {fault}")))
}

impl Token {
    /// The token that this text is.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}
