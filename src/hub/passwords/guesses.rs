//! How many wrong passwords somebody may give: a bucket for each client and one for each address, and none for a room,
//! which those who guess could empty before its members come.

use crate::{
    config::limits,
    hub::{
        Network,
        bucket::{Bucket, Buckets, Shape},
        heartbeat::TICKS_A_SECOND,
    },
};

/// What one client may still give. It takes 4 bytes, and is full at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Guesses(Bucket);

/// The same for each address that gave a wrong one lately.
#[derive(Debug)]
pub(super) struct Addresses(Buckets);

const OF_CLIENT: Shape =
    Shape { most: limits::CLIENT_GUESSES, ticks: limits::CLIENT_GUESS_SECONDS * TICKS_A_SECOND };
const OF_ADDRESS: Shape =
    Shape { most: limits::ADDRESS_GUESSES, ticks: limits::ADDRESS_GUESS_SECONDS * TICKS_A_SECOND };

impl Addresses {
    /// Takes a guess from a client and from its address.
    ///
    /// # Errors
    /// How many ticks it is until there is one. Then none was taken.
    pub(super) fn take(&self, network: Network, client: &mut Guesses, now: u32) -> Result<(), u32> {
        client.0.take(OF_CLIENT, now)?;
        self.0.take(network, now).inspect_err(|_| client.0.give_back(OF_CLIENT))
    }

    /// It was none: the password was right, or nobody looked at it.
    pub(super) fn give_back(&self, network: Network, client: &mut Guesses) {
        client.0.give_back(OF_CLIENT);
        self.0.give_back(network);
    }

    /// Forgets addresses whose bucket is full.
    pub(super) fn forget(&self, now: u32) {
        self.0.forget(now);
    }
}

impl Default for Addresses {
    fn default() -> Self {
        Self(Buckets::new(OF_ADDRESS))
    }
}

impl From<u32> for Guesses {
    fn from(full_at: u32) -> Self {
        Self(Bucket { full_at })
    }
}

impl From<Guesses> for u32 {
    fn from(Guesses(Bucket { full_at }): Guesses) -> Self {
        full_at
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const SECOND: u32 = TICKS_A_SECOND;

    fn network(nth: u32) -> Network {
        Network::of(Ipv4Addr::from(0x0a00_0000 + nth).into())
    }

    /// How many one more client of this address has at this time.
    fn had(addresses: &Addresses, network: Network, client: &mut Guesses, now: u32) -> usize {
        (0..1000).take_while(|_| addresses.take(network, client, now).is_ok()).count()
    }

    #[test]
    fn a_client_has_5_guesses_at_once_and_one_every_5_s() {
        let (addresses, mut client) = (Addresses::default(), Guesses::default());
        assert_eq!(had(&addresses, network(1), &mut client, 100), 5);
        assert_eq!(addresses.take(network(1), &mut client, 100), Err(5 * SECOND));
        assert_eq!(addresses.take(network(1), &mut client, 100 + 4 * SECOND), Err(SECOND));
        assert_eq!(had(&addresses, network(1), &mut client, 100 + 5 * SECOND), 1);
        assert_eq!(had(&addresses, network(1), &mut client, 100 + 15 * SECOND), 2);
        assert_eq!(had(&addresses, network(1), &mut client, 100 + 3600 * SECOND), 5);
        assert_eq!(size_of::<Guesses>(), 4);
    }

    #[test]
    fn an_address_has_20_guesses_at_once_and_one_a_second_however_many_clients_it_has() {
        let addresses = Addresses::default();
        let come = |nth, now| had(&addresses, network(nth), &mut Guesses::default(), now);
        let came: Vec<_> = (0..6).map(|_| come(1, 100)).collect();
        assert_eq!(came, [5, 5, 5, 5, 0, 0]);
        assert_eq!(come(2, 100), 5, "of another address");
        assert_eq!(come(1, 100 + 3 * SECOND), 3);
        let mut client = Guesses::default();
        assert_eq!(addresses.take(network(1), &mut client, 100 + 3 * SECOND), Err(SECOND));
        assert_eq!(
            had(&addresses, network(3), &mut client, 100 + 3 * SECOND),
            5,
            "what its address is refused costs the client nothing"
        );
    }

    #[test]
    fn the_networks_of_a_site_have_one_bucket() {
        let addresses = Addresses::default();
        let mut come = |nth: u16| {
            let address = std::net::Ipv6Addr::from([0x2001, 0xdb8, 7, nth, 0, 0, 0, 1]);
            had(&addresses, Network::of(address.into()), &mut Guesses::default(), 100)
        };
        assert_eq!((0..6).map(&mut come).collect::<Vec<_>>(), [5, 5, 5, 5, 0, 0]);
    }

    #[test]
    fn what_was_no_guess_costs_nothing() {
        let (addresses, mut client) = (Addresses::default(), Guesses::default());
        for now in 0..1000 {
            addresses.take(network(1), &mut client, now).unwrap();
            addresses.give_back(network(1), &mut client);
        }
        assert_eq!(had(&addresses, network(1), &mut client, 1000), 5);
    }

    #[test]
    fn addresses_are_forgotten_once_they_are_as_good_as_new_and_so_many_are_remembered() {
        let (addresses, mut client) = (Addresses::default(), Guesses::default());
        addresses.take(network(1), &mut client, 100).unwrap();
        addresses.forget(100 + SECOND - 1);
        assert_eq!(addresses.0.len(), 1);
        addresses.forget(100 + SECOND);
        assert_eq!(addresses.0.len(), 0);
        let most = u32::try_from(limits::COUNTED_ADDRESSES).unwrap();
        for nth in 0..most + 10 {
            addresses.take(network(nth), &mut Guesses::default(), 100).unwrap();
        }
        assert_eq!(addresses.0.len(), limits::COUNTED_ADDRESSES);
        let mut client = Guesses::default();
        assert_eq!(had(&addresses, network(most + 5), &mut client, 100), 5, "for each client");
    }
}
