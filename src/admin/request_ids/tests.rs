use std::{cell::Cell, time::Duration};

use futures_util::future::lazy;
use tokio::sync::oneshot;
use tonic_types::StatusExt;

use super::*;
use crate::admin::pb::{LockRoomRequest, Room};

/// Acts are counted, and each has an answer of its own.
#[derive(Default)]
struct Acts(Cell<u64>);

impl Acts {
    fn act(&self) -> impl Future<Output = Result<Room, Status>> {
        lazy(|_| {
            self.0.set(self.0.get() + 1);
            Ok(Room { position: self.0.get(), ..Room::default() })
        })
    }
}

fn id(text: &str) -> RequestId {
    text.parse().unwrap()
}

fn lock(room_id: &str) -> LockRoomRequest {
    LockRoomRequest { room_id: room_id.into(), ..LockRoomRequest::default() }
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().unwrap().reason.clone()
}

#[tokio::test(start_paused = true)]
async fn the_same_call_gets_the_same_answer_for_ten_minutes() {
    let (ids, acts) = (RequestIds::default(), Acts::default());
    let ask = async |text: &str| {
        ids.once("LockRoom", &id(text), &lock("r"), acts.act()).await.unwrap().position
    };
    assert_eq!([ask("a").await, ask("a").await, ask("b").await, ask("a").await], [1, 1, 2, 1]);
    assert_eq!([ask("").await, ask("").await], [3, 4]);

    tokio::time::advance(Duration::from_millis(10 * 60 * 1000 - 1)).await;
    assert_eq!([ask("a").await, ask("b").await], [1, 2]);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!([ask("a").await, ask("b").await, ask("a").await], [5, 6, 5]);
}

#[tokio::test]
async fn each_administrator_has_ids_of_its_own() {
    let (ids, acts) = (RequestIds::default(), Acts::default());
    let [ann, bob] = ["ann", "bob"].map(|name| name.parse::<Administrator>().unwrap());
    let ask = async |by: &Administrator| {
        ids.once("LockRoom", &id("a").of(by), &lock("r"), acts.act()).await.unwrap().position
    };
    assert_eq!([ask(&ann).await, ask(&bob).await, ask(&ann).await, ask(&bob).await], [1, 2, 1, 2]);
}

#[tokio::test]
async fn an_id_is_of_one_method_and_one_request() {
    let (ids, acts) = (RequestIds::default(), Acts::default());
    ids.once("LockRoom", &id("a"), &lock("r"), acts.act()).await.unwrap();
    for (method, request) in [("LockRoom", lock("s")), ("DeleteRoom", lock("r"))] {
        let status = ids.once(method, &id("a"), &request, acts.act()).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert_eq!(reason(&status), "REQUEST_ID_REUSED");
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "request_id");
    }
    assert_eq!(acts.0.get(), 1);
}

#[tokio::test]
async fn failures_are_not_remembered() {
    let (ids, acts) = (RequestIds::default(), Acts::default());
    let fail = async { Err::<Room, _>(Status::not_found("no such room")) };
    let status = ids.once("LockRoom", &id("a"), &lock("r"), fail).await.unwrap_err();
    assert_eq!(status.message(), "no such room");
    assert!(ids.0.lock().by_id.is_empty());
    ids.once("LockRoom", &id("a"), &lock("s"), acts.act()).await.unwrap();
    assert_eq!(acts.0.get(), 1);
}

/// A call that runs until it is told how it ends, and one more with the same id.
async fn beside(end: Option<Result<Room, Status>>) -> (Result<Room, Status>, u64) {
    let ids = Arc::new(RequestIds::default());
    let (finish, finished) = oneshot::channel();
    let first = tokio::spawn({
        let ids = Arc::clone(&ids);
        async move {
            let act = async { finished.await.unwrap() };
            ids.once("LockRoom", &id("a"), &lock("r"), act).await
        }
    });
    tokio::task::yield_now().await;
    let other = ids.once("LockRoom", &id("a"), &lock("s"), async { Ok(Room::default()) }).await;
    assert_eq!(reason(&other.unwrap_err()), "REQUEST_ID_REUSED");

    let acts = Acts::default();
    let request = lock("r");
    let name = id("a");
    let mut second = Box::pin(ids.once("LockRoom", &name, &request, acts.act()));
    assert!(futures_util::poll!(&mut second).is_pending());
    match end {
        Some(end) => finish.send(end).unwrap(),
        None => first.abort(),
    }
    let answer = second.await;
    assert_eq!(ids.0.lock().answered.len(), 1);
    (answer, acts.0.get())
}

#[tokio::test]
async fn who_comes_while_a_call_runs_waits_for_its_answer() {
    let (answer, acts) = beside(Some(Ok(Room { position: 9, ..Room::default() }))).await;
    assert_eq!((answer.unwrap().position, acts), (9, 0));
}

#[tokio::test]
async fn who_waits_acts_where_the_one_before_failed_or_went() {
    for end in [Some(Err(Status::not_found(""))), None] {
        let (answer, acts) = beside(end).await;
        assert_eq!((answer.unwrap().position, acts), (1, 1));
    }
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_leaves_nothing() {
    let ids = RequestIds::default();
    for _ in 0..2 {
        let (name, request) = (id("a"), lock("r"));
        let act = std::future::pending::<Result<Room, Status>>;
        let mut first = Box::pin(ids.once("LockRoom", &name, &request, act()));
        let mut second = Box::pin(ids.once("LockRoom", &name, &request, act()));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(second);
        assert!(ids.0.lock().by_id.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_are_remembered_and_then_room_is_made_by_time_only() {
    let (ids, acts) = (RequestIds::default(), Acts::default());
    let ask =
        async |n: usize| ids.once("LockRoom", &id(&n.to_string()), &lock("r"), acts.act()).await;
    for n in 0..limits::REQUEST_IDS {
        ask(n).await.unwrap();
    }
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(ask(7).await.unwrap().position, 8);
    let status = ask(limits::REQUEST_IDS).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert_eq!(reason(&status), "TOO_MANY_REQUEST_IDS");
    let details = status.get_error_details();
    assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(9 * 60)));
    tokio::time::advance(Duration::from_secs(9 * 60)).await;
    ask(limits::REQUEST_IDS).await.unwrap();
    let calls = ids.0.lock();
    assert_eq!((calls.by_id.len(), calls.answered.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn answers_take_so_many_bytes() {
    let ids = RequestIds::default();
    let ask = async |n: usize| {
        let long = Room { room_id: "x".repeat(1 << 20), ..Room::default() };
        ids.once("LockRoom", &id(&n.to_string()), &lock("r"), async { Ok(long) }).await
    };
    let fit = limits::REQUEST_ID_BYTES >> 20;
    for n in 0..fit {
        ask(n).await.unwrap();
    }
    assert_eq!(reason(&ask(fit).await.unwrap_err()), "TOO_MANY_REQUEST_IDS");
    assert_eq!(ask(0).await.unwrap().room_id.len(), 1 << 20);
    tokio::time::advance(limits::REQUEST_ID_KEPT).await;
    ask(fit).await.unwrap();
    assert!(ids.0.lock().bytes < 2 << 20);
}

#[test]
fn ids_are_short_and_may_be_empty() {
    let longest = "語".repeat(limits::REQUEST_ID_CHARS);
    assert!(longest.parse::<RequestId>().is_ok() && "".parse::<RequestId>().is_ok());
    let error = (longest + "x").parse::<RequestId>().unwrap_err();
    assert_eq!(error.to_string(), "must be at most 64 characters long");
}
