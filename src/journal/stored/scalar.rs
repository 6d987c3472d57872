//! Times, ids and names.

use std::{str::FromStr, time::Duration};

use prost::Message;

use super::StoredError;
use crate::timestamp::Timestamp;

pub(super) fn from_time(at: impl Into<Timestamp>) -> u64 {
    at.into().into()
}

pub(super) fn time<T: From<Timestamp>>(nanoseconds: u64) -> T {
    Timestamp::from(nanoseconds).into()
}

pub(super) fn from_duration(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}

pub(super) fn from_id(id: impl Into<u128>) -> Vec<u8> {
    id.into().to_be_bytes().to_vec()
}

pub(super) fn id<Id: From<u128>>(bytes: &[u8]) -> Result<Id, StoredError> {
    let bytes = bytes.try_into().map_err(|_| StoredError::Damaged("an id"))?;
    Ok(u128::from_be_bytes(bytes).into())
}

pub(super) fn name<Name: FromStr>(text: &str) -> Result<Name, StoredError> {
    text.parse().map_err(|_| StoredError::Damaged("a name"))
}

pub(super) fn name_if_any<Name: FromStr>(
    text: Option<impl AsRef<str>>,
) -> Result<Option<Name>, StoredError> {
    text.map(|text| name(text.as_ref())).transpose()
}

pub(super) fn message<M: Message + Default>(bytes: &[u8]) -> Result<M, StoredError> {
    M::decode(bytes).map_err(|_| StoredError::Damaged("a message"))
}

/// What every release writes, and so must be there.
pub(super) fn present<T>(part: Option<T>) -> Result<T, StoredError> {
    part.ok_or(StoredError::Damaged("a part is missing"))
}
