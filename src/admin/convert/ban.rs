//! Bans.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use ipnet::IpNet;

use super::{named, reason, span, timestamp};
use crate::{
    admin::{
        pb::{
            self,
            ban::{Expiration, Subject as PbSubject},
        },
        problem::Faults,
    },
    ban::{Ban, BanId, Subject},
    config::limits,
};

pub(in crate::admin) fn ban(ban: &Ban) -> pb::Ban {
    pb::Ban {
        ban_id: ban.id.to_string(),
        room_id: ban.room_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        subject: Some(match &ban.subject {
            Subject::User(user_id) => PbSubject::UserId(user_id.to_string()),
            Subject::Network(network) => PbSubject::Address(address(network)),
        }),
        reason: ban.reason.as_deref().unwrap_or_default().to_owned(),
        create_time: Some(timestamp(ban.created_at)),
        expiration: ban.expires_at.map(|end| Expiration::ExpireTime(timestamp(end))),
    }
}

/// A network of one address is written as that.
pub(in crate::admin) fn address(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        return network.addr().to_string();
    }
    network.to_string()
}

/// The ban that a request makes, from `now` on.
pub(in crate::admin) fn new_ban(
    request: &pb::CreateBanRequest,
    now: SystemTime,
) -> Result<Arc<Ban>, Faults> {
    let Some(ban) = &request.ban else { return Err(Faults::of("ban", "must be given")) };
    let mut faults = Faults::default();
    let room = match &*ban.room_id {
        "" => Some(None),
        name => faults.merge(named("ban.room_id", name)).map(Some),
    };
    let subject = faults.merge(subject(ban));
    let reason = faults.merge(reason("ban.reason", &ban.reason));
    let expires_at = faults.merge(expiration(ban, now));
    faults.or(|| {
        Some(Arc::new(Ban {
            id: BanId::random(),
            room_id: room?,
            subject: subject?,
            reason: reason?.map(Into::into),
            created_at: now,
            expires_at: expires_at?,
            host: None,
        }))
    })
}

fn subject(ban: &pb::Ban) -> Result<Subject, Faults> {
    match &ban.subject {
        Some(PbSubject::UserId(user_id)) => named("ban.user_id", user_id).map(Subject::User),
        Some(PbSubject::Address(text)) => network(text).ok_or_else(|| {
            let form = "must be an IP address or a network, such as 192.0.2.7 or 2001:db8::/32";
            Faults::of("ban.address", form)
        }),
        None => Err(Faults::of("ban.subject", "must be user_id or address")),
    }
}

fn network(text: &str) -> Option<Subject> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.into());
    }
    let network: IpNet = text.parse().ok()?;
    // Addresses are compared as what they are, not as what a socket for both kinds calls them.
    let mapped = network.addr().to_canonical();
    let network = match (network, mapped) {
        (IpNet::V6(v6), IpAddr::V4(_)) => IpNet::new(mapped, v6.prefix_len().checked_sub(96)?),
        _ => Ok(network),
    };
    network.ok().map(|network| Subject::Network(network.trunc()))
}

fn expiration(ban: &pb::Ban, now: SystemTime) -> Result<Option<SystemTime>, Faults> {
    match &ban.expiration {
        None => Ok(None),
        Some(Expiration::Ttl(ttl)) => until("ban.ttl", *ttl, now).map(Some),
        Some(Expiration::ExpireTime(time)) => {
            let is_normal = (0..1_000_000_000).contains(&time.nanos);
            let end = is_normal.then(|| SystemTime::try_from(*time).ok()).flatten();
            let from_now = end.and_then(|end| end.duration_since(now).ok());
            match from_now.filter(|from_now| is_some_time(*from_now)) {
                Some(_) => Ok(end),
                None => Err(Faults::of(
                    "ban.expire_time",
                    "must be in the future, at most ten years ahead",
                )),
            }
        }
    }
}

/// The end of a time that begins now.
pub(in crate::admin) fn until(
    field: &str,
    ttl: prost_types::Duration,
    now: SystemTime,
) -> Result<SystemTime, Faults> {
    let ttl = span(field, ttl, limits::LONGEST_BAN)?;
    let end = now.checked_add(ttl).filter(|_| is_some_time(ttl));
    end.ok_or_else(|| Faults::of(field, "must be more than 0"))
}

fn is_some_time(span: Duration) -> bool {
    !span.is_zero() && span <= limits::LONGEST_BAN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_the_networks_that_are_meant() {
        for (text, meant) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
            ("2001:db8::1", "2001:db8::/64"),
            ("2001:db8::1/128", "2001:db8::1"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            let subject = Some(PbSubject::Address(text.to_owned()));
            let request = pb::Ban { subject, ..Default::default() };
            let request = pb::CreateBanRequest { ban: Some(request), ..Default::default() };
            let made = new_ban(&request, SystemTime::UNIX_EPOCH).unwrap();
            assert_eq!(ban(&made).subject, Some(PbSubject::Address(meant.to_owned())), "{text}");
        }
        for junk in
            ["", "x", "192.0.2.7/33", "192.0.2", "::/129", "::ffff:192.0.2.7/90", "192.0.2.7:80"]
        {
            assert!(network(junk).is_none(), "{junk}");
        }
    }

    #[test]
    fn every_field_at_fault_is_named() {
        let ban = pb::Ban {
            room_id: "r".repeat(129),
            subject: Some(PbSubject::UserId(String::new())),
            reason: "r".repeat(257),
            expiration: Some(Expiration::Ttl(prost_types::Duration { seconds: -1, nanos: 0 })),
            ..Default::default()
        };
        let request = pb::CreateBanRequest { ban: Some(ban), ..Default::default() };
        let faults = new_ban(&request, SystemTime::UNIX_EPOCH).unwrap_err();
        let text = tonic::Status::from(faults).message().to_owned();
        for field in ["ban.room_id", "ban.user_id", "ban.reason", "ban.ttl"] {
            assert!(text.contains(field), "{field}: {text}");
        }
    }
}
