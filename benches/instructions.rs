//! Runs one scenario of the hot path so many times, for a tool that counts instructions. `check.sh` beside
//! this file does, and compares with `instructions.budget`.

#[path = "../tests/support/pipe.rs"]
mod pipe;

use std::{env, sync::Arc};

use clap::Parser;
use pipe::{Pipe, candidate, frame, offer};
use signalpost::{
    config::Config,
    hub::{Hub, flush_before_sleep},
};

fn main() {
    let mut arguments = env::args().skip(1);
    let mut next = |what| arguments.next().expect(what);
    let scenario = next("a scenario");
    let times: usize = next("how many times").parse().expect("a number of times");
    // As the server has it where there is one processor.
    let mut thread = tokio::runtime::Builder::new_current_thread();
    let runtime = thread.on_thread_park(flush_before_sleep).build().expect("a runtime");
    runtime.block_on(async {
        let config =
            Config::try_parse_from(["signalpost", "--rate-limit", "100000"]).expect("the defaults");
        let hub = Arc::new(Hub::new(Arc::new(config)));
        match &*scenario {
            "candidate" => relay(&hub, candidate, times, 1).await,
            "candidates" => relay(&hub, candidate, times, 8).await,
            "offer" => relay(&hub, offer, times, 1).await,
            "fan-out" => fan_out(&hub, times).await,
            "join" => join(&hub, times).await,
            other => panic!("there is no scenario {other}"),
        }
    });
}

/// Messages from one client to another, so many in one write.
async fn relay(hub: &Arc<Hub>, message: fn(&str) -> String, times: usize, together: usize) {
    let (mut a, mut b) = (Pipe::join(hub, "room").await, Pipe::join(hub, "room").await);
    a.pass_over().await;
    let frames = frame(&message(&b.id)).repeat(together);
    for _ in 0..times / together {
        a.say(&frames).await;
        for _ in 0..together {
            b.pass_over().await;
        }
    }
}

/// A message to nine others; counted once for all.
async fn fan_out(hub: &Arc<Hub>, times: usize) {
    let mut members = Vec::new();
    for seated in 0..10 {
        let mut member = Pipe::join(hub, "room").await;
        for earlier in &mut members {
            Pipe::pass_over(earlier).await;
        }
        assert_eq!(members.len(), seated);
        if seated == 9 {
            let frame =
                frame(r#"{"type":"message","content":{"text":"a chat line of ordinary length"}}"#);
            for _ in 0..times {
                member.say(&frame).await;
                for other in &mut members {
                    other.pass_over().await;
                }
            }
        }
        members.push(member);
    }
}

/// A client joins a room with one member, who hears of it, and leaves again.
async fn join(hub: &Arc<Hub>, times: usize) {
    let (mut a, mut b) = (Pipe::join(hub, "room").await, Pipe::join(hub, "lobby").await);
    let frames = [r#"{"type":"join","roomId":"room"}"#, r#"{"type":"leave","roomId":"room"}"#]
        .map(frame)
        .concat();
    for _ in 0..times {
        b.say(&frames).await;
        for _ in 0..2 {
            a.pass_over().await;
            b.pass_over().await;
        }
    }
}
