//! All bans, by their names, by whom they are for, and by when they end.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    ops::Bound,
    sync::Arc,
    time::SystemTime,
};

use ipnet::IpNet;

use super::{Ban, BanId, Change, Command, Denied, Event, Subject};
use crate::{
    event::Position,
    id::{RoomId, UserId},
};

/// From where somebody is kept out; none: from the whole server.
type Place = Option<RoomId>;

/// How many end in one decision, for their time: those who wait for it shall not wait long.
const ENDED_AT_ONCE: usize = 1000;

/// See the module.
#[derive(Debug, Clone)]
pub struct Bans {
    most: usize,
    most_of_a_network: usize,
    version: Position,
    by_id: BTreeMap<BanId, Arc<Ban>>,
    by_user: BTreeMap<(UserId, Place), Vec<Arc<Ban>>>,
    by_network: BTreeMap<(IpNet, Place), Vec<Arc<Ban>>>,
    /// How many of these are of each prefix length, so that an address is looked up once for each.
    prefixes: BTreeMap<u8, usize>,
    by_end: BTreeSet<(SystemTime, BanId)>,
    /// Those that hosts made.
    by_hosts: ByHosts,
}

/// How many are made from each network, and in which rooms.
#[derive(Debug, Clone, Default)]
struct ByHosts {
    counts: BTreeMap<IpNet, usize>,
    by_room: BTreeMap<RoomId, Vec<Arc<Ban>>>,
}

impl Bans {
    /// None yet, and `most` at a time, of which hosts of one network make `most_of_a_network`.
    pub fn new(most: usize, most_of_a_network: usize) -> Self {
        Self {
            most,
            most_of_a_network,
            version: Position::ZERO,
            by_id: BTreeMap::new(),
            by_user: BTreeMap::new(),
            by_network: BTreeMap::new(),
            prefixes: BTreeMap::new(),
            by_end: BTreeSet::new(),
            by_hosts: ByHosts::default(),
        }
    }

    /// Those that stand at `version`, limited as in [`Self::new`]. More than that may stand: other limits held before.
    pub fn restored(
        most: usize,
        most_of_a_network: usize,
        version: Position,
        mut bans: Vec<Arc<Ban>>,
    ) -> Self {
        let mut restored = Self { version, ..Self::new(most, most_of_a_network) };
        // Wherever they are looked for, whoever was made first comes first.
        bans.sort_by_key(|ban| (ban.created_at, ban.id));
        bans.iter().for_each(|ban| restored.insert(ban));
        restored
    }

    /// What `command` changes, in order, or why it may not. Changes nothing itself.
    ///
    /// # Errors
    /// [`Denied`]. [`Command::Expire`] and [`Command::EndOfRoom`] are never denied.
    pub fn decide(&self, command: Command, now: SystemTime) -> Result<Vec<Change>, Denied> {
        match command {
            Command::Create(mut bans) => {
                // Several servers may put back the same ones.
                bans.retain(|ban| !self.by_id.contains_key(&ban.id));
                let fit = self.by_id.len() + bans.len() <= self.most;
                let created = || bans.into_iter().map(Change::Created).collect();
                fit.then(created).ok_or(Denied::TooMany)
            }
            Command::CreateByHost(ban) => {
                let replaced = self.by_hosts.equal_to(&ban);
                let is_of_network = |other: &Arc<Ban>| other.host == ban.host;
                let others = self.by_id.len() - usize::from(replaced.is_some());
                let of_network = self.by_hosts.count(ban.host)
                    - usize::from(replaced.is_some_and(is_of_network));
                if others >= self.most / 2 || of_network >= self.most_of_a_network {
                    return Err(Denied::TooMany);
                }
                let replaced = replaced.cloned().map(Change::Deleted);
                Ok(replaced.into_iter().chain([Change::Created(ban)]).collect())
            }
            Command::Delete(id) => {
                let ban = self.get(id, now).ok_or(Denied::NoSuchBan)?;
                Ok(vec![Change::Deleted(Arc::clone(ban))])
            }
            Command::Expire => {
                let over = self.by_end.iter().take_while(|(end, _)| *end <= now);
                let over = over.take(ENDED_AT_ONCE).filter_map(|(_, id)| self.by_id.get(id));
                Ok(over.cloned().map(Change::Deleted).collect())
            }
            Command::EndOfRoom(room_id) => {
                let made = self.by_hosts.of_room(&room_id);
                Ok(made.iter().cloned().map(Change::Deleted).collect())
            }
        }
    }

    /// Lets `event` have happened. It must be the next one.
    pub fn apply(&mut self, event: &Event) {
        debug_assert_eq!(self.version, event.prev, "an event of bans is missing or came twice");
        match &event.change {
            Change::Created(ban) => self.insert(ban),
            Change::Deleted(ban) => self.remove(ban),
        }
        self.version = event.position;
    }

    fn insert(&mut self, ban: &Arc<Ban>) {
        self.by_id.insert(ban.id, Arc::clone(ban));
        self.by_hosts.insert(ban);
        if let Some(end) = ban.expires_at {
            self.by_end.insert((end, ban.id));
        }
        match &ban.subject {
            Subject::User(user_id) => {
                let key = (user_id.clone(), ban.room_id.clone());
                self.by_user.entry(key).or_default().push(Arc::clone(ban));
            }
            Subject::Network(network) => {
                let bans = self.by_network.entry((*network, ban.room_id.clone())).or_default();
                if bans.is_empty() {
                    *self.prefixes.entry(network.prefix_len()).or_default() += 1;
                }
                bans.push(Arc::clone(ban));
            }
        }
    }

    fn remove(&mut self, ban: &Arc<Ban>) {
        self.by_id.remove(&ban.id);
        self.by_hosts.remove(ban);
        if let Some(end) = ban.expires_at {
            self.by_end.remove(&(end, ban.id));
        }
        match &ban.subject {
            Subject::User(user_id) => {
                let key = (user_id.clone(), ban.room_id.clone());
                if let Some(bans) = self.by_user.get_mut(&key) {
                    bans.retain(|other| other.id != ban.id);
                    if bans.is_empty() {
                        self.by_user.remove(&key);
                    }
                }
            }
            Subject::Network(network) => {
                let key = (*network, ban.room_id.clone());
                if let Some(bans) = self.by_network.get_mut(&key) {
                    bans.retain(|other| other.id != ban.id);
                    if bans.is_empty() {
                        self.by_network.remove(&key);
                        let prefix = network.prefix_len();
                        if let Some(count) = self.prefixes.get_mut(&prefix) {
                            *count -= 1;
                            if *count == 0 {
                                self.prefixes.remove(&prefix);
                            }
                        }
                    }
                }
            }
        }
    }

    /// A ban that stands between somebody and a room, or the whole server. Where there are several, one of them: of its
    /// name, if there is such a one.
    pub fn against(
        &self,
        room_id: Option<&RoomId>,
        (user_id, is_vouched): (Option<&UserId>, bool),
        address: IpAddr,
        now: SystemTime,
    ) -> Option<&Arc<Ban>> {
        let address = address.to_canonical();
        let places: [Place; 2] = [None, room_id.cloned()];
        let of_user = places.iter().filter_map(|place| {
            let key = (user_id?.clone(), place.clone());
            self.by_user.get(&key)
        });
        let of_networks = self.prefixes.keys().flat_map(|prefix| {
            let network = IpNet::new(address, *prefix).ok().map(|network| network.trunc());
            places.iter().filter_map(move |place| self.by_network.get(&(network?, place.clone())))
        });
        let stands =
            |ban: &&Arc<Ban>| ban.expires_at.is_none_or(|end| now < end) && !ban.spares(is_vouched);
        of_user.chain(of_networks).flatten().find(stands)
    }

    /// One that stands.
    pub fn get(&self, id: BanId, now: SystemTime) -> Option<&Arc<Ban>> {
        self.by_id.get(&id).filter(|ban| ban.expires_at.is_none_or(|end| now < end))
    }

    /// Those that stand and come after `after`, in the order of their names.
    pub fn after(
        &self,
        after: Option<BanId>,
        now: SystemTime,
    ) -> impl Iterator<Item = &Arc<Ban>> + '_ {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let following = self.by_id.range((start, Bound::Unbounded)).map(|(_, ban)| ban);
        following.filter(move |ban| ban.expires_at.is_none_or(|end| now < end))
    }

    /// Whether the time of one ran out.
    pub fn is_due(&self, now: SystemTime) -> bool {
        self.by_end.first().is_some_and(|(end, _)| *end <= now)
    }

    /// Whether hosts of this room made one.
    pub fn has_of_room(&self, room_id: &RoomId) -> bool {
        !self.by_hosts.of_room(room_id).is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether nobody is kept out.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The position of their last event.
    pub fn version(&self) -> Position {
        self.version
    }
}

impl ByHosts {
    fn insert(&mut self, ban: &Arc<Ban>) {
        let (Some(network), Some(room_id)) = (ban.host, &ban.room_id) else { return };
        *self.counts.entry(network).or_default() += 1;
        self.by_room.entry(room_id.clone()).or_default().push(Arc::clone(ban));
    }

    fn remove(&mut self, ban: &Arc<Ban>) {
        let (Some(network), Some(room_id)) = (ban.host, &ban.room_id) else { return };
        if let Some(count) = self.counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&network);
            }
        }
        if let Some(bans) = self.by_room.get_mut(room_id) {
            bans.retain(|other| other.id != ban.id);
            if bans.is_empty() {
                self.by_room.remove(room_id);
            }
        }
    }

    fn count(&self, network: Option<IpNet>) -> usize {
        network.and_then(|network| self.counts.get(&network)).copied().unwrap_or_default()
    }

    fn of_room(&self, room_id: &RoomId) -> &[Arc<Ban>] {
        self.by_room.get(room_id).map(Vec::as_slice).unwrap_or_default()
    }

    /// One for the same room and of the same subject.
    fn equal_to(&self, ban: &Ban) -> Option<&Arc<Ban>> {
        let of_room = self.of_room(ban.room_id.as_ref()?);
        of_room.iter().find(|other| other.subject == ban.subject)
    }
}
