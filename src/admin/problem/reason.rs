//! The reasons of this API's errors, in one table: programs go by their names, which never change.

use std::time::Duration;

use tonic::Code;

use crate::config::limits;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $name:literal $code:ident,)*) => {
        /// What an error is about: the `reason` of its google.rpc.ErrorInfo.
        ///
        /// What browsers are told of too has their code's name (`protocol::Code`), in capitals.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason, for tables and tests.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As callers read it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The gRPC code that always comes with it.
            pub fn code(self) -> Code {
                match self {
                    $(Self::$variant => Code::$code,)*
                }
            }
        }
    };
}

reasons! {
    /// Fields at fault: a google.rpc.BadRequest names each.
    BadRequest "BAD_REQUEST" InvalidArgument,
    /// The request_id was given to another call.
    RequestIdReused "REQUEST_ID_REUSED" InvalidArgument,
    /// Nobody whom the server knows: no credential, or a wrong one, or one that is no longer taken.
    Unauthenticated "UNAUTHENTICATED" Unauthenticated,
    /// A viewer may not do that.
    Forbidden "FORBIDDEN" PermissionDenied,
    /// There is no such room.
    RoomNotFound "ROOM_NOT_FOUND" NotFound,
    /// There is no such client.
    ClientNotFound "CLIENT_NOT_FOUND" NotFound,
    /// There is no such ban, or it has ended.
    BanNotFound "BAN_NOT_FOUND" NotFound,
    /// The room that should be made is there.
    RoomExists "ROOM_EXISTS" AlreadyExists,
    /// The room's settings are others by now.
    EtagMismatch "ETAG_MISMATCH" Aborted,
    /// The client has no userId to be banned by.
    NoUserId "NO_USER_ID" FailedPrecondition,
    /// The client sits in no room, or not in that one.
    NotInRoom "NOT_IN_ROOM" FailedPrecondition,
    /// The client waits nowhere, or not in that room.
    NotWaiting "NOT_WAITING" FailedPrecondition,
    /// Every seat of the room is taken.
    RoomFull "ROOM_FULL" FailedPrecondition,
    /// The room would have no host.
    LastHost "LAST_HOST" FailedPrecondition,
    /// No drain runs that could be cancelled.
    NotDraining "NOT_DRAINING" FailedPrecondition,
    /// There are as many rooms as there may be.
    TooManyRooms "TOO_MANY_ROOMS" ResourceExhausted,
    /// Too many passwords wait to be hashed.
    TooManyPasswords "TOO_MANY_PASSWORDS" ResourceExhausted,
    /// As many bans stand as there may be.
    TooManyBans "TOO_MANY_BANS" ResourceExhausted,
    /// No more answers can be remembered by their request_id.
    TooManyRequestIds "TOO_MANY_REQUEST_IDS" ResourceExhausted,
    /// Too many streams stand open in all, or name too many rooms.
    TooManyWatchers "TOO_MANY_WATCHERS" ResourceExhausted,
    /// Too many streams stand open on the caller's connection.
    TooManyStreams "TOO_MANY_STREAMS" ResourceExhausted,
    /// Too many calls at a time.
    TooManyCalls "TOO_MANY_CALLS" ResourceExhausted,
    /// Too many bytes of requests or of answers are on their way.
    TooManyBytes "TOO_MANY_BYTES" ResourceExhausted,
    /// The log no longer holds what follows the cursor.
    CursorExpired "CURSOR_EXPIRED" OutOfRange,
    /// The cursor is of another life of the server.
    EpochChanged "EPOCH_CHANGED" OutOfRange,
    /// The request is longer than it may be.
    TooLarge "TOO_LARGE" OutOfRange,
    /// The request did not arrive in time, or its answer did not begin.
    TooSlow "TOO_SLOW" DeadlineExceeded,
    /// The servers of a fleet cannot agree on anything now, as what they share cannot be reached.
    FleetUnavailable "FLEET_UNAVAILABLE" Unavailable,
    /// The server stops.
    GoingAway "GOING_AWAY" Unavailable,
    /// More happened while a snapshot was put together than the log keeps.
    LogTooShort "LOG_TOO_SHORT" Unavailable,
    /// Health or reflection were asked for a name that they do not know.
    UnknownName "UNKNOWN_NAME" NotFound,
    /// There is no such method, or the request is compressed.
    Unsupported "UNSUPPORTED" Unimplemented,
    /// The request is no message of the method's kind.
    Malformed "MALFORMED" Internal,
    /// Anything else that a library says, whatever its code is.
    Unexpected "UNEXPECTED" Unknown,
}

impl Reason {
    /// After which time the same call may succeed, for those reasons that pass.
    pub fn retry_after(self) -> Option<Duration> {
        let passes = matches!(
            self.code(),
            Code::ResourceExhausted | Code::DeadlineExceeded | Code::Unavailable
        );
        passes.then_some(limits::ADMIN_RETRY)
    }

    /// The reason of an error that a library made, which has a code only.
    pub(super) fn of_library(code: Code) -> Self {
        let reasons = [Self::UnknownName, Self::Unsupported, Self::Malformed, Self::TooLarge];
        reasons.into_iter().find(|reason| reason.code() == code).unwrap_or(Self::Unexpected)
    }
}
