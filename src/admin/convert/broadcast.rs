//! What administrators say, and to whom.

use std::collections::BTreeSet;

use prost_types::value::Kind;
use serde_json::value::RawValue;

use super::{count, named, room_id};
use crate::{
    admin::{
        pb::{
            self,
            broadcast_request::{Body, Target},
        },
        problem::Faults,
    },
    config::limits,
    hub::{Audience, Reached},
    id::{ClientId, RoomId},
};

pub(in crate::admin) fn audience(target: Option<&Target>) -> Result<Audience, Faults> {
    match target {
        Some(Target::RoomId(id)) => Ok(Audience::Rooms([room_id(id)?].into())),
        Some(Target::Rooms(rooms)) => self::rooms(&rooms.room_ids).map(Audience::Rooms),
        Some(Target::ClientId(id)) => {
            id.parse().map(Audience::Client).map_err(|invalid| Faults::of("client_id", invalid))
        }
        Some(Target::Everyone(true)) => Ok(Audience::Everyone),
        Some(Target::Everyone(false)) => {
            Err(Faults::of("everyone", "must be true, or another target given"))
        }
        None => Err(Faults::of("target", "must be one of room_id, client_id, everyone and rooms")),
    }
}

fn rooms(names: &[String]) -> Result<BTreeSet<RoomId>, Faults> {
    let field = "rooms.room_ids";
    if !(1..=limits::BROADCAST_NAMES).contains(&names.len()) {
        let most = limits::BROADCAST_NAMES;
        return Err(Faults::of(field, format!("must be between 1 and {most}")));
    }
    names.iter().map(|name| named(field, name)).collect()
}

pub(in crate::admin) fn reached(reached: &Reached) -> pb::BroadcastResponse {
    pb::BroadcastResponse {
        reached: count(reached.clients),
        missing_room_ids: reached.missing.iter().map(ToString::to_string).collect(),
    }
}

/// Who shall not get it.
pub(in crate::admin) fn excluded(names: &[String]) -> Result<BTreeSet<ClientId>, Faults> {
    if names.len() > limits::BROADCAST_NAMES {
        let most = limits::BROADCAST_NAMES;
        return Err(Faults::of("exclude", format!("must be at most {most}")));
    }
    names.iter().map(|name| named("exclude", name)).collect()
}

pub(in crate::admin) fn content(body: Option<&Body>) -> Result<Box<RawValue>, Faults> {
    let json = match body {
        Some(Body::ContentJson(json)) => json.clone(),
        Some(Body::Content(value)) => json(value)?.to_string(),
        None => return Err(Faults::of("body", "must be content or content_json")),
    };
    RawValue::from_string(json)
        .map_err(|error| Faults::of("content_json", format!("is not JSON: {error}")))
}

fn json(value: &prost_types::Value) -> Result<serde_json::Value, Faults> {
    use serde_json::Value;
    Ok(match &value.kind {
        // The wire allows a value without a kind; protobuf's own JSON mapping refuses it.
        None => return Err(Faults::of("content", "holds a value without a kind")),
        Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(truth)) => (*truth).into(),
        Some(Kind::NumberValue(number)) => self::number(*number)?,
        Some(Kind::StringValue(text)) => text.as_str().into(),
        Some(Kind::ListValue(list)) => {
            Value::Array(list.values.iter().map(json).collect::<Result<_, _>>()?)
        }
        Some(Kind::StructValue(object)) => {
            let fields = object.fields.iter().map(|(key, value)| Ok((key.clone(), json(value)?)));
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
            assert_eq!(content(number(n).as_ref()).unwrap().get(), expected);
        }
        for bad in
            [number(f64::NAN), number(f64::INFINITY), None, Some(Body::ContentJson("{".into()))]
        {
            let status = tonic::Status::from(content(bad.as_ref()).unwrap_err());
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
        }
        let exact = Some(Body::ContentJson("{\"b\":9007199254740993,\"a\":1}".into()));
        assert_eq!(content(exact.as_ref()).unwrap().get(), "{\"b\":9007199254740993,\"a\":1}");
    }
}
