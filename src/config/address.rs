//! Addresses as people type them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Reads `IP:PORT`, `localhost:PORT`, `:PORT` or `PORT`; the last two mean every address.
pub(super) fn parse(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let ip = match host {
        "" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => return Err("use an IP address and a port, such as 0.0.0.0:8080 or [::1]:8080".into()),
    };
    Ok(SocketAddr::new(ip, parse_port(port)?))
}

pub(super) fn parse_port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "the port must be a number from 0 to 65535, such as 8080".to_owned())
}

/// Reads an origin as browsers send it (RFC 6454): scheme, host, and the port unless it is the scheme's own.
pub(super) fn parse_origin(text: &str) -> Result<String, String> {
    let text = text.trim();
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ', '*']) => {
            let origin = text.to_ascii_lowercase();
            // Browsers leave out the scheme's own port.
            let own_port = if origin.starts_with("https:") { ":443" } else { ":80" };
            Ok(origin.strip_suffix(own_port).unwrap_or(&origin).to_owned())
        }
        _ => {
            Err("use a scheme and a host and nothing more, such as https://chat.example.org".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("localhost:80", "127.0.0.1:80"),
            (":80", "[::]:80"),
            ("80", "[::]:80"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), expected, "{text}");
        }
        for text in ["", "x", "65536", "example.org:80", "1.2.3.4", "1.2.3.4:x", "::1:80x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn origins() {
        assert_eq!(parse_origin("https://Chat.example.org").unwrap(), "https://chat.example.org");
        assert_eq!(parse_origin("http://localhost:3000").unwrap(), "http://localhost:3000");
        assert_eq!(parse_origin("https://a.example:443").unwrap(), "https://a.example");
        assert_eq!(parse_origin("http://a.example:443").unwrap(), "http://a.example:443");
        for text in
            ["", "*", "chat.example.org", "https://", "https://a/", "wss://a", "https://*.a"]
        {
            assert!(parse_origin(text).is_err(), "{text}");
        }
    }
}
