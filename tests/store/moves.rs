//! A Redis Cluster that hands the log over from one server to another.

use redis::Cmd;
use signalpost::{event::Position, store::Subject};

use super::{
    append, batch,
    redis_server::{Redis, Shared},
    room, server, within,
};

const LOG: &str = "{signalpost}:log";

fn cluster(words: &[&str]) -> Cmd {
    let mut command = redis::cmd("CLUSTER");
    command.arg(words);
    command
}

/// The server that has the log, and another one.
fn owner_and_other(shared: &Shared) -> [&Redis; 2] {
    let has = |redis: &&Redis| redis.ask::<u64>(redis::cmd("EXISTS").arg(LOG)).is_ok();
    let owner = shared.servers.iter().find(has).unwrap();
    let other = shared.servers.iter().find(|redis| redis.port != owner.port).unwrap();
    [owner, other]
}

#[tokio::test]
async fn what_moves_to_another_server_is_followed_there() {
    let shared = Shared::cluster();
    let (store, node, id) = (shared.store().await, server(&shared), room("a room"));
    let mut tail = store.tail(Position::ZERO);
    let mut version = Position::ZERO;
    for _ in 0..2 {
        let at = append(&store, &batch(node, Subject::Room(&id), version, &["before"])).await;
        assert_eq!(within(tail.next()).await.unwrap()[0].position, at[0]);
        let (head, others) = (at[0], room(&format!("room {version:?}")));

        let [from, to] = owner_and_other(&shared);
        let name = |redis: &Redis| redis.ask::<String>(&cluster(&["MYID"])).unwrap();
        let (from_name, to_name) = (name(from), name(to));
        let slot: u16 = from.ask(&cluster(&["KEYSLOT", LOG])).unwrap();
        let slot = slot.to_string();
        let set_slot = |redis: &Redis, words: &[&str]| {
            let words = [&["SETSLOT", &*slot], words].concat();
            redis.ask::<()>(&cluster(&words)).unwrap();
        };
        set_slot(to, &["IMPORTING", &from_name]);
        set_slot(from, &["MIGRATING", &to_name]);
        // One of its keys is not there, and might be at the other: the answer is TRYAGAIN until all is moved.
        let early = batch(node, Subject::Room(&others), Position::ZERO, &["early"]);
        let moved = async {
            tokio::task::yield_now().await;
            let keys: Vec<String> = from.ask(&cluster(&["GETKEYSINSLOT", &slot, "100"])).unwrap();
            let mut migrate = redis::cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(to.port).arg("").arg(0).arg(5000).arg("KEYS").arg(keys);
            from.ask::<()>(&migrate).unwrap();
            // What is gone from the one is asked of the other: the answer is ASK.
            assert_eq!(store.head().await, Ok(head));
            for redis in [to, from] {
                set_slot(redis, &["NODE", &to_name]);
            }
        };
        let (early, ()) = tokio::join!(append(&store, &early), moved);
        let seen = within(async {
            loop {
                match tail.next().await {
                    Ok(entries) if !entries.is_empty() => return entries,
                    _ => {}
                }
            }
        });
        let seen = seen.await;
        assert_eq!((seen.len(), seen[0].position, seen[0].log_prev), (1, early[0], head));
        version = head;
    }
}
