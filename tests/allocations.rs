//! What a relayed message costs in allocations, from frame to frame.

#![allow(clippy::cast_precision_loss, reason = "small counts")]

#[path = "support/pipe.rs"]
mod pipe;

use std::sync::Arc;

use clap::Parser;
use pipe::{Pipe, candidate, frame, offer};
use signalpost::{config::Config, hub::Hub};

const MESSAGES: u64 = 1000;

#[test]
fn a_relayed_message_takes_at_most_one_allocation() {
    for (name, message) in [("candidate", candidate as fn(&str) -> String), ("offer", offer)] {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let config =
            Config::try_parse_from(["signalpost", "--rate-limit", "100000"]).expect("flags");
        let hub = Arc::new(Hub::new(Arc::new(config)));
        let (mut a, mut b) =
            runtime.block_on(async { (Pipe::join(&hub, "r").await, Pipe::join(&hub, "r").await) });
        let frame = frame(&message(&b.id));
        let mut relay = async |times: u64| {
            for _ in 0..times {
                a.say(&frame).await;
                b.pass_over().await;
            }
        };
        // The first ones fill the buffers that stay.
        runtime.block_on(relay(100));
        let counted = allocation_counter::measure(|| runtime.block_on(relay(MESSAGES)));
        let each = counted.count_total as f64 / MESSAGES as f64;
        assert!(each > 0.5, "{name}: {each} allocations a message: was nothing counted?");
        assert!(each <= 1.0, "{name}: {each} allocations a message");
    }
}
