//! Every error that this API answers: a [`Reason`] that programs go by, words for people, and the details of
//! `google.rpc` (AIP-193).

mod reason;

use std::{collections::HashMap, fmt, time::Duration};

use hyper::HeaderMap;
use itertools::Itertools;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

pub use reason::Reason;

use crate::hub::NotFound;

/// The `domain` of every google.rpc.ErrorInfo.
pub const DOMAIN: &str = "signalpost";

/// An error of a call, before it becomes a [`Status`].
#[derive(Debug)]
pub(super) struct Problem {
    reason: Reason,
    message: String,
    metadata: HashMap<String, String>,
    faults: Vec<FieldViolation>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// `message` is for people.
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            metadata: HashMap::new(),
            faults: Vec::new(),
            retry_after: reason.retry_after(),
        }
    }

    /// Says of what it speaks, such as `room_id`: the `metadata` of its ErrorInfo.
    pub(super) fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// When the same call may succeed, where that is known better than by its reason.
    pub(super) fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let Problem { reason, message, metadata, faults, retry_after } = problem;
        let mut details = ErrorDetails::with_error_info(reason.name(), DOMAIN, metadata);
        if !faults.is_empty() {
            details.set_bad_request(faults);
        }
        if retry_after.is_some() {
            details.set_retry_info(retry_after);
        }
        Self::with_error_details(reason.code(), message, details)
    }
}

impl From<NotFound> for Problem {
    fn from(missing: NotFound) -> Self {
        let reason = match missing {
            NotFound::Room => Reason::RoomNotFound,
            NotFound::Client => Reason::ClientNotFound,
            NotFound::Unavailable | NotFound::Unsettled | NotFound::Unanswered(_) => {
                Reason::FleetUnavailable
            }
        };
        let problem = Self::new(reason, missing.to_string());
        match missing {
            NotFound::Unanswered(nodes) => problem.with("unanswered_nodes", nodes.iter().join(",")),
            NotFound::Room | NotFound::Client | NotFound::Unavailable | NotFound::Unsettled => {
                problem
            }
        }
    }
}

impl From<NotFound> for Status {
    fn from(missing: NotFound) -> Self {
        Problem::from(missing).into()
    }
}

/// The fields of one request that are at fault: all are named at once, not the first only.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<FieldViolation>);

impl Faults {
    /// One field at fault.
    pub(super) fn of(field: &str, description: impl fmt::Display) -> Self {
        let mut faults = Self::default();
        faults.add(field, description);
        faults
    }

    /// What `read` makes of a request, with each field [checked](Self::check) on the way. It gives nothing
    /// where a field that it needs is at fault.
    ///
    /// # Errors
    /// [`Reason::BadRequest`] with every fault, if there was any.
    pub(super) fn gather<T>(read: impl FnOnce(&mut Self) -> Option<T>) -> Result<T, Problem> {
        let mut faults = Self::default();
        let value = read(&mut faults);
        Ok(faults.or(|| value)?)
    }

    /// The value of `field`, a path as in the proto, such as `room.max_members`. An error says what the
    /// field must be, without naming it: "must not be empty".
    pub(super) fn check<T, E: fmt::Display>(
        &mut self,
        field: &str,
        value: Result<T, E>,
    ) -> Option<T> {
        value.map_err(|error| self.add(field, error)).ok()
    }

    /// What was read of several fields, or of one that has several ways to be at fault.
    pub(super) fn merge<T>(&mut self, value: Result<T, Self>) -> Option<T> {
        value.map_err(|Self(faults)| self.0.extend(faults)).ok()
    }

    /// What was read, if there was no fault. It gives nothing where a field that it needs is at fault.
    ///
    /// # Errors
    /// All of them.
    pub(super) fn or<T>(self, read: impl FnOnce() -> Option<T>) -> Result<T, Self> {
        if !self.0.is_empty() {
            return Err(self);
        }
        Ok(read().expect("nothing is missing without a fault"))
    }

    /// The error that names them, for a more telling reason than [`Reason::BadRequest`].
    pub(super) fn because(self, reason: Reason) -> Problem {
        let Self(faults) = self;
        let words = faults.iter().map(|fault| format!("{} {}", fault.field, fault.description));
        let message = words.collect::<Vec<_>>().join("; ");
        Problem { faults, ..Problem::new(reason, message) }
    }

    /// These, and those of another reading of the same request.
    pub(super) fn and<T>(mut self, value: Result<T, Self>) -> Self {
        self.merge(value);
        self
    }

    /// A fault of `field`.
    pub(super) fn add(&mut self, field: &str, description: impl fmt::Display) {
        self.0.push(FieldViolation::new(field, description.to_string()));
    }
}

impl From<Faults> for Problem {
    fn from(faults: Faults) -> Self {
        faults.because(Reason::BadRequest)
    }
}

impl From<Faults> for Status {
    fn from(faults: Faults) -> Self {
        Problem::from(faults).into()
    }
}

/// Gives an error that a library made the details that ours have. `headers` may be trailers.
pub(super) fn explain(headers: &mut HeaderMap) {
    if headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return;
    }
    let Some(status) = Status::from_header_map(headers).filter(|status| status.code() != Code::Ok)
    else {
        return;
    };
    let reason = Reason::of_library(status.code());
    let message = match status.message() {
        "" if reason == Reason::Unsupported => "there is no such method",
        message => message,
    };
    let details = ErrorDetails::with_error_info(reason.name(), DOMAIN, HashMap::new());
    let explained = Status::with_error_details(status.code(), message, details);
    explained.add_header(headers).expect("percent-encoded, and base64");
}

/// How a stream ends with the server.
pub(super) fn going_away() -> Status {
    Problem::new(Reason::GoingAway, "the server is going away").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_becomes_a_status_with_its_name_and_what_passes_says_when() {
        for &reason in Reason::ALL {
            let status = Status::from(Problem::new(reason, "words").with("room_id", "語"));
            assert_eq!((status.code(), status.message()), (reason.code(), "words"));
            let details = status.get_error_details();
            let info = details.error_info().unwrap();
            assert_eq!((&*info.reason, &*info.domain), (reason.name(), "signalpost"));
            assert_eq!(info.metadata["room_id"], "語");
            assert!(details.bad_request().is_none());
            let delay = details.retry_info().map(|info| info.retry_delay.unwrap());
            assert_eq!(delay, reason.retry_after());
        }
        assert_eq!(Reason::RoomExists.retry_after(), None);
        let later = Problem::new(Reason::TooManyRequestIds, "").retry_after(Duration::from_secs(9));
        let details = Status::from(later).get_error_details();
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(9)));
    }

    #[test]
    fn a_request_with_three_bad_fields_names_all_three() {
        let bad = "must be less";
        let problem = Faults::gather(|faults| {
            let members: Option<u32> = faults.check("room.max_members", Err(bad));
            let fine = faults.check("room_id", Ok::<_, &str>("r"));
            let ttl: Option<u32> = faults.check("ban.ttl", Err(bad));
            let reason: Option<u32> = faults.merge(Err(Faults::of("reason", bad)));
            Some((members?, fine?, ttl?, reason?))
        });
        let status = Status::from(problem.unwrap_err());
        assert_eq!(
            status.message(),
            "room.max_members must be less; ban.ttl must be less; reason must be less"
        );
        let details = status.get_error_details();
        let faults = &details.bad_request().unwrap().field_violations;
        let fields: Vec<_> = faults.iter().map(|fault| &*fault.field).collect();
        assert_eq!(fields, ["room.max_members", "ban.ttl", "reason"]);
        assert!(faults.iter().all(|fault| fault.description == bad));
        assert_eq!(details.error_info().unwrap().reason, "BAD_REQUEST");

        assert_eq!(Faults::gather(|faults| faults.check("a", Ok::<_, &str>(1))).unwrap(), 1);
    }

    #[test]
    fn errors_of_libraries_are_explained_and_our_own_stay_as_they_are() {
        for (status, reason, message) in [
            (Status::unimplemented(""), "UNSUPPORTED", "there is no such method"),
            (Status::internal("no message"), "MALFORMED", "no message"),
            (Status::out_of_range("too long"), "TOO_LARGE", "too long"),
            (Status::not_found("no service"), "UNKNOWN_NAME", "no service"),
            (Status::cancelled(""), "UNEXPECTED", ""),
            (going_away(), "GOING_AWAY", "the server is going away"),
        ] {
            let mut headers = HeaderMap::new();
            status.add_header(&mut headers).unwrap();
            explain(&mut headers);
            let explained = Status::from_header_map(&headers).unwrap();
            assert_eq!((explained.code(), explained.message()), (status.code(), message));
            assert_eq!(explained.get_error_details().error_info().unwrap().reason, reason);
        }
        for status in [None, Some(Status::ok(""))] {
            let mut headers = HeaderMap::new();
            if let Some(status) = status {
                status.add_header(&mut headers).unwrap();
            }
            let before = headers.clone();
            explain(&mut headers);
            assert_eq!(headers, before);
        }
    }
}
