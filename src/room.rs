//! One room's rules, as pure functions: [`Room::decide`] says what a command changes, [`Room::apply`]
//! changes it. No clock, lock, task, socket or JSON enters here; whoever calls brings the time.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

mod command;
mod denied;
mod event;
mod role;
mod state;

pub use command::{Command, Update};
pub use denied::Denied;
pub use event::{Change, Event, LeaveReason};
pub use role::Role;
pub use state::{Identity, Member, Room, Settings, Summary};
