//! Servers that are emptied while they run.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

#[path = "support/running.rs"]
mod running;
mod support;

use std::{
    io::{Read, Write},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use futures_util::future::join_all;
use running::{Running, anywhere};
use serde_json::{Value, json};
use signalpost::{
    admin::pb::{
        CancelDrainRequest, DrainRequest, DrainResponse, GetServerInfoRequest,
        admin_service_client::AdminServiceClient, drain_response::State, server_info,
    },
    config::limits,
    hub::{Due, Ending, Hub, NotDraining, Session, Stage},
};
use support::{Client, TestServer, config, within};
use tokio::{
    task::block_in_place,
    time::{Instant, sleep, timeout},
};
use tonic::{Code, Streaming, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};
use tonic_types::StatusExt;

fn over(window: Duration) -> DrainRequest {
    DrainRequest { window: Some(window.try_into().unwrap()) }
}

async fn next(progress: &mut Streaming<DrainResponse>) -> DrainResponse {
    within(progress.message()).await.unwrap().unwrap()
}

async fn health(channel: Channel) -> Streaming<HealthCheckResponse> {
    let request = HealthCheckRequest { service: String::new() };
    HealthClient::new(channel).watch(request).await.unwrap().into_inner()
}

async fn is_now(health: &mut Streaming<HealthCheckResponse>, status: ServingStatus) {
    let now = within(health.message()).await.unwrap().unwrap();
    assert_eq!(now.status(), status);
}

/// How many of so many moments are in each quarter of a span.
fn quarters(moments: &[Duration], span: Duration) -> [usize; 4] {
    let mut quarters = [0; 4];
    for moment in moments {
        let quarter = moment.as_millis() * 4 / span.as_millis();
        quarters[usize::try_from(quarter).unwrap().min(3)] += 1;
    }
    quarters
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_clients_leave_one_after_another_and_the_process_with_0() {
    const CLIENTS: usize = 500;
    let window = Duration::from_secs(2);
    let mut server = Running::start(anywhere().args(["--rate-limit", "0"]));
    let url = format!("ws://{}/", server.http());
    let channel = Channel::from_shared(format!("http://{}", server.admin())).unwrap();
    let channel = channel.connect().await.unwrap();
    let mut admin = AdminServiceClient::new(channel.clone());
    let mut health = health(channel).await;
    is_now(&mut health, ServingStatus::Serving).await;
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        let mut client = Client::connect(&url).await;
        client.join(&format!("room {}", n / 5)).await;
        clients.push(client);
    }

    let begun = Instant::now();
    let mut progress = admin.drain(over(window)).await.unwrap().into_inner();
    let first = next(&mut progress).await;
    assert_eq!((first.state(), first.clients_left as usize), (State::Draining, CLIENTS));
    is_now(&mut health, ServingStatus::NotServing).await;
    let refused = within(tokio_tungstenite::connect_async(&url)).await.unwrap_err();
    assert!(refused.to_string().contains("503"), "{refused}");
    let info = admin.get_server_info(GetServerInfoRequest {}).await.unwrap().into_inner();
    assert_eq!(info.state(), server_info::State::Draining);

    let leaving = clients.into_iter().map(async |mut client| {
        let goodbye = client.hear_of("going-away").await;
        let left = begun.elapsed();
        assert_eq!(client.closed().await, Some(1001));
        (left, Duration::from_millis(goodbye["retryAfterMs"].as_u64().unwrap()))
    });
    let following = async {
        let (mut gone, mut last) = (0, first);
        while last.state() == State::Draining {
            last = next(&mut progress).await;
            assert!(last.clients_gone >= gone);
            assert_eq!((last.clients_left + last.clients_gone) as usize, CLIENTS);
            gone = last.clients_gone;
        }
        last
    };
    let (left, last) = tokio::join!(join_all(leaving), following);
    assert_eq!((last.state(), last.clients_left), (State::Drained, 0));
    assert!(progress.message().await.unwrap().is_none());
    let (moments, waits): (Vec<_>, Vec<_>) = left.into_iter().unzip();
    let spread = quarters(&moments, window);
    assert!(spread.iter().all(|quarter| (75..200).contains(quarter)), "{spread:?}");
    let least = Duration::from_secs(1);
    assert!(waits.iter().all(|wait| (least..=least + window).contains(wait)));
    let waits: Vec<_> = waits.into_iter().map(|wait| wait - least).collect();
    let spread = quarters(&waits, window);
    assert!(spread.iter().all(|quarter| (75..175).contains(quarter)), "{spread:?}");
    assert!(block_in_place(|| server.child.wait().unwrap()).success());
    assert!(begun.elapsed() < window + Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_answers_does_not_hold_the_process() {
    let mut server = Running::start(anywhere().args(["--drain-seconds", "2"]));
    let mut deaf = server.tcp();
    deaf.write_all(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .unwrap();
    deaf.read_exact(&mut [0; 16]).unwrap();
    let channel = Channel::from_shared(format!("http://{}", server.admin())).unwrap();
    let mut admin = AdminServiceClient::new(channel.connect().await.unwrap());
    let begun = Instant::now();
    let progress = admin.drain(over(Duration::ZERO)).await.unwrap();
    // Nor does one who asked for it, and lost it.
    drop(progress);
    drop(admin);
    assert!(block_in_place(|| server.child.wait().unwrap()).success());
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_drain_goes_on_without_its_caller_and_serves_on_when_it_is_cancelled() {
    const CLIENTS: u32 = 50;
    let server = TestServer::start();
    let mut admin = server.admin().await;
    let address = format!("http://{}", server.addresses.admin);
    let mut health = health(Channel::from_shared(address).unwrap().connect().await.unwrap()).await;
    is_now(&mut health, ServingStatus::Serving).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(server.client().await);
    }
    let window = Duration::from_secs(60);
    let mut progress = admin.drain(over(window)).await.unwrap().into_inner();
    while next(&mut progress).await.clients_gone == 0 {}
    drop(progress);
    is_now(&mut health, ServingStatus::NotServing).await;

    // Another call shows the same drain, whatever it asks for.
    let mut progress = admin.drain(over(Duration::ZERO)).await.unwrap().into_inner();
    let shown = next(&mut progress).await;
    assert_eq!(shown.state(), State::Draining);
    assert!(shown.clients_gone > 0 && shown.remaining.unwrap().seconds > 40, "{shown:?}");

    let answer = admin.cancel_drain(CancelDrainRequest {}).await.unwrap().into_inner();
    let last = loop {
        let shown = next(&mut progress).await;
        if shown.state() != State::Draining {
            break shown;
        }
    };
    assert_eq!(last.state(), State::Cancelled);
    assert!(progress.message().await.unwrap().is_none());
    is_now(&mut health, ServingStatus::Serving).await;
    let info = admin.get_server_info(GetServerInfoRequest {}).await.unwrap().into_inner();
    assert_eq!(info.state(), server_info::State::Serving);
    assert!((CLIENTS - 10..CLIENTS).contains(&answer.clients_left), "{answer:?}");

    let mut stay = Vec::new();
    for mut client in clients {
        client.say(json!({"type": "ping"})).await;
        if client.hear().await["type"] == "pong" {
            stay.push(client);
        } else {
            assert_eq!(client.closed().await, Some(1001));
        }
    }
    assert_eq!(stay.len(), answer.clients_left as usize);
    stay.push(server.member("of one who came later").await);

    let again = admin.cancel_drain(CancelDrainRequest {}).await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition);
    assert_eq!(again.get_error_details().error_info().unwrap().reason, "NOT_DRAINING");
    for (seconds, nanos) in [(-1, 0), (0, -1), (3601, 0)] {
        let window = Some(prost_types::Duration { seconds, nanos });
        let status = admin.drain(DrainRequest { window }).await.unwrap_err();
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "window");
    }
    admin.drain(over(Duration::ZERO)).await.unwrap();
    for client in &mut stay {
        client.hear_of("going-away").await;
        assert_eq!(client.closed().await, Some(1001));
    }
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_drain_is_told_as_that() {
    let mut server = TestServer::start();
    let mut admin = server.admin().await;
    let mut client = server.client().await;
    let mut progress = admin.drain(over(Duration::from_secs(3600))).await.unwrap().into_inner();
    assert_eq!(next(&mut progress).await.clients_left, 1);
    server.begin_stop();
    let status = loop {
        if let Err(status) = within(progress.message()).await {
            break status;
        }
    };
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.get_error_details().error_info().unwrap().reason, "GOING_AWAY");
    // Nobody waits for the drain's window.
    client.hear_of("going-away").await;
    assert_eq!(client.closed().await, Some(1001));
    server.stop().await;
}

fn connect(hub: &Arc<Hub>) -> Session {
    hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap()
}

/// A hub whose tasks run, with so many clients.
fn hub(clients: usize) -> (Arc<Hub>, Vec<Session>) {
    let flags = "--rate-limit 0 --ping-seconds 3600 --pong-seconds 3600";
    let hub = Arc::new(Hub::new(Arc::new(config(flags))));
    let running = Arc::clone(&hub);
    tokio::spawn(async move { running.run().await });
    let sessions = (0..clients).map(|_| connect(&hub)).collect();
    (hub, sessions)
}

/// After which time its client should come back, if it was sent away.
fn sent_away(session: &Session) -> Option<u64> {
    let (outbox, mut batch) = (&session.client().outbox, Vec::new());
    outbox.take_due(&mut batch, usize::MAX);
    outbox.acknowledge();
    let last: Value = serde_json::from_str(batch.pop()?.frame().as_str()).unwrap();
    last["retryAfterMs"].as_u64().inspect(|_| {
        assert_eq!(outbox.take_due(&mut Vec::new(), usize::MAX), Due::End(Ending::GoingAway));
    })
}

#[tokio::test(start_paused = true)]
async fn clients_are_sent_away_evenly_over_the_window() {
    for (clients, window) in [(800, None), (300, Some(Duration::from_secs(60)))] {
        let (hub, mut sessions) = hub(clients);
        let span = window.unwrap_or(Duration::from_secs(8));
        let begun = Instant::now();
        let mut progress = hub.drain(window);
        assert_eq!(progress.borrow().window, span);
        assert!(hub.connect(Ipv4Addr::LOCALHOST.into(), None).is_err());
        let mut waits = Vec::new();
        while !sessions.is_empty() {
            sleep(Duration::from_millis(100)).await;
            let left = sessions.len();
            sessions.retain(|session| {
                let wait = sent_away(session);
                waits.extend(wait);
                wait.is_none()
            });
            let elapsed = begun.elapsed().as_millis() as usize;
            let due = (clients * elapsed / span.as_millis() as usize).min(clients);
            let gone = clients - sessions.len();
            let step = clients * 200 / span.as_millis() as usize + 2;
            assert!(gone.abs_diff(due) <= step, "{gone} gone after {elapsed} ms, {due} due");
            assert!(left - sessions.len() <= step);
        }
        let waits: Vec<_> = waits.iter().map(|ms| Duration::from_millis(*ms - 1000)).collect();
        let spread = quarters(&waits, span);
        assert!(spread.iter().all(|quarter| quarter.abs_diff(clients / 4) < clients / 8));
        progress.wait_for(|progress| progress.stage == Stage::Drained).await.unwrap();
        assert_eq!((progress.borrow().left, progress.borrow().gone), (0, clients));
        assert!(begun.elapsed() <= span + Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_once_all_are_gone_of_their_own_accord() {
    let (hub, sessions) = hub(3);
    let begun = Instant::now();
    let mut progress = hub.drain(Some(limits::LONGEST_DRAIN));
    drop(sessions);
    progress.wait_for(|progress| progress.stage == Stage::Drained).await.unwrap();
    assert_eq!((progress.borrow().left, progress.borrow().gone), (0, 3));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_those_who_do_not_go_and_no_longer_than_it_may() {
    let (hub, sessions) = hub(2);
    let window = Duration::from_secs(5);
    let begun = Instant::now();
    hub.drain(Some(window));
    let too_long = window + limits::CLOSE + Duration::from_secs(1);
    timeout(too_long, hub.drained()).await.unwrap();
    assert!(begun.elapsed() >= window + limits::CLOSE);
    assert_eq!(hub.draining().borrow().left, 2);
    drop(sessions);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_sent_away_once_a_drain_is_cancelled() {
    let (hub, mut sessions) = hub(100);
    assert_eq!(hub.cancel_drain(), Err(NotDraining));
    let window = Some(Duration::from_secs(10));
    let stayed = |sessions: &mut Vec<Session>| {
        sessions.retain(|session| sent_away(session).is_none());
        sessions.len()
    };
    let mut stay = 100;
    for round in 0..3 {
        hub.drain(window);
        sleep(Duration::from_millis(1950)).await;
        hub.cancel_drain().unwrap();
        let left = stayed(&mut sessions);
        assert!(stay - left >= stay / 6 && stay - left <= stay / 4, "{round}: {left} of {stay}");
        sleep(Duration::from_secs(60)).await;
        assert_eq!(stayed(&mut sessions), left);
        assert_eq!(hub.draining().borrow().stage, Stage::Cancelled);
        stay = left;
    }
    // One that begins as soon as another one ended is a drain of its own.
    hub.drain(Some(Duration::from_secs(3600)));
    sleep(Duration::from_millis(50)).await;
    hub.cancel_drain().unwrap();
    sessions.push(connect(&hub));
    hub.drain(window);
    timeout(Duration::from_secs(30), async {
        while stayed(&mut sessions) > 0 {
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .unwrap();
}
