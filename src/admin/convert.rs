//! Between protobuf and our own types.

pub(super) mod ban;
pub(super) mod broadcast;
pub(super) mod client;
pub(super) mod event;
pub(super) mod room;
mod shown;

use std::{
    fmt::Display,
    str::FromStr,
    time::{Duration, SystemTime},
};

use prost_types::Timestamp;

use super::problem::Faults;
use crate::{config::limits, id::RoomId};

/// A name in the field of that name.
pub(super) fn named<T: FromStr>(field: &str, text: &str) -> Result<T, Faults>
where
    T::Err: Display,
{
    text.parse().map_err(|invalid| Faults::of(field, invalid))
}

pub(super) fn room_id(text: &str) -> Result<RoomId, Faults> {
    named("room_id", text)
}

/// A room that need not be named.
pub(super) fn any_room_id(text: &str) -> Result<Option<RoomId>, Faults> {
    if text.is_empty() { Ok(None) } else { room_id(text).map(Some) }
}

/// Words for people; none where it is empty.
pub(super) fn reason<'a>(field: &str, text: &'a str) -> Result<Option<&'a str>, Faults> {
    let most = limits::REASON_CHARS;
    if text.chars().count() > most {
        return Err(Faults::of(field, format!("must be at most {most} characters long")));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A time from nothing up to `longest`.
pub(super) fn span(
    field: &str,
    span: prost_types::Duration,
    longest: Duration,
) -> Result<Duration, Faults> {
    let is_normal = (0..1_000_000_000).contains(&span.nanos);
    let span = is_normal.then(|| Duration::try_from(span).ok()).flatten();
    let span = span.filter(|span| *span <= longest);
    span.ok_or_else(|| {
        Faults::of(field, format!("must be between 0 and {} seconds", longest.as_secs()))
    })
}

pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    time.into()
}

/// A time that no protobuf can hold is left out: 10,000 years.
pub(super) fn duration(span: Duration) -> Option<prost_types::Duration> {
    span.try_into().ok()
}

pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
