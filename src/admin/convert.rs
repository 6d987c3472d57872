//! Between protobuf and our own types.

use std::time::SystemTime;

use prost_types::{Timestamp, value::Kind};
use serde_json::value::RawValue;

use super::{
    pb::{self, broadcast_request::Body, broadcast_request::Target, event::What},
    problem::Faults,
};
use crate::{
    hub::Audience,
    id::RoomId,
    journal::Record,
    room::{Change, Member, Summary},
};

pub(super) fn room_id(text: &str) -> Result<RoomId, Faults> {
    text.parse().map_err(|invalid| Faults::of("room_id", invalid))
}

pub(super) fn room(room: Summary) -> pb::Room {
    pb::Room {
        room_id: room.id.to_string(),
        member_count: count(room.member_count),
        max_members: count(room.settings.max_members),
        locked: room.settings.locked,
        create_time: Some(timestamp(room.created_at)),
        position: room.version.0,
        members: Vec::new(),
    }
}

pub(super) fn member(member: &Member) -> pb::Member {
    let text = |name: &str| name.to_owned();
    pb::Member {
        client_id: member.client_id.to_string(),
        user_id: member.identity.user_id.as_ref().map(|id| text(id.as_str())),
        display_name: member.identity.display_name.as_ref().map(|name| text(name.as_str())),
        metadata_json: member.metadata.as_deref().map(text),
        join_time: Some(timestamp(member.joined_at)),
    }
}

pub(super) fn event(record: &Record) -> pb::Event {
    let event = &record.event;
    pb::Event {
        position: event.position.0,
        prev_position: event.prev.0,
        room_id: record.room_id.to_string(),
        time: Some(timestamp(event.at)),
        what: Some(match &event.change {
            Change::Created { settings } => {
                What::Created(pb::event::Created { max_members: count(settings.max_members) })
            }
            Change::Joined(who) => What::Joined(pb::event::Joined { member: Some(member(who)) }),
            Change::Renamed(who) => What::Updated(pb::event::Updated { member: Some(member(who)) }),
            Change::Locked => What::Locked(pb::event::Locked {}),
            Change::Unlocked => What::Unlocked(pb::event::Unlocked {}),
            Change::Left { client_id, user_id, reason } => What::Left(pb::event::Left {
                client_id: client_id.to_string(),
                user_id: user_id.as_ref().map(ToString::to_string),
                reason: reason.as_str().to_owned(),
            }),
            Change::Closed => What::Closed(pb::event::Closed {}),
        }),
    }
}

pub(super) fn kind(change: &Change) -> pb::EventKind {
    match change {
        Change::Created { .. } => pb::EventKind::Created,
        Change::Joined(_) => pb::EventKind::Joined,
        Change::Renamed(_) => pb::EventKind::Updated,
        Change::Locked => pb::EventKind::Locked,
        Change::Unlocked => pb::EventKind::Unlocked,
        Change::Left { .. } => pb::EventKind::Left,
        Change::Closed => pb::EventKind::Closed,
    }
}

pub(super) fn audience(target: Option<Target>) -> Result<Audience, Faults> {
    match target {
        Some(Target::RoomId(id)) => Ok(Audience::Room(room_id(&id)?)),
        Some(Target::ClientId(id)) => {
            id.parse().map(Audience::Client).map_err(|invalid| Faults::of("client_id", invalid))
        }
        Some(Target::Everyone(true)) => Ok(Audience::Everyone),
        Some(Target::Everyone(false)) => {
            Err(Faults::of("everyone", "must be true, or another target given"))
        }
        None => Err(Faults::of("target", "must be one of room_id, client_id and everyone")),
    }
}

pub(super) fn content(body: Option<Body>) -> Result<Box<RawValue>, Faults> {
    let json = match body {
        Some(Body::ContentJson(json)) => json,
        Some(Body::Content(value)) => json(value)?.to_string(),
        None => return Err(Faults::of("body", "must be content or content_json")),
    };
    RawValue::from_string(json)
        .map_err(|error| Faults::of("content_json", format!("is not JSON: {error}")))
}

fn json(value: prost_types::Value) -> Result<serde_json::Value, Faults> {
    use serde_json::Value;
    Ok(match value.kind {
        // The wire allows a value without a kind; protobuf's own JSON mapping refuses it.
        None => return Err(Faults::of("content", "holds a value without a kind")),
        Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(truth)) => truth.into(),
        Some(Kind::NumberValue(number)) => self::number(number)?,
        Some(Kind::StringValue(text)) => text.into(),
        Some(Kind::ListValue(list)) => {
            Value::Array(list.values.into_iter().map(json).collect::<Result<_, _>>()?)
        }
        Some(Kind::StructValue(object)) => {
            let fields = object.fields.into_iter().map(|(key, value)| Ok((key, json(value)?)));
            Value::Object(fields.collect::<Result<_, Faults>>()?)
        }
    })
}

/// Whole numbers without a point, as JavaScript writes them.
fn number(number: f64) -> Result<serde_json::Value, Faults> {
    const WITHOUT_EXPONENT: f64 = (1_u64 << 63) as f64;
    if number.fract() == 0.0 && number.abs() < WITHOUT_EXPONENT {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and below 2^63")]
        return Ok((number as i64).into());
    }
    let number = serde_json::Number::from_f64(number);
    number
        .map(Into::into)
        .ok_or_else(|| Faults::of("content", "holds a number that JSON cannot: NaN or an infinity"))
}

fn timestamp(time: SystemTime) -> Timestamp {
    time.into()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_the_json_that_a_browser_would_write() {
        let number =
            |n| Some(Body::Content(prost_types::Value { kind: Some(Kind::NumberValue(n)) }));
        for (n, expected) in [
            (42.0, "42"),
            (-0.5, "-0.5"),
            (1e300, "1e+300"),
            (9007199254740994.0, "9007199254740994"),
        ] {
            assert_eq!(content(number(n)).unwrap().get(), expected);
        }
        for bad in
            [number(f64::NAN), number(f64::INFINITY), None, Some(Body::ContentJson("{".into()))]
        {
            let status = tonic::Status::from(content(bad).unwrap_err());
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
        }
        let exact = Some(Body::ContentJson("{\"b\":9007199254740993,\"a\":1}".into()));
        assert_eq!(content(exact).unwrap().get(), "{\"b\":9007199254740993,\"a\":1}");
    }
}
