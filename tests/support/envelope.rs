//! What a client says, read by our scanner and by serde_json: both must find the same.

#![allow(dead_code, unreachable_pub, reason = "each test and fuzz target uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use signalpost::{
    config::limits,
    id::ClientId,
    protocol::{Code, Json, Request, SignalKind, parse},
};

/// What a text is taken for.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Refused(Code),
    JoinRefused(Code),
    Register(Option<String>, Option<String>, Option<String>),
    Join(String, Option<String>),
    Leave(String),
    Signal(SignalKind, Option<ClientId>, String),
    Ping,
}

pub fn agree(text: &str) {
    let value = serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get);
    assert_eq!(Json::of(text).map(Json::get), value, "{text}");
    assert_eq!(ours(text), model(text), "{text}");
}

fn ours(text: &str) -> (Option<String>, Seen) {
    let (request_id, request) = parse(text);
    let shown = request_id.map(|id| serde_json::to_string(&id).unwrap());
    let seen = match request {
        Ok(Request::Register { identity, token }) => Seen::Register(
            identity.user_id.map(|id| id.to_string()),
            identity.display_name.map(|name| name.to_string()),
            token.map(|token| token.as_str().to_owned()),
        ),
        Ok(Request::Join { room_id, metadata }) => {
            Seen::Join(room_id.to_string(), metadata.map(|json| json.to_string()))
        }
        Ok(Request::Leave { room_id }) => Seen::Leave(room_id.to_string()),
        Ok(Request::Signal { kind, target, payload }) => {
            Seen::Signal(kind, target, payload.get().to_owned())
        }
        Ok(Request::Ping) => Seen::Ping,
        Err(rejected) if rejected.join => Seen::JoinRefused(rejected.code),
        Err(rejected) => Seen::Refused(rejected.code),
    };
    (shown, seen)
}

const FIELDS: [&str; 11] = [
    "type",
    "requestId",
    "userId",
    "displayName",
    "token",
    "roomId",
    "metadata",
    "targetId",
    "sdp",
    "candidate",
    "content",
];

/// These may be null, which is as if they were left out.
const OPTIONAL: [&str; 6] = ["requestId", "userId", "displayName", "token", "metadata", "targetId"];

fn model(text: &str) -> (Option<String>, Seen) {
    let bad = Seen::Refused(Code::BadMessage);
    let Ok(Fields(fields)) = serde_json::from_str(text) else { return (None, bad) };
    let request_id = match fields.get("requestId") {
        Some(raw) if string(raw).is_none_or(|id| id.chars().count() > limits::LABEL_CHARS) => {
            return (None, bad);
        }
        raw => raw.map(|raw| (*raw).to_owned()),
    };
    let seen = request(&fields).unwrap_or_else(|code| match fields.get("type") {
        Some(kind) if string(kind).as_deref() == Some("join") => Seen::JoinRefused(code),
        _ => Seen::Refused(code),
    });
    (request_id, seen)
}

fn request(fields: &BTreeMap<String, &str>) -> Result<Seen, Code> {
    let own = |json: &&str| (*json).to_owned();
    let room_id = || name(fields.get("roomId").ok_or(Code::BadRoomId)?, limits::NAME_CHARS);
    let room_id = || room_id().map_err(|_| Code::BadRoomId);
    let named = |field, most| match fields.get(field) {
        Some(raw) if *raw != "\"\"" => name(raw, most).map(Some),
        _ => Ok(None),
    };
    let signal = |kind, field| {
        let target = match fields.get("targetId") {
            Some(raw) => Some(name(raw, limits::NAME_CHARS)?),
            None if kind == SignalKind::Message => None,
            None => return Err(Code::BadMessage),
        };
        let target = target.map(|id| id.parse().map_err(|_| Code::PeerNotFound)).transpose()?;
        Ok(Seen::Signal(kind, target, own(fields.get(field).ok_or(Code::BadMessage)?)))
    };
    let kind = fields.get("type").and_then(|kind| string(kind)).ok_or(Code::BadMessage)?;
    match &*kind {
        "register" => {
            let user_id = named("userId", limits::NAME_CHARS)?;
            let display_name = named("displayName", limits::LABEL_CHARS)?;
            let token = fields.get("token").map(|raw| string(raw).ok_or(Code::BadMessage));
            Ok(Seen::Register(user_id, display_name, token.transpose()?))
        }
        "join" => {
            let (room_id, metadata) = (room_id()?, fields.get("metadata"));
            if metadata.is_some_and(|json| json.len() > limits::METADATA_BYTES) {
                return Err(Code::BadMessage);
            }
            Ok(Seen::Join(room_id, metadata.map(own)))
        }
        "leave" => Ok(Seen::Leave(room_id()?)),
        "offer" => signal(SignalKind::Offer, "sdp"),
        "answer" => signal(SignalKind::Answer, "sdp"),
        "candidate" => signal(SignalKind::Candidate, "candidate"),
        "message" => signal(SignalKind::Message, "content"),
        "ping" => Ok(Seen::Ping),
        _ => Err(Code::UnknownType),
    }
}

fn name(raw: &str, most: usize) -> Result<String, Code> {
    let fits = |text: &String| (1..=most).contains(&text.chars().count());
    string(raw).filter(fits).ok_or(Code::BadMessage)
}

fn string(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

/// The fields of an object that any request has, none of them twice.
struct Fields<'a>(BTreeMap<String, &'a str>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    let is_known = FIELDS.contains(&&*name);
                    if is_known && fields.insert(name, value.get()).is_some() {
                        return Err(serde::de::Error::custom("given twice"));
                    }
                }
                fields.retain(|name, json| *json != "null" || !OPTIONAL.contains(&&**name));
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
