//! Proxies in front of the server.

use std::net::IpAddr;

use ipnet::IpNet;

/// Reads an address, or a range of them in CIDR notation (RFC 4632).
pub(super) fn parse(text: &str) -> Result<IpNet, &'static str> {
    const FORMS: &str = "use an address or a range of addresses, such as 127.0.0.1 or 10.0.0.0/8";
    let text = text.trim();
    let range = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let range = range.ok_or(FORMS)?;
    // Peers over IPv4 are compared as such, whatever socket they came in by.
    match (range.addr().to_canonical(), range.prefix_len().checked_sub(96)) {
        (IpAddr::V4(address), Some(length)) if range.addr().is_ipv6() => {
            IpNet::new(address.into(), length).map_err(|_| FORMS)
        }
        _ => Ok(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.1.2.3/8", "10.255.0.1", "11.0.0.1"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            (" ::1 ", "::1", "::2"),
            ("2001:db8::/32", "2001:db8:1::", "2001:db9::"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("0.0.0.0/0", "192.0.2.1", "::1"),
        ] {
            let range = parse(text).unwrap();
            assert!(range.contains(&inside.parse::<IpAddr>().unwrap()), "{text}");
            assert!(!range.contains(&outside.parse::<IpAddr>().unwrap()), "{text}");
        }
        for text in ["", "x", "10.0.0.0/33", "10.0.0/8", "localhost", "10.0.0.1:80"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
