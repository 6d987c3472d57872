//! Who may enter, who hosts and who waits, as clients see it over real sockets.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod entering;
mod hashing;
mod hosts;
mod lobby;
#[path = "../support/pipe.rs"]
mod pipe;
mod returning;
#[path = "../support/mod.rs"]
mod support;

use serde_json::{Value, json};
use support::Client;

/// What a refusal says to programs.
fn refused(kind: &str, code: &str) -> (Value, Value) {
    (json!(kind), json!(code))
}

/// The type and the code of an answer.
fn short(answer: &Value) -> (Value, Value) {
    (answer["type"].clone(), answer["code"].clone())
}

/// What comes of a request, in these two words.
async fn outcome(client: &mut Client, request: Value) -> (Value, Value) {
    short(&client.ask(request).await)
}

fn done() -> (Value, Value) {
    (json!("done"), Value::Null)
}

/// Asks for a seat with these fields more.
async fn enter(client: &mut Client, room: &str, mut more: Value) -> Value {
    more["type"] = json!("join");
    more["roomId"] = json!(room);
    client.ask(more).await
}
