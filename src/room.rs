//! One room's rules, as pure functions: [`Room::decide`] says what a command changes, [`Room::apply`]
//! changes it. No clock, lock, task, socket or JSON enters here; whoever calls brings the time.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

mod command;
mod decide;
mod denied;
mod event;
mod hosts;
mod member;
mod nodes;
mod password;
mod role;
mod state;

pub use command::{By, Command, Update};
pub use denied::Denied;
pub use event::{Change, Event, LeaveReason};
pub use member::{Claim, Entrant, Identity, Member, ReturnKey, Vouched, Waiter, WaitingEnd};
pub use password::{PasswordHash, Proof};
pub use role::{Role, Standing};
pub use state::{Parts, Room, Rules, Settings, Summary};
