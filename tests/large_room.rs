//! A room so large that what is said in it is not sent in one go.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "support/pipe.rs"]
mod pipe;

use std::{collections::HashSet, sync::Arc};

use clap::Parser;
use futures_util::FutureExt;
use pipe::{Pipe, frame};
use serde_json::{Value, json};
use signalpost::{config::Config, hub::Hub};
use tokio::{io::duplex, task::unconstrained};

const MEMBERS: usize = 300;

fn hub() -> Arc<Hub> {
    hub_with("4096")
}

fn hub_with(outbox_messages: &str) -> Arc<Hub> {
    let flags = ["signalpost", "--max-members", "300", "--outbox-messages", outbox_messages];
    let config = Config::try_parse_from(flags).unwrap();
    Arc::new(Hub::new(Arc::new(config)))
}

/// So many clients that have heard of each other.
async fn room(hub: &Arc<Hub>, name: &str, members: usize) -> Vec<Pipe> {
    let mut room = Vec::new();
    for _ in 0..members {
        room.push(Pipe::join(hub, name).await);
    }
    for (nth, member) in room.iter_mut().enumerate() {
        for _ in nth + 1..members {
            member.pass_over().await;
        }
    }
    room
}

async fn say(member: &mut Pipe, content: u32) {
    member.say(&frame(&json!({"type": "message", "content": content}).to_string())).await;
}

async fn heard(member: &mut Pipe) -> Value {
    let message: Value = serde_json::from_slice(&member.hear().await).unwrap();
    message["content"].clone()
}

#[tokio::test]
async fn everyone_hears_everything_in_one_order() {
    let hub = hub();
    let mut members = room(&hub, "large", MEMBERS).await;
    // The second is said while the first is under way to most.
    for content in 0..2 {
        say(&mut members[0], content).await;
        tokio::task::yield_now().await;
    }
    say(&mut members[1], 2).await;
    let mut orders = HashSet::new();
    for member in &mut members[2..] {
        orders.insert([heard(member).await, heard(member).await, heard(member).await]);
    }
    assert_eq!(orders.len(), 1, "{orders:?}");
    let order = orders.into_iter().next().unwrap();
    assert_eq!(order.into_iter().filter(|content| *content != 2).collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn other_rooms_are_not_held_up() {
    let hub = hub();
    let mut large = room(&hub, "large", MEMBERS).await;
    let mut small = room(&hub, "small", 2).await;
    say(&mut large[0], 0).await;
    say(&mut small[0], 1).await;
    assert_eq!(heard(&mut small[1]).await, 1);
    let now = |member| unconstrained(heard(member)).now_or_never();
    let before = large[1..].iter_mut().filter_map(now).count();
    assert!((1..MEMBERS - 1).contains(&before), "{before} came before the other room's message");
}

#[tokio::test]
async fn a_burst_to_everyone_is_no_more_than_the_least_outbox_takes() {
    let hub = hub_with("16");
    let mut members = room(&hub, "large", MEMBERS).await;
    let burst: Vec<_> = (0..40)
        .flat_map(|content| frame(&json!({"type": "message", "content": content}).to_string()))
        .collect();
    members[0].say(&burst).await;
    for member in &mut members[1..] {
        for content in 0..40 {
            assert_eq!(heard(member).await, content);
        }
    }
}

#[tokio::test]
async fn nothing_comes_after_a_close_frame() {
    let hub = hub();
    // One more than are told in one go.
    let mut members = room(&hub, "large", 65).await;
    let (stream, served) = duplex(1 << 10);
    let mut leaving = Pipe::join_over(&hub, "large", stream, served).await;
    let text = json!({"type": "message", "content": "x".repeat(1 << 10)}).to_string();
    members[0].say(&frame(&text)).await;
    // What fills the pipe stays until the other has spoken again, and this one said goodbye.
    heard(&mut members[1]).await;
    tokio::task::yield_now().await;
    members[0].say(&frame(&text)).await;
    leaving.say(&[0x88, 0x80, 0, 0, 0, 0]).await;
    tokio::task::yield_now().await;
    let bytes = leaving.hear_out().await;
    assert!(bytes.ends_with(&[0x88, 0]), "{}", String::from_utf8_lossy(&bytes));
}
