//! Who sits in the model of a room, and who waits.

use signalpost::room::Role;

use super::steps::Passport;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seat {
    pub(super) who: u8,
    pub(super) passport: Passport,
    pub(super) role: Role,
    pub(super) acting: bool,
    pub(super) key: u8,
    pub(super) node: u8,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Waiting {
    pub(super) who: u8,
    pub(super) passport: Passport,
    pub(super) key: u8,
    pub(super) node: u8,
    pub(super) until: u64,
}

/// What becomes of somebody's role, and of its acting for want of another host, with another token.
pub(super) fn regranted(seat: Seat, granted: Role) -> (Role, bool) {
    let by_token = seat.role == Role::Host && seat.passport.granted == Role::Host;
    if granted == seat.passport.granted {
        (seat.role, seat.acting)
    } else if seat.role == Role::Host && !by_token && granted != Role::Host {
        (Role::Host, seat.acting)
    } else {
        (granted, false)
    }
}

pub(super) fn same_by_token(one: &Seat, other: &Seat) -> bool {
    one.passport.vouched && other.passport.vouched && one.passport.name == other.passport.name
}
