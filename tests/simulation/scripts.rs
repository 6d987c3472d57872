//! The scripts of `src/store`, in Rust: what each says in Lua it does here, unless a fault is planted.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use ::redis::{Script, Value};

use super::{
    redis::{Entry, Id, Redis, bulk, bulks, number, string},
    truth,
};

type Act = fn(&mut Redis, &mut Planted, &[String], &[Vec<u8>]) -> Value;

/// What does not hold any more, so that a test can show that it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Plant {
    #[default]
    Nothing,
    /// Now and then an entry is acknowledged, and the log does not get it.
    LostAppend,
    /// An inbox takes a letter as often as it is tried.
    DoubledDelivery,
    /// No append compares the version.
    SkippedCheck,
    /// Those that free the seats of a dead node do not.
    UncheckedReaper,
    /// Appends come whenever they come.
    NoFence,
}

#[derive(Debug)]
pub(crate) struct Planted {
    pub(crate) plant: Plant,
    /// Whether an entry frees the seat of a dead node.
    pub(crate) is_reaping: fn(&[u8]) -> bool,
    /// How many entries were appended.
    pub(crate) appended: u64,
    /// All that was ever written to the log.
    pub(crate) history: Vec<Entry>,
}

/// Each by its hash, and which of its keys is a stream that it adds to.
static SCRIPTS: LazyLock<HashMap<String, (Act, Option<usize>)>> = LazyLock::new(|| {
    let scripts: [(&str, Act, Option<usize>); 14] = [
        (include_str!("../../src/store/append.lua"), append, Some(2)),
        (
            concat!("#!lua flags=allow-oom\n--", include_str!("../../src/store/append.lua")),
            append,
            Some(2),
        ),
        (include_str!("../../src/store/fence.lua"), fence, None),
        (include_str!("../../src/store/open.lua"), open, None),
        (include_str!("../../src/store/epoch.lua"), epoch, None),
        (include_str!("../../src/store/load.lua"), load, None),
        (include_str!("../../src/store/inbox_open.lua"), inbox_open, None),
        (include_str!("../../src/store/inbox_keep.lua"), inbox_keep, None),
        (include_str!("../../src/store/inbox_post.lua"), inbox_post, Some(0)),
        (include_str!("../../src/store/inbox_reached.lua"), inbox_reached, None),
        (include_str!("../../src/store/node_enter.lua"), node_enter, None),
        (include_str!("../../src/store/node_forget.lua"), node_forget, None),
        (include_str!("../../src/store/node_claim.lua"), node_claim, None),
        (include_str!("../../src/store/nodes.lua"), nodes, None),
    ];
    scripts.map(|(text, act, grows)| (hash(text), (act, grows))).into()
});

/// The answer to any command.
pub(crate) fn answer(redis: &mut Redis, planted: &mut Planted, words: &[Vec<u8>]) -> Value {
    if words[0] != b"EVALSHA" {
        return redis.answer(words);
    }
    let (count, first) = (number::<usize>(&words[2]), 3);
    let keys: Vec<_> = words[first..first + count].iter().map(|key| string(key)).collect();
    let (act, _) = SCRIPTS[&string(&words[1])];
    act(redis, planted, &keys, &words[first + count..])
}

/// The stream to which a command may have added something.
pub(crate) fn grown(words: &[Vec<u8>]) -> Option<&[u8]> {
    let (_, key) = words.get(1).and_then(|hash| SCRIPTS.get(str::from_utf8(hash).ok()?))?;
    key.map(|key| &*words[3 + key])
}

/// Whether a node takes a lease by it.
pub(crate) fn is_entry(words: &[Vec<u8>]) -> bool {
    static ENTER: LazyLock<String> =
        LazyLock::new(|| hash(include_str!("../../src/store/node_enter.lua")));
    words.get(1).is_some_and(|hash| *hash == ENTER.as_bytes())
}

fn hash(text: &str) -> String {
    Script::new(text).get_hash().to_owned()
}

fn append(redis: &mut Redis, planted: &mut Planted, keys: &[String], args: &[Vec<u8>]) -> Value {
    let [lease, state, log, meta, names, due, seats @ ..] = keys else { panic!("{keys:?}") };
    let (room, exists) = (string(&args[4]), args[5] == b"1");
    let [settles, entries, written, deleted] =
        [6, 7, 8, 9].map(|at: usize| number::<usize>(&args[at]));
    let (fresh, rest) = args[12..].split_at(2 * entries);
    let (writes, rest) = rest.split_at(2 * written);
    let (deletes, sits) = rest.split_at(deleted);
    if redis.hash(meta).get("epoch") != Some(&args[0]) {
        return bulks(["other-epoch"]);
    }
    if !redis.exists(lease) {
        return bulks(["not-live"]);
    }
    let has_fence = planted.plant != Plant::NoFence;
    if has_fence && number::<u64>(&args[11]) < number(redis.text(lease)) {
        return bulks(["late"]);
    }
    let mut version = redis.hash(state).get("v").map_or_else(|| "0-0".into(), |v| string(v));
    let is_unchecked = match planted.plant {
        Plant::SkippedCheck => true,
        Plant::UncheckedReaper => fresh.chunks(2).any(|entry| (planted.is_reaping)(&entry[1])),
        Plant::Nothing | Plant::LostAppend | Plant::DoubledDelivery | Plant::NoFence => false,
    };
    if version.as_bytes() != args[1] && !is_unchecked {
        return bulks(["conflict", &version]);
    }
    if entries == 0 {
        return bulks(["at"]);
    }
    let mut head = redis.hash(meta).get("head").map_or_else(|| "0-0".into(), |head| string(head));
    let mut reply = vec!["at".to_owned()];
    for entry in fresh.chunks(2) {
        let id = redis.next_of(log);
        let text = id.to_string();
        planted.appended += 1;
        let fields = vec![
            ("n", room.clone().into_bytes()),
            ("d", entry[1].clone()),
            ("b", args[2].clone()),
            ("i", entry[0].clone()),
            ("p", version.into_bytes()),
            ("l", head.into_bytes()),
        ];
        if planted.plant == Plant::LostAppend && planted.appended.is_multiple_of(7) {
            redis.stream(log).skip(id);
        } else {
            let entry = Entry { id, fields };
            planted.history.push(entry.clone());
            redis.stream(log).add(entry);
        }
        (version, head) = (text.clone(), text.clone());
        reply.push(text);
    }
    redis.stream(log).trim(number(&args[3]));
    redis.hash(meta).insert("head".into(), head.into_bytes());
    if exists {
        let fields = redis.hash(state);
        fields.insert("v".into(), version.into_bytes());
        if settles > 0 {
            fields.insert("s".into(), reply[settles].clone().into_bytes());
        }
        for write in writes.chunks(2) {
            fields.insert(string(&write[0]), write[1].clone());
        }
        for name in deletes {
            fields.remove(&*string(name));
        }
    } else {
        redis.delete(state);
    }
    if !room.is_empty() {
        if !exists {
            redis.sorted(names).remove(&room);
        } else if args[1] == b"0-0" {
            redis.sorted(names).insert(room.clone(), 0);
        }
        if exists && !args[10].is_empty() {
            redis.sorted(due).insert(room.clone(), number(&args[10]));
        } else {
            redis.sorted(due).remove(&room);
        }
    }
    for (key, sits) in seats.iter().zip(sits) {
        if sits == b"1" {
            redis.set(key).insert(room.clone());
        } else {
            redis.set(key).remove(&room);
        }
    }
    bulks(reply)
}

fn open(redis: &mut Redis, _: &mut Planted, keys: &[String], args: &[Vec<u8>]) -> Value {
    if !redis.exists(&keys[0]) {
        let meta = redis.hash(&keys[0]);
        meta.insert("format".into(), args[0].clone());
        meta.insert("epoch".into(), args[1].clone());
    }
    let meta = redis.hash(&keys[0]);
    bulks([meta["format"].clone(), meta["epoch"].clone(), begins(meta)])
}

fn epoch(redis: &mut Redis, _: &mut Planted, keys: &[String], args: &[Vec<u8>]) -> Value {
    let meta = redis.hash(&keys[0]);
    if meta.get("epoch") == Some(&args[0]) {
        let head = meta.get("head").map_or_else(|| b"0-0".to_vec(), Vec::clone);
        meta.insert("epoch".into(), args[1].clone());
        meta.insert("begins".into(), head);
    }
    meta.get("epoch").cloned().map_or(Value::Nil, |epoch| bulks([epoch, begins(meta)]))
}

fn begins(meta: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    meta.get("begins").map_or_else(|| b"0-0".to_vec(), Vec::clone)
}

fn load(redis: &mut Redis, _: &mut Planted, keys: &[String], _: &[Vec<u8>]) -> Value {
    let head = redis.hash(&keys[1]).get("head").map_or_else(|| b"0-0".to_vec(), Vec::clone);
    let state = redis.hash(&keys[0]);
    let fields = state.iter().flat_map(|(name, value)| [bulk(name), bulk(value)]);
    Value::Array(vec![bulk(head), Value::Array(fields.collect())])
}

fn inbox_open(redis: &mut Redis, _: &mut Planted, keys: &[String], args: &[Vec<u8>]) -> Value {
    keys.iter().for_each(|key| redis.delete(key));
    redis.stream(&keys[0]).skip(Id(0, 1));
    redis.hash(&keys[1]).insert("open".into(), b"1".to_vec());
    for key in keys {
        redis.expire(key, number(&args[0]));
    }
    Value::Nil
}

fn inbox_keep(redis: &mut Redis, _: &mut Planted, keys: &[String], args: &[Vec<u8>]) -> Value {
    if !redis.exists(&keys[0]) || !redis.exists(&keys[1]) {
        return Value::Int(0);
    }
    for key in keys {
        redis.expire(key, number(&args[0]));
    }
    Value::Int(1)
}

fn inbox_post(
    redis: &mut Redis,
    planted: &mut Planted,
    keys: &[String],
    args: &[Vec<u8>],
) -> Value {
    if !redis.exists(&keys[0]) || !redis.exists(&keys[1]) {
        return Value::Int(-1);
    }
    let sender = string(&args[2]);
    assert!(!keys[0].contains(&sender), "{sender} writes to itself");
    // What is said here is too short for the most bytes.
    let mut room = number::<usize>(&args[0]).saturating_sub(redis.stream(&keys[0]).len());
    let first_name = string(&args[3]);
    let last = redis.hash(&keys[1]).get(&first_name).map_or(0, |last| number::<u64>(last));
    let (mut reached, mut done) = (last, 0);
    for letter in args[4..].chunks(2) {
        let tried = number::<u64>(&letter[0]);
        if tried > last || planted.plant == Plant::DoubledDelivery {
            if room == 0 {
                break;
            }
            let id = redis.next_of(&keys[0]);
            // Otherwise its reader would not give it out again.
            let number = match planted.plant {
                Plant::DoubledDelivery => truth::position(id).0,
                _ => tried,
            };
            let number = number.to_string().into_bytes();
            let fields = vec![("f", args[2].clone()), ("k", number), ("d", letter[1].clone())];
            redis.stream(&keys[0]).add(Entry { id, fields });
            (room, reached) = (room - 1, tried);
        }
        done += 1;
    }
    if reached > last {
        redis.hash(&keys[1]).insert(first_name, reached.to_string().into_bytes());
    }
    Value::Int(done)
}

fn inbox_reached(redis: &mut Redis, _: &mut Planted, keys: &[String], _: &[Vec<u8>]) -> Value {
    match redis.exists(&keys[0]) {
        true => bulk(redis.stream(&keys[0]).last().to_string()),
        false => Value::Nil,
    }
}

fn fence(redis: &mut Redis, _: &mut Planted, keys: &[String], args: &[Vec<u8>]) -> Value {
    if redis.exists(&keys[0]) && number::<u64>(redis.text(&keys[0])) < number(&args[0]) {
        redis.text(&keys[0]).clone_from(&args[0]);
    }
    redis.hash(&keys[1]).get("head").map_or_else(|| bulk("0-0"), bulk)
}

fn node_enter(redis: &mut Redis, _: &mut Planted, keys: &[String], args: &[Vec<u8>]) -> Value {
    *redis.text(&keys[0]) = b"0".to_vec();
    redis.expire(&keys[0], number(&args[2]));
    redis.hash(&keys[1]).insert(string(&args[0]), args[1].clone());
    Value::Nil
}

fn node_forget(redis: &mut Redis, _: &mut Planted, keys: &[String], args: &[Vec<u8>]) -> Value {
    if args[1] == b"1" {
        redis.delete(&keys[0]);
    }
    if redis.exists(&keys[0]) || redis.exists(&keys[2]) {
        return Value::Int(0);
    }
    redis.hash(&keys[1]).remove(&*string(&args[0]));
    redis.delete(&keys[3]);
    Value::Int(1)
}

fn node_claim(redis: &mut Redis, _: &mut Planted, keys: &[String], args: &[Vec<u8>]) -> Value {
    let is_others = redis.exists(&keys[1]) && *redis.text(&keys[1]) != args[0];
    if redis.exists(&keys[0]) || is_others {
        return Value::Int(0);
    }
    redis.text(&keys[1]).clone_from(&args[0]);
    redis.expire(&keys[1], number(&args[1]));
    Value::Int(1)
}

fn nodes(redis: &mut Redis, _: &mut Planted, keys: &[String], args: &[Vec<u8>]) -> Value {
    let known = redis.hash(&keys[0]).clone();
    let known = known.into_iter().map(|(name, info)| {
        let left = redis.time_left(&format!("{}{name}", string(&args[0])));
        Value::Array(vec![bulk(name), bulk(info), Value::Int(left)])
    });
    Value::Array(known.collect())
}
