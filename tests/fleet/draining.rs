//! A node that is emptied while the others go on, and what is listed of nodes that go.

use std::time::Duration;

use serde_json::{Value, json};
use signalpost::admin::pb::{
    DrainRequest, GetServerInfoRequest, ListNodesRequest, Node, event::What,
};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    fleet::{Fleet, LEASE, in_time},
    redis::Kind,
    support::{Client, within},
    watching::{Watcher, end},
};

on_both_kinds![
    whoever_sits_on_a_node_that_drains_moves_over,
    a_killed_node_is_listed_no_longer_than_its_lease,
];

async fn whoever_sits_on_a_node_that_drains_moves_over(kind: Kind) {
    const MOVING: usize = 9;
    let mut fleet = Fleet::mortal(kind).await;
    let (mut watcher, mut at_b) = (Watcher::default(), fleet.admin(1).await);
    watcher.stands_before_everything(&mut at_b).await;
    let (stays, mut joining) = (fleet.member(0, "r").await, JoinSet::new());
    for mut client in fleet.clients(2, MOVING).await {
        joining.spawn(async move {
            let joined = client.join("r").await;
            (client, joined["returnToken"].clone())
        });
    }
    let moving = within(joining.join_all()).await;
    let urls = [fleet.nodes[0].url(), fleet.nodes[1].url()];
    let mut moves = JoinSet::new();
    for (nth, (client, token)) in moving.into_iter().enumerate() {
        moves.spawn(move_over(client, token, urls[nth % 2].clone()));
    }

    let drains = name(&fleet, 2).await;
    let window = Some(Duration::from_secs(3).try_into().unwrap());
    let mut at_c = fleet.admin(2).await;
    let mut progress = at_c.drain(DrainRequest { window }).await.unwrap().into_inner();
    within(progress.message()).await.unwrap().unwrap();
    for node in 0..2 {
        let listed = listed(&fleet, node).await;
        let draining = listed.iter().filter(|node| node.draining);
        assert_eq!(draining.map(|node| &node.name).collect::<Vec<_>>(), [&drains], "node {node}");
    }
    let moved = within(moves.join_all()).await;
    // Its process has ended, and gave up its lease by itself.
    while let Ok(Some(_)) = within(progress.message()).await {}
    in_time(LEASE * 5, async || (listed(&fleet, 0).await.len() == 2).then_some(())).await;
    drop(fleet.nodes.remove(2));

    fleet.seats("r", moved.iter().map(|(_, client)| client).chain([&stays])).await;
    // Each came, went and came, and was seen to do so once.
    end(&fleet).await;
    watcher.follow(&mut at_b).await.unwrap();
    assert!(watcher.seen.is_sorted_by(|one, next| one.position < next.position));
    let (mut came, mut went) = (Vec::new(), Vec::new());
    for event in watcher.seen {
        match event.what {
            Some(What::Joined(joined)) => came.push(joined.member.unwrap().client_id),
            Some(What::Left(left)) => went.push(left.client_id),
            _ => {}
        }
    }
    let (mut former, mut all): (Vec<_>, Vec<_>) = moved
        .iter()
        .map(|(former, client)| (former.clone(), [former.clone(), client.id.clone()]))
        .unzip();
    all.push([stays.id.clone(), String::new()]);
    let mut all: Vec<_> = all.into_iter().flatten().filter(|id| !id.is_empty()).collect();
    for list in [&mut former, &mut all, &mut came, &mut went] {
        list.sort_unstable();
    }
    assert_eq!((came, went), (all, former));
}

/// As pages do: it comes back by another node once it is told to go. Returns who it was too.
async fn move_over(mut client: Client, token: Value, url: String) -> (String, Client) {
    let former = client.id.clone();
    assert_eq!(client.closed().await, Some(1001));
    let mut again = Client::connect(&url).await;
    let join = json!({"type": "join", "roomId": "r", "returnToken": token});
    let joined = again.ask(join).await;
    assert_eq!(joined["type"], "joined", "{joined}");
    (former, again)
}

async fn a_killed_node_is_listed_no_longer_than_its_lease(kind: Kind) {
    let mut fleet = Fleet::mortal(kind).await;
    let _member = fleet.member(2, "r").await;
    let dead = name(&fleet, 2).await;
    assert_eq!(listed(&fleet, 0).await.len(), 3);
    let killed = Instant::now();
    drop(fleet.nodes.remove(2));
    for node in 0..2 {
        in_time(LEASE * 3, async || {
            let listed = listed(&fleet, node).await;
            listed.iter().all(|node| node.name != dead || !node.live).then_some(())
        })
        .await;
    }
    let took = killed.elapsed();
    assert!(took <= LEASE + Duration::from_secs(3), "it took {took:?}");
    // It is gone once its seats are free.
    in_time(LEASE * 3, async || {
        let is_gone = listed(&fleet, 1).await.iter().all(|node| node.name != dead);
        (is_gone && fleet.try_room(1, "r").await.is_err()).then_some(())
    })
    .await;
}

async fn listed(fleet: &Fleet, node: usize) -> Vec<Node> {
    let listed = within(fleet.admin(node).await.list_nodes(ListNodesRequest {})).await;
    listed.unwrap().into_inner().nodes
}

async fn name(fleet: &Fleet, node: usize) -> String {
    let info = within(fleet.admin(node).await.get_server_info(GetServerInfoRequest {})).await;
    info.unwrap().into_inner().node
}
