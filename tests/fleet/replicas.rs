//! Redis with a replica: what administrators change waits for it where that is wanted.

use std::time::Duration;

use signalpost::admin::pb::{
    Ban, CreateBanRequest, DeleteRoomRequest, LockRoomRequest, Room, ban::Subject,
};
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{fleet::Fleet, redis::Kind, support::within};

const TIMEOUT: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_administrators_change_waits_for_a_replica() {
    let fleet =
        Fleet::with(Kind::Standalone, "--redis-wait-replicas 1 --redis-timeout-ms 1000").await;
    let replica = fleet.redis.replica().await;
    let _member = fleet.member(0, "r").await;
    assert!(lock(&fleet, "r", true).await.unwrap().locked);
    ban(&fleet, "eve").await.unwrap();

    replica.signal("-STOP").await;
    let asked = Instant::now();
    let unlocking = lock(&fleet, "r", false);
    // Nobody else waits.
    let joining = async {
        let mut other = fleet.client(1).await;
        other.join("s").await;
        assert!(asked.elapsed() < TIMEOUT);
        other
    };
    let (unlocked, _other) = tokio::join!(unlocking, joining);
    assert!(asked.elapsed() >= TIMEOUT && asked.elapsed() < TIMEOUT * 3);
    is_done_and_unsafe(&unlocked.unwrap_err());
    assert!(!fleet.room(2, "r").await.locked);
    // What is as it shall be is no safer for that.
    is_done_and_unsafe(&lock(&fleet, "r", false).await.unwrap_err());
    is_done_and_unsafe(&ban(&fleet, "mallory").await.unwrap_err());
    let delete = DeleteRoomRequest { room_id: "s".into(), ..Default::default() };
    let deleted = within(fleet.admin(0).await.delete_room(delete)).await;
    is_done_and_unsafe(&deleted.unwrap_err());
    assert_eq!(fleet.try_room(1, "s").await.unwrap_err().code(), Code::NotFound);

    replica.signal("-CONT").await;
    assert!(lock(&fleet, "r", true).await.unwrap().locked);
    ban(&fleet, "trudy").await.unwrap();
}

async fn lock(fleet: &Fleet, room: &str, locked: bool) -> Result<Room, Status> {
    let request = LockRoomRequest { room_id: room.to_owned(), locked, ..Default::default() };
    let locked = within(fleet.admin(1).await.lock_room(request)).await;
    locked.map(|room| room.into_inner())
}

async fn ban(fleet: &Fleet, user: &str) -> Result<(), Status> {
    let ban = Ban { subject: Some(Subject::UserId(user.to_owned())), ..Default::default() };
    let request = CreateBanRequest { ban: Some(ban), ..Default::default() };
    within(fleet.admin(2).await.create_ban(request)).await.map(drop)
}

fn is_done_and_unsafe(status: &Status) {
    assert_eq!(status.get_details_error_info().unwrap().reason, "FLEET_UNAVAILABLE");
    let text = status.message();
    assert!(text.contains("was made") && text.contains("--redis-wait-replicas"), "{text}");
}
