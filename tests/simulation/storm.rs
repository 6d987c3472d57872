//! What befalls a fleet: bad networks, nodes that stand still or die, and a Redis that is away.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use tokio::time::sleep;

use super::{
    line::{Node, Weather},
    world::{NODES, World},
};

const COPIED_EVERY: Duration = Duration::from_millis(70);

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storm {
    None,
    Usual,
    /// Nodes stand still, for about as long as their leases last.
    Standstills,
    /// The usual, and replicas that are behind take the place of their master.
    Failovers,
}

/// Goes on for ever.
pub(crate) async fn rage(storm: Storm, world: &Arc<World>, random: &mut Rng) {
    if storm == Storm::Failovers {
        let server = Arc::clone(&world.server);
        tokio::spawn(async move {
            loop {
                sleep(COPIED_EVERY).await;
                server.copy();
            }
        });
    }
    loop {
        sleep(Duration::from_millis(random.u64(..800))).await;
        world.truth.lock().read(&world.server);
        let Some(node) = world.any_node(random) else { continue };
        let (what, time) = match storm {
            Storm::Failovers if random.u8(..5) == 0 => (7, 0),
            Storm::Standstills => (random.u8(..7), random.u64(900..1300)),
            Storm::Usual | Storm::Failovers | Storm::None => {
                (random.u8(..10), random.u64(100..3000))
            }
        };
        match what {
            0..=3 if storm == Storm::Standstills => {
                node.line.set_weather(Weather { slow: 400, ..Weather::GOOD });
            }
            0..=3 => node.line.set_weather(bad(random)),
            4 => node.line.set_weather(Weather::GOOD),
            5 | 6 => {
                let line = Arc::clone(&node.line);
                let time = Duration::from_millis(time);
                line.set_node(Node::Frozen);
                tokio::spawn(async move {
                    sleep(time).await;
                    line.thaw();
                });
            }
            7 => {
                let server = Arc::clone(&world.server);
                let time = Duration::from_millis(random.u64(100..2500));
                server.go_away(true);
                let mut fails_over = (storm == Storm::Failovers).then(|| random.fork());
                tokio::spawn(async move {
                    sleep(time).await;
                    if let Some(random) = &mut fails_over {
                        server.fail_over(random);
                    }
                    server.go_away(false);
                });
            }
            8 if world.nodes.lock().len() == NODES => {
                for _ in 0..world.kill(random) {
                    world.send_somebody(random);
                }
            }
            _ if world.nodes.lock().len() < NODES => world.start_node(random).await,
            _ => {}
        }
    }
}

/// From now on all is well.
pub(crate) async fn end(world: &Arc<World>) {
    // Whatever was to go on for a time does not any more.
    sleep(Duration::from_secs(3)).await;
    world.server.go_away(false);
    for running in &*world.nodes.lock() {
        running.node.line.set_weather(Weather::GOOD);
        running.node.line.thaw();
    }
}

fn bad(random: &mut Rng) -> Weather {
    Weather {
        slow: random.u64(..100),
        not_sent: random.u32(..100),
        lost: random.u32(..60),
        answer_lost: random.u32(..100),
        late: random.u32(..30),
    }
}
