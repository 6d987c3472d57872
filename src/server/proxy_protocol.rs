//! The PROXY protocol, versions 1 and 2: a balancer that passes on TCP says first whose connection it is.
//!
//! <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>

use std::{io, net::IpAddr};

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::config::limits;

/// What comes before the length in version 2, and less than the shortest header of version 1.
const PREFIX: usize = v2::PROTOCOL_PREFIX.len();
/// Longest header of version 1, in bytes.
const V1_BYTES: usize = 107;
/// What comes before the addresses in version 2.
const V2_FIXED_BYTES: usize = 16;

/// Reads the header and nothing that follows it: the client's address, or none where the proxy speaks for
/// itself, as in health checks (UNKNOWN, LOCAL), or for no IP address.
///
/// # Errors
/// `InvalidData` where there is no such header, or one of more than [`limits::PROXY_HEADER_BYTES`]; what reading
/// answers.
pub(super) async fn client_address(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<IpAddr>> {
    let mut header = vec![0; PREFIX];
    stream.read_exact(&mut header).await?;
    if header == v2::PROTOCOL_PREFIX {
        header.resize(V2_FIXED_BYTES, 0);
        stream.read_exact(&mut header[PREFIX..]).await?;
        let length = u16::from_be_bytes([header[14], header[15]]);
        let length = V2_FIXED_BYTES + usize::from(length);
        if length > limits::PROXY_HEADER_BYTES {
            return Err(invalid("it is too long"));
        }
        header.resize(length, 0);
        stream.read_exact(&mut header[V2_FIXED_BYTES..]).await?;
        return source_v2(&header);
    }
    if !header.starts_with(v1::PROTOCOL_PREFIX.as_bytes()) {
        return Err(invalid("there is none"));
    }
    // Only its end tells its length, and what follows is the client's.
    while !header.ends_with(b"\n") {
        if header.len() == V1_BYTES {
            return Err(invalid("it is too long"));
        }
        header.push(stream.read_u8().await?);
    }
    source_v1(&header)
}

fn source_v1(header: &[u8]) -> io::Result<Option<IpAddr>> {
    let header = v1::Header::try_from(header).map_err(invalid)?;
    Ok(match header.addresses {
        v1::Addresses::Tcp4(addresses) => Some(addresses.source_address.into()),
        v1::Addresses::Tcp6(addresses) => Some(addresses.source_address.into()),
        v1::Addresses::Unknown => None,
    })
}

fn source_v2(header: &[u8]) -> io::Result<Option<IpAddr>> {
    let header = v2::Header::try_from(header).map_err(invalid)?;
    Ok(match (header.command, header.addresses) {
        (v2::Command::Proxy, v2::Addresses::IPv4(addresses)) => {
            Some(addresses.source_address.into())
        }
        (v2::Command::Proxy, v2::Addresses::IPv6(addresses)) => {
            Some(addresses.source_address.into())
        }
        (v2::Command::Local, _) | (_, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => None,
    })
}

fn invalid(fault: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    /// The address in a header, and that what follows was left.
    async fn read(header: &[u8]) -> Result<Option<String>, io::ErrorKind> {
        let bytes = [header, b"GET"].concat();
        let mut stream = &bytes[..];
        let address = client_address(&mut stream).await.map_err(|fault| fault.kind())?;
        assert_eq!(stream, b"GET");
        Ok(address.map(|address| address.to_string()))
    }

    fn v2(command: u8, family: u8, length: u16, payload: &[u8]) -> Vec<u8> {
        let head = [v2::PROTOCOL_PREFIX, &[command, family], &length.to_be_bytes()].concat();
        [&head, payload].concat()
    }

    #[tokio::test]
    async fn version_1() {
        let long = "ffff:f:f:f:f:f:f:f";
        for (header, address) in [
            ("PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\r\n", Some("203.0.113.7")),
            ("PROXY TCP6 2001:db8::7 ::1 4711 443\r\n", Some("2001:db8::7")),
            (&format!("PROXY TCP6 {long} {long} 65535 65535\r\n"), Some(long)),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN 203.0.113.7 10.0.0.1 4711 443\r\n", None),
        ] {
            assert_eq!(read(header.as_bytes()).await, Ok(address.map(Into::into)), "{header}");
        }
        let endless = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        for header in [
            "GET / HTTP/1.1\r\n",
            "PROXY TCP4 203.0.113.7 10.0.0.1 4711 443\n",
            "PROXY TCP4 203.0.113.700 10.0.0.1 4711 443\r\n",
            "PROXY TCP4 2001:db8::7 ::1 4711 443\r\n",
            "PROXY UDP4 203.0.113.7 10.0.0.1 4711 443\r\n",
            "PROXYTCP4 203.0.113.7 10.0.0.1 4711 443\r\n",
            &endless,
        ] {
            assert_eq!(read(header.as_bytes()).await, Err(io::ErrorKind::InvalidData), "{header}");
        }
    }

    #[tokio::test]
    async fn version_2() {
        let addresses: Vec<u8> = [&[203, 0, 113, 7, 10, 0, 0, 1][..], &[0, 80, 1, 187]].concat();
        let with_extras = [&addresses[..], &[4, 0, 1, 42]].concat();
        let client: SocketAddr = "[2001:db8::7]:4711".parse().unwrap();
        let v6 = v2::Builder::with_addresses(
            v2::Version::Two | v2::Command::Proxy,
            v2::Protocol::Stream,
            (client, client),
        );
        for (header, address) in [
            (v2(0x21, 0x11, 12, &addresses), Some("203.0.113.7")),
            (v2(0x21, 0x11, 16, &with_extras), Some("203.0.113.7")),
            (v6.build().unwrap(), Some("2001:db8::7")),
            (v2(0x20, 0x00, 0, &[]), None),
            (v2(0x20, 0x11, 12, &addresses), None),
            (v2(0x21, 0x00, 0, &[]), None),
            (v2(0x21, 0x31, 216, &[0; 216]), None),
        ] {
            assert_eq!(read(&header).await, Ok(address.map(Into::into)), "{header:?}");
        }
        for header in [
            v2(0x31, 0x11, 12, &addresses),
            v2(0x22, 0x11, 12, &addresses),
            v2(0x21, 0x11, 11, &addresses[..11]),
            v2(0x21, 0x41, 12, &addresses),
            v2(0x21, 0x11, u16::MAX, &[0; 65_535]),
        ] {
            assert_eq!(read(&header).await, Err(io::ErrorKind::InvalidData), "{header:?}");
        }
        let cut = v2(0x21, 0x11, 100, &addresses);
        assert_eq!(read(&cut).await, Err(io::ErrorKind::UnexpectedEof));
    }
}
