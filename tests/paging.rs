//! Pages through very many rooms and clients, while others come and go as fast as they can: whatever is there from the
//! first page to the last is on exactly one.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod support;

use std::{
    collections::BTreeMap,
    future::{Future, pending},
    net::Ipv4Addr,
    pin::pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use futures_util::stream::unfold;
use signalpost::{
    admin::{
        Admin,
        pb::{ListClientsRequest, ListRoomsRequest, admin_service_client::AdminServiceClient},
    },
    event::Administrator,
    hub::{Hub, Session},
    room::Settings,
};
use support::{config, within};
use tokio::{net::TcpListener, runtime::Handle};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

const STAYING: usize = 10_000;
const CHURNING: usize = 100;

/// A hub, and the way to ask it as administrators do.
async fn start() -> (Arc<Hub>, AdminServiceClient<Channel>) {
    let flags = "--max-connections 30000 --max-rooms 30000 --rate-limit 0";
    let hub = Arc::new(Hub::new(Arc::new(config(flags))));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = unfold(listener, async |listener| {
        Some((listener.accept().await.map(|(stream, _)| stream), listener))
    });
    tokio::spawn(Admin::new(Arc::clone(&hub)).serve(Box::pin(incoming), pending()));
    let admin = AdminServiceClient::connect(format!("http://{address}")).await.unwrap();
    (hub, admin)
}

fn connect(hub: &Arc<Hub>) -> Session {
    hub.connect(Ipv4Addr::LOCALHOST.into(), None).unwrap()
}

async fn create(hub: &Hub, name: &str) {
    let empty_timeout = Duration::from_secs(3600);
    let settings = Settings { empty_timeout, ..Settings::open(3) };
    hub.create_room(&Administrator::default(), &name.parse().unwrap(), settings).await.unwrap();
}

/// What `look` finds while a thread does this over and over, once at least before it.
fn beside<T>(churn: impl Fn() + Sync, look: impl Future<Output = T>) -> T {
    let (going, begun) = (AtomicBool::new(true), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            churn();
            begun.wait();
            while going.load(Ordering::Relaxed) {
                churn();
            }
        });
        let _calm = Calm(&going);
        begun.wait();
        tokio::task::block_in_place(|| Handle::current().block_on(within(look)))
    })
}

/// Ends what goes on, also when its test fails.
struct Calm<'a>(&'a AtomicBool);

impl Drop for Calm<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// What is on the pages, one after the other, of which each names the next one.
async fn all_pages(
    mut page: impl AsyncFnMut(String) -> (Vec<String>, String),
    tokens: &mut Vec<String>,
) -> Vec<String> {
    let (mut seen, mut token) = page(String::new()).await;
    while !token.is_empty() {
        tokens.push(token.clone());
        let (more, next) = page(token).await;
        seen.extend(more);
        token = next;
    }
    seen
}

/// Each of `staying` is seen once, and nothing twice.
fn each_once(seen: Vec<String>, staying: &[String]) {
    assert!(seen.is_sorted());
    let mut times = BTreeMap::<String, usize>::new();
    for name in seen {
        *times.entry(name).or_default() += 1;
    }
    assert!(staying.iter().all(|name| times.get(name) == Some(&1)));
    assert!(times.values().all(|times| *times == 1));
}

#[track_caller]
fn is_of_another_filter(status: &Status) {
    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "page_token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn rooms_that_stay_are_on_exactly_one_page() {
    let (hub, mut admin) = start().await;
    let staying: Vec<_> = (0..STAYING).map(|n| format!("room {n:05}")).collect();
    for name in &staying {
        create(&hub, name).await;
    }
    // Between the others, and open for half of the time at least.
    let passing: Vec<_> = (0..CHURNING).map(|n| format!("room {:05} or so", n * 100)).collect();
    let churn = || {
        for name in &passing {
            ready(create(&hub, name));
        }
        for name in &passing {
            let _ = ready(hub.delete_room(
                &Administrator::default(),
                &name.parse().unwrap(),
                None,
                None,
            ));
        }
    };
    let mut tokens = Vec::new();
    for (page_size, filter) in [(997, ""), (1000, "room_id = \"room*\" AND locked = false")] {
        let page = async |page_token| {
            let request = ListRoomsRequest { page_size, page_token, filter: filter.to_owned() };
            let page = admin.list_rooms(request).await.unwrap().into_inner();
            (page.rooms.into_iter().map(|room| room.room_id).collect(), page.next_page_token)
        };
        each_once(beside(churn, all_pages(page, &mut tokens)), &staying);
    }
    for token in [tokens.first(), tokens.last()] {
        let filter = "locked = true".to_owned();
        let page_token = token.unwrap().clone();
        let request = ListRoomsRequest { page_token, filter, ..Default::default() };
        is_of_another_filter(&admin.list_rooms(request).await.unwrap_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn clients_that_stay_are_on_exactly_one_page() {
    let (hub, mut admin) = start().await;
    let sessions: Vec<_> = (0..STAYING).map(|_| connect(&hub)).collect();
    let staying: Vec<_> = sessions.iter().map(|session| session.client().id.to_string()).collect();
    let churn = || drop((0..CHURNING).map(|_| connect(&hub)).collect::<Vec<_>>());
    let mut tokens = Vec::new();
    for (page_size, filter) in [(997, ""), (1000, "address = \"127.0.0.1\"")] {
        let page = async |page_token| {
            let request = ListClientsRequest { page_size, page_token, filter: filter.to_owned() };
            let page = admin.list_clients(request).await.unwrap().into_inner();
            (
                page.clients.into_iter().map(|client| client.client_id).collect(),
                page.next_page_token,
            )
        };
        each_once(beside(churn, all_pages(page, &mut tokens)), &staying);
    }
    for token in [tokens.first(), tokens.last()] {
        let filter = "room_id = \"\"".to_owned();
        let page_token = token.unwrap().clone();
        let request = ListClientsRequest { page_token, filter, ..Default::default() };
        is_of_another_filter(&admin.list_clients(request).await.unwrap_err());
    }
}

/// In one server, nothing waits.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}
