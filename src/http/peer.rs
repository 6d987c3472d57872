//! Whose request it is: the peer's, or that of the client for whom a trusted proxy asks.
//!
//! What a client writes of itself must never count, or it evades every limit by address and spends the share
//! of others: of the hops, only those count that a trusted proxy wrote.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::{
    HeaderMap,
    header::{FORWARDED, HeaderName},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address: the rightmost hop of `Forwarded` (RFC 7239) or `X-Forwarded-For` that `trusts` does
/// not hold of, where it holds of the peer; where hops have no address, that of whoever passed them on.
///
/// A proxy writes one of the headers and may pass on the other as it came. So where both are there and
/// disagree, the peer's address counts.
pub fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    trusts: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusts(peer) {
        return peer;
    }
    let rightmost = |hops: Option<Vec<Hop>>| {
        hops.map(|hops| {
            let mut nearest = peer;
            for hop in hops.into_iter().rev() {
                match hop {
                    Some(address) if trusts(address) => nearest = address,
                    Some(address) => return address,
                    None => return nearest,
                }
            }
            nearest
        })
    };
    let forwarded = rightmost(hops(headers, &FORWARDED, forwarded_hops));
    let x_forwarded = rightmost(hops(headers, &X_FORWARDED_FOR, x_forwarded_hops));
    match (forwarded, x_forwarded) {
        (Some(one), Some(other)) if one != other => peer,
        (Some(address), _) | (None, Some(address)) => address,
        (None, None) => peer,
    }
}

/// None for one that hides itself, or is no address at all.
type Hop = Option<IpAddr>;

/// All lines of the header, if it is there. A line that cannot be read is one unknown hop.
fn hops(
    headers: &HeaderMap,
    name: &HeaderName,
    read: fn(&str) -> Option<Vec<Hop>>,
) -> Option<Vec<Hop>> {
    let lines = headers.get_all(name).into_iter();
    let read = |line: &str| read(line).unwrap_or_else(|| vec![None]);
    let hops = lines.flat_map(|line| line.to_str().map_or_else(|_| vec![None], read)).collect();
    headers.contains_key(name).then_some(hops)
}

fn x_forwarded_hops(line: &str) -> Option<Vec<Hop>> {
    let named = line.split(',').map(str::trim).filter(|node| !node.is_empty());
    Some(named.map(address).collect())
}

/// The `for` of each element (RFC 7239, section 4), if all of the line is proper: an open quote in what a
/// client wrote must not swallow what the proxy put behind it.
fn forwarded_hops(line: &str) -> Option<Vec<Hop>> {
    let (mut hops, mut rest) = (Vec::new(), line.trim());
    while !rest.is_empty() {
        if let Some(next) = rest.strip_prefix(',') {
            rest = next.trim_start();
            continue;
        }
        let element = Element::read(rest)?;
        hops.push(element.node.as_deref().and_then(address));
        rest = element.rest;
    }
    Some(hops)
}

struct Element<'a> {
    node: Option<String>,
    rest: &'a str,
}

impl<'a> Element<'a> {
    fn read(mut rest: &'a str) -> Option<Self> {
        let mut node = None;
        loop {
            rest = rest.trim_start_matches([';', ' ', '\t']);
            if rest.is_empty() || rest.starts_with(',') {
                return Some(Self { node, rest });
            }
            let (name, after) = rest.split_once('=')?;
            let (value, after) = value(after)?;
            if name.eq_ignore_ascii_case("for") && node.replace(value).is_some() {
                return None;
            }
            rest = after.trim_start();
            if !rest.is_empty() && !rest.starts_with([';', ',']) {
                return None;
            }
        }
    }
}

/// A token or a quoted string, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ';']).unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        return (!token.contains(['"', '='])).then(|| (token.trim_end().to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            other => value.push(other),
        }
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`; not `unknown` or `_hidden`.
fn address(node: &str) -> Hop {
    let bracketed = || {
        let (address, port) = node.strip_prefix('[')?.split_once(']')?;
        let address = address.parse::<Ipv6Addr>().ok()?;
        (port.is_empty() || port.starts_with(':')).then_some(IpAddr::V6(address))
    };
    let with_port = || node.split_once(':')?.0.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    let address = node.parse().ok().or_else(bracketed).or_else(with_port);
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it is with 10.0.0.0/8 and 2001:db8::/32 trusted.
    fn client(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let trusts = |address: IpAddr| match address {
            IpAddr::V4(address) => address.octets()[0] == 10,
            IpAddr::V6(address) => address.segments()[..2] == [0x2001, 0xdb8],
        };
        client_address(peer.parse().unwrap(), &headers, trusts).to_string()
    }

    #[test]
    fn a_peer_that_is_not_trusted_speaks_for_itself_alone() {
        for lines in [
            &[][..],
            &[("x-forwarded-for", "192.0.2.1")],
            &[("forwarded", "for=192.0.2.1")],
            &[("x-forwarded-for", "10.0.0.1"), ("forwarded", "for=10.0.0.1")],
        ] {
            assert_eq!(client("203.0.113.9", lines), "203.0.113.9");
            assert_eq!(client("::ffff:203.0.113.9", lines), "203.0.113.9");
        }
    }

    #[test]
    fn the_rightmost_hop_that_is_not_trusted_counts() {
        for (line, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("6.6.6.6, 192.0.2.1", "192.0.2.1"),
            ("6.6.6.6,192.0.2.1 , 10.2.2.2,10.3.3.3", "192.0.2.1"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("2001:db9::7", "2001:db9::7"),
            ("[2001:db9::7]", "2001:db9::7"),
            ("[2001:db9::7]:4711, 2001:db8::1", "2001:db9::7"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:10.0.0.9", "10.0.0.9"),
            ("10.9.9.9, 10.2.2.2", "10.9.9.9"),
            (", 192.0.2.1,,", "192.0.2.1"),
            ("", "10.0.0.1"),
            ("unknown", "10.0.0.1"),
            ("192.0.2.1, unknown", "10.0.0.1"),
            ("192.0.2.1, unknown, 10.2.2.2", "10.2.2.2"),
            ("192.0.2.1, 10.2.2.2.2", "10.0.0.1"),
            ("fe80::1%eth0", "10.0.0.1"),
            ("[2001:db9::7", "10.0.0.1"),
            ("[2001:db9::7]x", "10.0.0.1"),
            ("localhost", "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[("x-forwarded-for", line)]), expected, "{line}");
        }
        let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.1, 10.2.2.2")];
        assert_eq!(client("::ffff:10.0.0.1", &lines), "192.0.2.1");
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_writes_it() {
        for (line, expected) in [
            ("for=192.0.2.1", "192.0.2.1"),
            ("For=192.0.2.1;proto=https;by=10.0.0.1", "192.0.2.1"),
            ("proto=https ; FOR=192.0.2.1", "192.0.2.1"),
            (r#"for="192.0.2.1:4711""#, "192.0.2.1"),
            (r#"for="[2001:db9::7]:4711";host="a, b; for=6.6.6.6""#, "2001:db9::7"),
            (r#"host="a\"b";for="192.0.2.\1""#, "192.0.2.1"),
            ("for=6.6.6.6, for=192.0.2.1,for=10.2.2.2", "192.0.2.1"),
            ("for=192.0.2.1, , for=10.2.2.2,", "192.0.2.1"),
            ("; for=192.0.2.1;;proto=https; , for=10.2.2.2;", "192.0.2.1"),
            // Hops that hide themselves.
            ("for=unknown", "10.0.0.1"),
            ("for=192.0.2.1, for=_hidden, for=10.2.2.2", "10.2.2.2"),
            (r#"for="_hidden:_port""#, "10.0.0.1"),
            ("for=192.0.2.1, proto=https", "10.0.0.1"),
            // No proper header.
            ("192.0.2.1", "10.0.0.1"),
            ("for", "10.0.0.1"),
            ("for=6.6.6.6;;for=192.0.2.1", "10.0.0.1"),
            ("x, for=192.0.2.1", "10.0.0.1"),
            ("for=6.6.6.6;for=192.0.2.1", "10.0.0.1"),
            (r#"for="6.6.6.6, for=192.0.2.1"#, "10.0.0.1"),
            (r#"for=6.6.6.6;x=", for="192.0.2.1""#, "10.0.0.1"),
            (r#"for="6.6.6.6" for=192.0.2.1"#, "10.0.0.1"),
            (r#"for=6.6.6.6"x", for=192.0.2.1"#, "10.0.0.1"),
            (r#"for="6.6.6.6\"#, "10.0.0.1"),
        ] {
            assert_eq!(client("10.0.0.1", &[("forwarded", line)]), expected, "{line}");
        }
        let lines = [("forwarded", "for=\"6.6.6.6"), ("forwarded", "for=192.0.2.1")];
        assert_eq!(client("10.0.0.1", &lines), "192.0.2.1", "a line of its own is not swallowed");
    }

    #[test]
    fn two_headers_must_agree() {
        let lines = |forwarded, x| [("forwarded", forwarded), ("x-forwarded-for", x)];
        assert_eq!(client("10.0.0.1", &lines("for=192.0.2.1", "6.6.6.6, 192.0.2.1")), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &lines("for=6.6.6.6", "192.0.2.1")), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &lines("nonsense", "192.0.2.1")), "10.0.0.1");
    }
}
