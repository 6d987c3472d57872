//! Every verb of the admin API over real sockets: what it does, what browsers hear of it, what the events say, and each
//! error that it may answer.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod again;
mod bans;
mod clients;
#[path = "../support/issuer.rs"]
mod issuer;
mod lists;
mod lobby;
mod passwords;
mod roles;
mod rooms;
mod say;
#[path = "../support/mod.rs"]
mod support;
mod tokens;

use std::fmt::Debug;

use signalpost::admin::pb::{Event, admin_service_client::AdminServiceClient, event, event::What};
use support::events::Events;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tonic::{Code, Response, Status, transport::Channel};
use tonic_types::StatusExt;

type Admin = AdminServiceClient<Channel>;

/// Of nobody.
const NOBODY: &str = "0b0e4f3a-6a55-4e1c-9f3e-3c2f5a1d9a10";

/// That a call failed so. Where fields are at fault, `fault` is the only one.
#[track_caller]
fn fails<A: Debug>(answer: Result<Response<A>, Status>, reason: &str, fault: &str) {
    let status = answer.unwrap_err();
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, reason, "{status}");
    let faults = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    let fields: Vec<_> = faults.iter().map(|fault| &*fault.field).collect();
    let expected: Vec<_> = Some(fault).into_iter().filter(|fault| !fault.is_empty()).collect();
    assert_eq!(fields, expected, "{status}");
    let code = match reason {
        "BAD_REQUEST" | "REQUEST_ID_REUSED" => Code::InvalidArgument,
        "ROOM_EXISTS" => Code::AlreadyExists,
        "ETAG_MISMATCH" => Code::Aborted,
        "NO_USER_ID" | "NOT_IN_ROOM" | "NOT_WAITING" | "ROOM_FULL" | "LAST_HOST"
        | "NOT_DRAINING" => Code::FailedPrecondition,
        "TOO_MANY_ROOMS" | "TOO_MANY_BANS" => Code::ResourceExhausted,
        _ => Code::NotFound,
    };
    assert_eq!(status.code(), code);
}

/// An event in a word or two, who brought it about, and of which room it is.
fn shown(event: Event) -> String {
    let cause = event.cause.unwrap();
    let cause = match cause.kind() {
        event::cause::Kind::Client => "client",
        event::cause::Kind::Administrator => "administrator",
        event::cause::Kind::Timer => "timer",
        event::cause::Kind::Server => "server",
        event::cause::Kind::Unspecified => panic!("never sent"),
    };
    let what = match event.what.unwrap() {
        What::Created(_) => "created".to_owned(),
        What::Joined(_) => "joined".to_owned(),
        What::Updated(_) => "updated".to_owned(),
        What::Locked(_) => "locked".to_owned(),
        What::Unlocked(_) => "unlocked".to_owned(),
        What::Left(left) => format!("left {}", left.reason),
        What::Closed(_) => "closed".to_owned(),
        What::RoomUpdated(_) => "room-updated".to_owned(),
        What::RoleChanged(changed) => {
            format!("role {}", changed.member.unwrap().role().as_str_name())
        }
        What::WaitingStarted(_) => "waiting".to_owned(),
        What::WaitingEnded(ended) => format!("waited {}", ended.reason),
        What::BanCreated(_) => "ban-created".to_owned(),
        What::BanDeleted(_) => "ban-deleted".to_owned(),
    };
    format!("{} {what} by {cause}", event.room_id).trim_start().to_owned()
}

/// That these come next.
async fn come(events: &mut Events, expected: &[&str]) {
    for expected in expected {
        assert_eq!(shown(events.next().await), *expected);
    }
}

/// Handshakes of a client that comes from there, by a trusted proxy.
fn from(url: &str, address: &str) -> impl IntoClientRequest + Unpin {
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("X-Forwarded-For", address.parse().unwrap());
    request
}

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}
