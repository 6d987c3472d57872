//! What a client says, read by our scanner and by serde_json: both must find the same.

#![allow(dead_code, unreachable_pub, reason = "each test and fuzz target uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use signalpost::{
    config::limits,
    id::ClientId,
    protocol::{Code, Json, Order, Request, SignalKind, parse},
};

/// What a text is taken for.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Refused(Code),
    JoinRefused(Code),
    Register(Option<String>, Option<String>, Option<String>),
    Join {
        room: String,
        metadata: Option<String>,
        password: Option<()>,
        returns: Option<()>,
    },
    Leave(String),
    UpdateRoom {
        locked: Option<bool>,
        most: Option<usize>,
        password: Option<bool>,
        lobby: Option<bool>,
    },
    SetRole(ClientId, bool),
    Remove(ClientId, Option<u32>),
    AskToMute(ClientId),
    Admit(Option<ClientId>),
    Deny(ClientId),
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
        Ok(Request::Join(join)) => Seen::Join {
            room: join.room_id.to_string(),
            metadata: join.metadata.map(|json| json.to_string()),
            password: join.password.map(drop),
            returns: join.returning.map(drop),
        },
        Ok(Request::UpdateRoom(update)) => Seen::UpdateRoom {
            locked: update.locked,
            most: update.max_members,
            password: update.password.map(|password| password.is_some()),
            lobby: update.lobby,
        },
        Ok(Request::Order(order)) => match order {
            Order::SetRole { target, host } => Seen::SetRole(target, host),
            Order::Remove { target, seconds } => Seen::Remove(target, seconds),
            Order::AskToMute { target } => Seen::AskToMute(target),
            Order::Admit { target } => Seen::Admit(target),
            Order::Deny { target } => Seen::Deny(target),
        },
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

const FIELDS: [&str; 18] = [
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
    "password",
    "returnToken",
    "locked",
    "maxMembers",
    "lobby",
    "role",
    "seconds",
];

/// These may be null, which is as if they were left out.
const OPTIONAL: [&str; 11] = [
    "requestId",
    "userId",
    "displayName",
    "token",
    "metadata",
    "targetId",
    "returnToken",
    "locked",
    "maxMembers",
    "lobby",
    "seconds",
];

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
    let perhaps = || {
        let id = fields.get("targetId").map(|raw| name(raw, limits::NAME_CHARS)).transpose()?;
        id.map(|id| id.parse().map_err(|_| Code::PeerNotFound)).transpose()
    };
    let target = || perhaps()?.ok_or(Code::BadMessage);
    let signal = |kind, field| {
        let target = if kind == SignalKind::Message { perhaps()? } else { Some(target()?) };
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
            let token = fields.get("returnToken").map(|raw| string(raw).ok_or(Code::BadMessage));
            let token = token.transpose()?;
            let password = password(fields)?.filter(|is_one| *is_one).map(|_| ());
            if token.as_ref().is_some_and(|token| token.len() > limits::RETURN_TOKEN_BYTES) {
                return Err(Code::BadMessage);
            }
            let returns = token.map(drop);
            Ok(Seen::Join { room: room_id, metadata: metadata.map(own), password, returns })
        }
        "leave" => Ok(Seen::Leave(room_id()?)),
        "offer" => signal(SignalKind::Offer, "sdp"),
        "answer" => signal(SignalKind::Answer, "sdp"),
        "candidate" => signal(SignalKind::Candidate, "candidate"),
        "message" => signal(SignalKind::Message, "content"),
        "ping" => Ok(Seen::Ping),
        "update-room" => Ok(Seen::UpdateRoom {
            locked: value(fields, "locked", |_: &bool| true)?,
            most: value(fields, "maxMembers", |most| (1..=10_000).contains(most))?,
            password: password(fields)?,
            lobby: value(fields, "lobby", |_: &bool| true)?,
        }),
        "set-role" => {
            let (target, role) = (target()?, fields.get("role").and_then(|raw| string(raw)));
            match role.as_deref() {
                Some(role @ ("host" | "member")) => Ok(Seen::SetRole(target, role == "host")),
                _ => Err(Code::BadMessage),
            }
        }
        "remove" => {
            let seconds = |seconds: &u32| (1..=86_400).contains(seconds);
            Ok(Seen::Remove(target()?, value(fields, "seconds", seconds)?))
        }
        "ask-to-mute" => Ok(Seen::AskToMute(target()?)),
        "admit" => Ok(Seen::Admit(perhaps()?)),
        "deny" => Ok(Seen::Deny(target()?)),
        _ => Err(Code::UnknownType),
    }
}

/// Whether there is one; false where it is null.
fn password(fields: &BTreeMap<String, &str>) -> Result<Option<bool>, Code> {
    match fields.get("password") {
        Some(raw) if *raw != "null" => name(raw, limits::PASSWORD_CHARS).map(|_| Some(true)),
        raw => Ok(raw.map(|_| false)),
    }
}

fn value<T: DeserializeOwned>(
    fields: &BTreeMap<String, &str>,
    field: &str,
    fits: impl Fn(&T) -> bool,
) -> Result<Option<T>, Code> {
    let Some(raw) = fields.get(field) else { return Ok(None) };
    let value = serde_json::from_str(raw).ok().filter(fits);
    value.map(Some).ok_or(Code::BadMessage)
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
