//! The flags of what whoever makes a room may do in it.

use clap::{ArgAction, Args, builder::BoolishValueParser};

#[expect(missing_docs, reason = "a text here would take the place of the command's own in --help")]
#[derive(Debug, Clone, Args)]
pub struct RoomFlags {
    /// Let whoever makes a room give it a password, and hosts change it. Administrators may in any case.
    #[arg(
        long, env = "SIGNALPOST_ROOM_PASSWORDS", value_name = "true|false",
        default_value_t = true, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, hide_possible_values = true, action = ArgAction::Set,
        value_parser = BoolishValueParser::new())]
    pub room_passwords: bool,

    /// Make a room's first member its host, and when the last host leaves, whoever has sat there for longest. Guests
    /// never become it so, nor does anybody where --auth is `required`: tokens say who is host there.
    #[arg(
        long, env = "SIGNALPOST_FIRST_MEMBER_IS_HOST", value_name = "true|false",
        default_value_t = true, default_missing_value = "true", num_args = 0..=1,
        require_equals = true, hide_possible_values = true, action = ArgAction::Set,
        value_parser = BoolishValueParser::new())]
    pub first_member_is_host: bool,
}
