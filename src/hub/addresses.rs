//! How many connections each address has, and how many new ones a second, so that one cannot take what belongs
//! to all.

use std::{collections::HashMap, net::IpAddr};

use parking_lot::Mutex;

use super::{NotLetIn, heartbeat::TICKS_A_SECOND};

/// The least number of new connections that an address may make at once: a page takes several.
const LEAST_AT_ONCE: i64 = 20;
/// What a new connection takes out of its address's bucket, which gets [`Addresses::at_once`] a tick: a tenth of what
/// may come at once comes in a second.
const COST: i64 = 10 * TICKS_A_SECOND as i64;

/// See the module.
#[derive(Debug)]
pub(super) struct Addresses {
    /// None where nobody is limited.
    most: Option<u32>,
    table: Mutex<HashMap<Network, Entry>>,
}

/// An IPv4 address, or the network of an IPv6 address: whoever has one has 2^64 of them (RFC 6177).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(u64);

#[derive(Debug)]
struct Entry {
    connections: u32,
    bucket: i64,
    filled_at: u32,
}

impl Addresses {
    pub(super) fn new(most: Option<usize>) -> Self {
        let most = most.map(|most| u32::try_from(most).unwrap_or(u32::MAX));
        Self { most, table: Mutex::default() }
    }

    /// Counts a new connection.
    ///
    /// # Errors
    /// [`NotLetIn::Address`] and [`NotLetIn::Rate`].
    pub(super) fn enter(&self, address: IpAddr, now: u32) -> Result<(), NotLetIn> {
        let Some(most) = self.most else { return Ok(()) };
        let full = Self::full_bucket(most);
        let mut table = self.table.lock();
        let new = || Entry { connections: 0, bucket: full, filled_at: now };
        let entry = table.entry(Network::of(address)).or_insert_with(new);
        entry.fill(most, now);
        if entry.connections >= most {
            return Err(NotLetIn::Address);
        }
        entry.bucket =
            entry.bucket.checked_sub(COST).filter(|left| *left >= 0).ok_or(NotLetIn::Rate)?;
        entry.connections += 1;
        Ok(())
    }

    /// Counts a connection that is let in already, whatever the limit.
    pub(super) fn enter_again(&self, address: IpAddr, now: u32) {
        let Some(most) = self.most else { return };
        let new = || Entry { connections: 0, bucket: Self::full_bucket(most), filled_at: now };
        self.table.lock().entry(Network::of(address)).or_insert_with(new).connections += 1;
    }

    pub(super) fn leave(&self, network: Network) {
        if let Some(entry) = self.table.lock().get_mut(&network) {
            entry.connections -= 1;
        }
    }

    /// Forgets addresses without connections whose bucket is full.
    pub(super) fn forget(&self, now: u32) {
        let Some(most) = self.most else { return };
        self.table.lock().retain(|_, entry| {
            entry.fill(most, now);
            entry.connections > 0 || entry.bucket < Self::full_bucket(most)
        });
    }

    fn at_once(most: u32) -> i64 {
        i64::from(most).max(LEAST_AT_ONCE)
    }

    fn full_bucket(most: u32) -> i64 {
        Self::at_once(most) * COST
    }
}

impl Entry {
    fn fill(&mut self, most: u32, now: u32) {
        let ticks = i64::from(now.wrapping_sub(self.filled_at));
        self.filled_at = now;
        let level = self.bucket + ticks * Addresses::at_once(most);
        self.bucket = level.min(Addresses::full_bucket(most));
    }
}

impl Network {
    /// That of an address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            // In ::/64, where no IPv6 host is.
            IpAddr::V4(address) => u64::from(address.to_bits()),
            IpAddr::V6(address) => u64::try_from(address.to_bits() >> 64).expect("64 bits"),
        })
    }

    /// The first of its site (IPv6: /48, RFC 6177), for what each of 2^16 networks must not have once more.
    pub(super) fn of_site(self) -> Self {
        let is_ipv4 = u32::try_from(self.0).is_ok();
        Self(if is_ipv4 { self.0 } else { self.0 >> 16 << 16 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_and_the_next_one_too() {
        let addresses = Addresses::new(Some(2));
        for (one, same, other) in [
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::", "2001:db8:0:2::1"),
        ] {
            let [one, same, other] = [one, same, other].map(address);
            assert_eq!(addresses.enter(one, 0), Ok(()));
            assert_eq!(addresses.enter(same, 0), Ok(()));
            assert_eq!(addresses.enter(one, 0), Err(NotLetIn::Address));
            assert_eq!(addresses.enter(other, 0), Ok(()));
            addresses.leave(Network::of(same));
            assert_eq!(addresses.enter(one, 0), Ok(()));
        }
    }

    #[test]
    fn a_site_is_an_ipv4_address_or_a_48() {
        for (one, other, expected) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "192.1.2.1", false),
            ("2001:db8:7:1::1", "2001:db8:7:ffff::2", true),
            ("2001:db8:7::", "2001:db8:8::", false),
        ] {
            let [one, other] = [one, other].map(|text| Network::of(address(text)).of_site());
            assert_eq!(one == other, expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn who_comes_and_goes_is_limited_too_and_soon_let_in_again() {
        let addresses = Addresses::new(Some(1000));
        let come_and_go = |now| {
            let came = (0..5000).take_while(|_| {
                let came = addresses.enter(address("192.0.2.1"), now);
                came.inspect(|()| addresses.leave(Network::of(address("192.0.2.1")))).is_ok()
            });
            came.count()
        };
        assert_eq!(come_and_go(0), 1000);
        assert_eq!(addresses.enter(address("192.0.2.1"), 0), Err(NotLetIn::Rate));
        assert_eq!(addresses.enter(address("192.0.2.2"), 0), Ok(()));
        assert_eq!(come_and_go(TICKS_A_SECOND), 100);
        addresses.leave(Network::of(address("192.0.2.2")));
        addresses.forget(2 * TICKS_A_SECOND);
        assert_eq!(addresses.table.lock().len(), 1, "one is not yet as good as new");
        addresses.forget(100 * TICKS_A_SECOND);
        assert_eq!(addresses.table.lock().len(), 0);
    }

    #[test]
    fn nobody_is_limited_where_nothing_is_said() {
        let addresses = Addresses::new(None);
        assert!((0..100_000).all(|_| addresses.enter(address("192.0.2.1"), 0).is_ok()));
        addresses.leave(Network::of(address("192.0.2.1")));
    }
}
