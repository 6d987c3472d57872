//! The log, and its followers against a model that keeps everything.

use std::time::SystemTime;

use proptest::{collection, prelude::*, sample::Index as Nth};
use tokio::time::{Instant, timeout};

use super::*;
use crate::{
    ban::{self, Ban, BanId, Subject},
    event::Cause,
};

const SMALL: LogLimits = LogLimits { events: 4, bytes: 1 << 20 };

fn log() -> Arc<MemoryLog> {
    Arc::new(MemoryLog::new(SMALL))
}

fn append(log: &MemoryLog, room: &str, decided_on: u64, count: usize) -> Vec<u64> {
    let changes = vec![Change::Locked; count];
    let id: RoomId = room.parse().unwrap();
    let (cause, now) = (Cause::Server, SystemTime::UNIX_EPOCH);
    let decision = Decision { decided_on: Position(decided_on), changes, cause, now };
    let appended = log.append(decision, |event| Entry::Room { id: id.clone(), event });
    appended.iter().map(|record| record.position().0).collect()
}

/// A ban from a room, or from all.
fn append_ban(log: &MemoryLog, room: Option<&str>) -> u64 {
    let ban = Arc::new(Ban {
        id: BanId::from(1),
        room_id: room.map(|room| room.parse().unwrap()),
        subject: Subject::User("u".parse().unwrap()),
        reason: None,
        created_at: SystemTime::UNIX_EPOCH,
        expires_at: None,
        host: None,
    });
    let changes = vec![ban::Change::Created(ban)];
    let (cause, now) = (Cause::Server, SystemTime::UNIX_EPOCH);
    let decision = Decision { decided_on: Position::ZERO, changes, cause, now };
    log.append(decision, Entry::Ban)[0].position().0
}

fn follow(log: &Arc<MemoryLog>, rooms: &[&str]) -> Follower {
    follow_from(log, None, rooms)
}

fn follow_from(log: &Arc<MemoryLog>, cursor: Option<u64>, rooms: &[&str]) -> Follower {
    let ids = rooms.iter().map(|room| room.parse().unwrap()).collect();
    Follower::new(Arc::clone(log), cursor.map(Position), (!rooms.is_empty()).then_some(ids))
}

fn read(follower: &mut Follower) -> Result<Vec<u64>, Lost> {
    follower.catch_up();
    let records = follower.read(100)?;
    Ok(records.iter().map(|record| record.position().0).collect())
}

#[test]
fn one_order_for_all_rooms_and_a_chain_for_each() {
    let log = log();
    let mut all = follow(&log, &[]);
    assert_eq!(append(&log, "a", 0, 2), [1, 2]);
    assert_eq!(append(&log, "b", 0, 1), [3]);
    assert_eq!(append(&log, "a", 2, 1), [4]);
    let prev = |r: &Record| match &r.entry {
        Entry::Room { event, .. } => event.prev.0,
        Entry::Ban(event) => event.prev.0,
    };
    let line = |r: &Arc<Record>| (r.log_prev.0, prev(r), r.position().0);
    let lines: Vec<_> = all.read(100).unwrap().iter().map(line).collect();
    assert_eq!(lines, [(0, 0, 1), (1, 1, 2), (2, 0, 3), (3, 2, 4)]);
    assert!(read(&mut all).unwrap().is_empty());
    append(&log, "a", 4, 1);
    assert_eq!(read(&mut all).unwrap(), [5]);
}

#[test]
fn a_cursor_before_the_oldest_entry_is_told() {
    let log = log();
    let (mut all, mut too_late) = (follow(&log, &[]), follow(&log, &[]));
    append(&log, "a", 0, 4);
    assert_eq!(all.read(3).unwrap().len(), 3);
    append(&log, "a", 4, 3);
    assert_eq!(read(&mut all), Ok(vec![4, 5, 6, 7]));
    assert_eq!(read(&mut too_late), Err(Lost::Trimmed { cursor: Position(0) }));
}

#[test]
fn a_follower_of_a_quiet_room_loses_nothing_to_busy_ones() {
    let log = log();
    let mut quiet = follow(&log, &["quiet", "another"]);
    append(&log, "busy", 0, 10);
    append(&log, "quiet", 0, 1);
    assert_eq!(read(&mut quiet), Ok(vec![11]));
    append(&log, "quiet", 11, 1);
    append(&log, "busy", 10, 10);
    assert_eq!(read(&mut quiet), Err(Lost::Trimmed { cursor: Position(11) }));
}

#[test]
fn a_follower_of_quiet_rooms_is_as_far_as_the_log() {
    let log = log();
    let mut quiet = follow(&log, &["quiet"]);
    for nth in 1..=3 {
        append(&log, "busy", 0, 10);
        assert_eq!(read(&mut quiet), Ok(vec![]));
        assert_eq!(quiet.position(), Position(10 * nth));
    }
    append(&log, "quiet", 0, 1);
    assert_eq!(read(&mut quiet), Ok(vec![31]));
}

#[test]
fn a_follower_comes_back_to_where_it_was_in_its_rooms() {
    let log = Arc::new(MemoryLog::new(LogLimits { events: 10, bytes: 1 << 20 }));
    append(&log, "mine", 0, 3);
    append(&log, "other", 0, 2);
    append_ban(&log, None);
    append_ban(&log, Some("mine"));
    let mut back = follow_from(&log, Some(2), &["mine"]);
    append(&log, "other", 0, 1);
    append(&log, "mine", 3, 1);
    // Two entries at a time, of all rooms: 3 and 4, 5 and 6, and up to where it came.
    assert!(back.is_behind());
    let mut heard = Vec::new();
    for _ in 0..3 {
        let records = back.read(2).unwrap();
        heard.push(records.iter().map(|record| record.position().0).collect::<Vec<_>>());
    }
    assert_eq!(heard, [vec![3], vec![], vec![7]]);
    assert!(!back.is_behind());
    assert_eq!(read(&mut back), Ok(vec![9]));

    append(&log, "other", 6, 4);
    assert_eq!(read(&mut follow_from(&log, Some(3), &["mine"])), Ok(vec![7, 9]));
    let mut too_old = follow_from(&log, Some(2), &["mine"]);
    assert_eq!(read(&mut too_old), Err(Lost::Trimmed { cursor: Position(2) }));
    assert_eq!(read(&mut follow_from(&log, Some(13), &["mine"])), Ok(vec![]));
}

#[tokio::test]
async fn whoever_follows_hears_that_the_log_begins_anew() {
    let log = log();
    append(&log, "a", 0, 2);
    let mut followers = [follow(&log, &[]), follow(&log, &["a"]), follow_from(&log, Some(1), &[])];
    // One that takes up what is left of the log counts on from where that ends, be it before what was.
    let epoch = log.epoch();
    log.begin_anew(epoch + 1, Position(1));
    for follower in &mut followers {
        timeout(Duration::from_secs(1), follower.grown()).await.unwrap();
        assert_eq!(read(follower), Err(Lost::BegunAnew));
    }
    let mut anew = follow(&log, &[]);
    assert_eq!((log.head(), append(&log, "a", 1, 1)), (Position(1), vec![2]));
    assert_eq!(read(&mut anew), Ok(vec![2]));
}

#[test]
fn bytes_are_bounded_too() {
    let log = MemoryLog::new(LogLimits { events: 1000, bytes: 1000 });
    append(&log, "a", 0, 100);
    let kept = log.kept.lock();
    assert!(kept.bytes <= 1000 && kept.records.len() < 20, "{} bytes", kept.bytes);
}

#[test]
fn the_index_holds_only_what_is_followed_and_kept() {
    let log = log();
    append(&log, "a", 0, 2);
    let followers = [follow(&log, &["a", "b"]), follow(&log, &["a"])];
    append(&log, "a", 2, 1000);
    append(&log, "c", 0, 1);
    let shown = format!("{:?}", log.kept.lock().index);
    assert!(shown.contains("positions: [@1000, @1001, @1002], lost: @999"), "{shown}");
    assert!(!shown.contains("\"c\""), "{shown}");
    drop(followers);
    assert!(log.kept.lock().index.is_empty());
}

#[tokio::test(start_paused = true)]
async fn followers_hear_of_a_burst_once_a_tick() {
    for rooms in [&[][..], &["a", "b"]] {
        let log = log();
        let ticking = Arc::clone(&log);
        let ticker = tokio::spawn(async move { ticking.tick().await });
        let mut follower = follow(&log, rooms);
        append(&log, "a", 0, 1);
        follower.grown().await;
        assert_eq!(follower.read(100).unwrap().len(), 1);

        let began = Instant::now();
        append(&log, "a", 1, 1);
        append(&log, "b", 0, 1);
        follower.grown().await;
        assert_eq!(follower.read(100).unwrap().len(), 2);
        assert!(began.elapsed() >= TICK);
        assert!(timeout(100 * TICK, follower.grown()).await.is_err(), "nothing else happened");
        ticker.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_woken_by_a_room_that_it_did_not_name() {
    let log = log();
    let ticking = Arc::clone(&log);
    let ticker = tokio::spawn(async move { ticking.tick().await });
    let (mut quiet, mut all) = (follow(&log, &["quiet"]), follow(&log, &[]));
    let woken = tokio::spawn(async move {
        let (mut wakings, mut heard) = (0, Vec::new());
        while heard.is_empty() {
            quiet.grown().await;
            wakings += 1;
            heard = quiet.read(100).unwrap();
        }
        (wakings, heard[0].position())
    });
    for nth in 0..1000 {
        append(&log, "busy", nth, 1);
        all.grown().await;
        assert_eq!(all.read(100).unwrap().len(), 1);
    }
    append(&log, "quiet", 0, 1);
    assert_eq!(woken.await.unwrap(), (1, Position(1001)));
    ticker.abort();
}

/// What is done to a log of 30 entries; a room is its number, no rooms are all of them. Who follows comes back to
/// a place before the head, or comes anew.
#[derive(Debug, Clone)]
enum Step {
    Append(u8, usize),
    Ban(Option<u8>),
    Follow(BTreeSet<u8>, Option<Nth>),
    Unfollow(Nth),
    Read(Nth, usize),
    Tell,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..6_u8, 1..12_usize).prop_map(|(room, count)| Step::Append(room, count)),
        1 => proptest::option::of(0..6_u8).prop_map(Step::Ban),
        2 => (collection::btree_set(0..6_u8, 0..4), any::<Option<Nth>>())
            .prop_map(|(rooms, back)| Step::Follow(rooms, back)),
        1 => any::<Nth>().prop_map(Step::Unfollow),
        4 => (any::<Nth>(), 1..20_usize).prop_map(|(who, max)| Step::Read(who, max)),
        2 => Just(Step::Tell),
    ]
}

/// One follower, and what it is to hear in the end.
struct Modelled {
    follower: Follower,
    rooms: BTreeSet<u8>,
    due: VecDeque<u64>,
}

impl Modelled {
    fn wants(&self, room: Option<u8>) -> bool {
        self.rooms.is_empty() || room.is_some_and(|room| self.rooms.contains(&room))
    }

    /// Reads, and says whether it goes on.
    fn read(&mut self, max: usize, oldest: u64) -> bool {
        let before = self.follower.position();
        let Ok(records) = self.follower.read(max) else {
            let lost = |next: u64| next < oldest;
            let has_lost = self.due.front().is_some_and(|next| lost(*next));
            let may_have = self.follower.is_behind() && lost(before.0 + 1);
            assert!(has_lost || may_have, "nothing was lost: {:?} of {oldest}", self.due);
            return false;
        };
        assert!(records.len() <= max);
        for record in records {
            assert_eq!(Some(record.position().0), self.due.pop_front());
        }
        let next = self.due.front().copied().unwrap_or(u64::MAX);
        assert!(before <= self.follower.position() && self.follower.position().0 < next);
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn followers_hear_what_is_theirs_in_order_or_of_its_loss(
        steps in collection::vec(step(), 1..80),
    ) {
        let log = Arc::new(MemoryLog::new(LogLimits { events: 30, bytes: 1 << 20 }));
        let (mut happened, mut modelled) = (Vec::<(u64, Option<u8>)>::new(), Vec::<Modelled>::new());
        for step in steps {
            let oldest = (happened.len() as u64).saturating_sub(30) + 1;
            let before = happened.len();
            match step {
                Step::Append(room, count) => {
                    let positions = append(&log, &room.to_string(), 0, count);
                    happened.extend(positions.into_iter().map(|position| (position, Some(room))));
                }
                Step::Ban(room) => {
                    let name = room.map(|room| room.to_string());
                    happened.push((append_ban(&log, name.as_deref()), room));
                }
                Step::Follow(rooms, back) => {
                    let names: Vec<_> = rooms.iter().map(u8::to_string).collect();
                    let names: Vec<_> = names.iter().map(String::as_str).collect();
                    let back = back.map(|back| back.index(happened.len() + 1));
                    let follower = follow_from(&log, back.map(|back| back as u64), &names);
                    let mut one = Modelled { follower, rooms, due: VecDeque::new() };
                    for (position, room) in &happened[back.unwrap_or(happened.len())..] {
                        if one.wants(*room) {
                            one.due.push_back(*position);
                        }
                    }
                    modelled.push(one);
                }
                Step::Tell => log.tell(),
                Step::Unfollow(_) | Step::Read(..) if modelled.is_empty() => {}
                Step::Unfollow(who) => drop(modelled.swap_remove(who.index(modelled.len()))),
                Step::Read(who, max) => {
                    let who = who.index(modelled.len());
                    if !modelled[who].read(max, oldest) {
                        modelled.swap_remove(who);
                    }
                }
            }
            for (position, room) in &happened[before..] {
                for one in modelled.iter_mut().filter(|one| one.wants(*room)) {
                    one.due.push_back(*position);
                }
            }
        }
        log.tell();
        let head = happened.len() as u64;
        for mut one in modelled {
            let oldest = head.saturating_sub(30) + 1;
            let mut whole = one.read(100, oldest);
            if whole && one.follower.position().0 < head {
                whole = one.read(100, oldest);
            }
            prop_assert!(!whole || one.due.is_empty() && one.follower.position().0 == head);
        }
        prop_assert!(log.kept.lock().index.is_empty());
    }
}
