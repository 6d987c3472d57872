//! What Redis keeps, in memory, with the commands of `src/store` and no others. Its clock is tokio's.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    time::Duration,
};

use ::redis::Value;
use tokio::time::Instant;

/// When its clock starts, in milliseconds since 1970.
const START: u64 = 1_764_000_000_000;

/// A copy is what a replica has.
#[derive(Debug, Clone)]
pub(crate) struct Redis {
    since: Instant,
    keys: HashMap<String, Kept>,
}

#[derive(Debug, Clone)]
struct Kept {
    what: What,
    until: Option<Instant>,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Text(Vec<u8>),
    Hash(BTreeMap<String, Vec<u8>>),
    Set(BTreeSet<String>),
    Sorted(BTreeMap<String, u64>),
    Stream(Stream),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Stream {
    entries: Vec<Entry>,
    last: Id,
}

/// An entry of a stream: its id, and names and values.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: Id,
    pub(crate) fields: Vec<(&'static str, Vec<u8>)>,
}

/// Milliseconds, and a count within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Id(pub(crate) u64, pub(crate) u64);

/// Gives the part of a key that is of this kind, made where there is none.
macro_rules! of_kind {
    ($name:ident, $kind:ident, $inner:ty) => {
        pub(crate) fn $name(&mut self, key: &str) -> &mut $inner {
            let empty = || What::$kind(<$inner>::default());
            match self.kept(key, empty) {
                What::$kind(inner) => inner,
                other => panic!("{key} is {other:?}"),
            }
        }
    };
}

impl Redis {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), keys: HashMap::new() }
    }

    of_kind!(text, Text, Vec<u8>);
    of_kind!(hash, Hash, BTreeMap<String, Vec<u8>>);
    of_kind!(set, Set, BTreeSet<String>);
    of_kind!(sorted, Sorted, BTreeMap<String, u64>);
    of_kind!(stream, Stream, Stream);

    /// The answer to a command, other than a script. A read that has to wait is answered with [`Value::Nil`].
    pub(crate) fn answer(&mut self, words: &[Vec<u8>]) -> Value {
        let word = |at: usize| string(&words[at]);
        match &*word(0) {
            "TIME" => {
                let now = self.now();
                bulks([(now / 1000).to_string(), (now % 1000 * 1000).to_string()])
            }
            "HGET" => self.hash(&word(1)).get(&*word(2)).map_or(Value::Nil, bulk),
            "HMGET" => {
                let hash = self.hash(&word(1));
                let field = |name: &Vec<u8>| hash.get(&string(name)).map_or(Value::Nil, bulk);
                Value::Array(words[2..].iter().map(field).collect())
            }
            // Of what it is a copy it does not say.
            "INFO" => bulk(""),
            "SMEMBERS" => bulks(self.set(&word(1)).iter()),
            "ZRANGE" if word(4) == "BYSCORE" => {
                let (by, most) = (number::<u64>(&words[3]), number(&words[7]));
                let mut due: Vec<_> = self.sorted(&word(1)).iter().collect();
                due.retain(|(_, at)| **at <= by);
                due.sort_by_key(|(name, at)| (**at, *name));
                bulks(due.into_iter().take(most).map(|(name, _)| name))
            }
            "PEXPIRE" => Value::Int(self.expire(&word(1), number(&words[2])).into()),
            "UNLINK" => {
                words[1..].iter().for_each(|key| self.delete(&string(key)));
                Value::Int(0)
            }
            "XREVRANGE" => {
                let newest = self.stream(&word(1)).entries.iter().rev();
                Value::Array(newest.take(number(&words[5])).map(Entry::value).collect())
            }
            "XRANGE" => {
                let after = Id::read(word(2).strip_prefix('(').unwrap());
                let entries = self.stream(&word(1)).after(after).iter();
                Value::Array(entries.take(number(&words[5])).map(Entry::value).collect())
            }
            "XTRIM" => {
                let least = Id::read(&word(3));
                self.stream(&word(1)).entries.retain(|entry| entry.id >= least);
                Value::Int(0)
            }
            "XREAD" => {
                let (most, after) = (number(&words[2]), Id::read(&word(7)));
                let key = word(6);
                if !self.exists(&key) {
                    return Value::Nil;
                }
                let entries = self.stream(&key).after(after);
                let entries: Vec<_> = entries.iter().take(most).map(Entry::value).collect();
                match entries.is_empty() {
                    true => Value::Nil,
                    false => Value::Map(vec![(bulk(key), Value::Array(entries))]),
                }
            }
            other => panic!("the model does not know {other}"),
        }
    }

    /// As Redis counts it, in milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        START + u64::try_from(self.since.elapsed().as_millis()).unwrap()
    }

    /// The id of an entry that is added to a stream now.
    pub(crate) fn next_of(&mut self, key: &str) -> Id {
        let now = self.now();
        let Id(last, count) = self.stream(key).last;
        if now > last { Id(now, 0) } else { Id(last, count + 1) }
    }

    pub(crate) fn exists(&mut self, key: &str) -> bool {
        self.keys.get(key).is_some_and(|kept| {
            let is_over = kept.until.is_some_and(|until| until <= Instant::now());
            let is_empty = match &kept.what {
                What::Text(_) | What::Stream(_) => false,
                What::Hash(hash) => hash.is_empty(),
                What::Set(set) => set.is_empty(),
                What::Sorted(sorted) => sorted.is_empty(),
            };
            !is_over && !is_empty
        })
    }

    pub(crate) fn delete(&mut self, key: &str) {
        self.keys.remove(key);
    }

    /// Has a key be gone after so many milliseconds. Returns whether there is one.
    pub(crate) fn expire(&mut self, key: &str, milliseconds: u64) -> bool {
        let exists = self.exists(key);
        if let (true, Some(kept)) = (exists, self.keys.get_mut(key)) {
            kept.until = Some(Instant::now() + Duration::from_millis(milliseconds));
        }
        exists
    }

    /// In milliseconds; negative where there is no such key.
    pub(crate) fn time_left(&mut self, key: &str) -> i64 {
        if !self.exists(key) {
            return -2;
        }
        let until = self.keys[key].until.expect("it has its time");
        i64::try_from((until - Instant::now()).as_millis()).unwrap()
    }

    fn kept(&mut self, key: &str, empty: impl FnOnce() -> What) -> &mut What {
        if !self.exists(key) {
            self.keys.insert(key.to_owned(), Kept { what: empty(), until: None });
        }
        &mut self.keys.get_mut(key).unwrap().what
    }
}

impl Stream {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn last(&self) -> Id {
        self.last
    }

    pub(crate) fn after(&self, id: Id) -> &[Entry] {
        let first = self.entries.partition_point(|entry| entry.id <= id);
        &self.entries[first..]
    }

    pub(crate) fn add(&mut self, entry: Entry) {
        self.skip(entry.id);
        self.entries.push(entry);
    }

    /// Has the next one come after this id.
    pub(crate) fn skip(&mut self, id: Id) {
        assert!(id > self.last);
        self.last = id;
    }

    /// Keeps at most so many.
    pub(crate) fn trim(&mut self, most: usize) {
        let over = self.entries.len().saturating_sub(most);
        self.entries.drain(..over);
    }
}

impl Entry {
    pub(crate) fn get(&self, name: &str) -> &[u8] {
        &self.fields.iter().find(|(other, _)| *other == name).unwrap().1
    }

    pub(crate) fn value(&self) -> Value {
        let fields = self.fields.iter().flat_map(|(name, value)| [bulk(name), bulk(value)]);
        Value::Array(vec![bulk(self.id.to_string()), Value::Array(fields.collect())])
    }
}

impl Id {
    pub(crate) fn read(text: &str) -> Self {
        let (milliseconds, count) = text.split_once('-').unwrap();
        Self(milliseconds.parse().unwrap(), count.parse().unwrap())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

pub(crate) fn bulk(value: impl AsRef<[u8]>) -> Value {
    Value::BulkString(value.as_ref().to_vec())
}

pub(crate) fn bulks(values: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Value {
    Value::Array(values.into_iter().map(bulk).collect())
}

pub(crate) fn string(word: &[u8]) -> String {
    String::from_utf8(word.to_vec()).unwrap()
}

pub(crate) fn number<N: std::str::FromStr<Err: fmt::Debug>>(word: &[u8]) -> N {
    string(word).parse().unwrap()
}
