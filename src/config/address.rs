//! Addresses as people type them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::Url;

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

/// Reads an origin as browsers send it (RFC 6454, section 6.2): scheme, host in ASCII, and the port unless it is
/// the scheme's own. Apps and extensions have schemes of their own.
pub(super) fn parse_origin(text: &str) -> Result<String, String> {
    const FORM: &str = "use a scheme and a host and nothing more, such as https://chat.example.org";
    // There are no pages of these, or their origin is `null`.
    const NO_PAGES: [&str; 8] = ["about", "blob", "data", "file", "ftp", "javascript", "ws", "wss"];

    let text = text.trim();
    if text.eq_ignore_ascii_case("null") {
        return Err("null is the origin of any file and of any sandboxed frame, whoever made it; \
            serve the page from an address, such as https://chat.example.org, and allow that"
            .into());
    }
    let (_, rest) = text.split_once("://").ok_or(FORM)?;
    if rest.is_empty() || rest.contains(['/', '\\', '?', '#', '@', '*', '%']) {
        return Err(FORM.into());
    }
    let url = Url::parse(text).map_err(|fault| format!("{fault}; {FORM}"))?;
    let host = url.host_str().ok_or(FORM)?;
    if NO_PAGES.contains(&url.scheme()) || host.contains(char::is_whitespace) {
        return Err(FORM.into());
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok(format!("{}://{}{port}", url.scheme(), host.to_ascii_lowercase()))
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
        for (text, sent) in [
            ("https://Chat.example.org", "https://chat.example.org"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://a.example:443", "https://a.example"),
            ("http://a.example:80", "http://a.example"),
            ("http://a.example:443", "http://a.example:443"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("https://BÜCHER.example:8443", "https://xn--bcher-kva.example:8443"),
            ("https://例え。テスト", "https://xn--r8jz45g.xn--zckzah"),
            ("https://straße.example", "https://xn--strae-oqa.example"),
            ("https://[2001:DB8:0::1]:8443", "https://[2001:db8::1]:8443"),
            ("https://192.0.2.1", "https://192.0.2.1"),
            (" https://a.example ", "https://a.example"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("ionic://localhost", "ionic://localhost"),
            ("app://Obsidian.md", "app://obsidian.md"),
            (
                "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
                "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
            ),
            (
                "moz-extension://5a1ff8c0-0e0e-4cc6-8a5a-3f2b5f2f1a11",
                "moz-extension://5a1ff8c0-0e0e-4cc6-8a5a-3f2b5f2f1a11",
            ),
            ("tauri://localhost:1430", "tauri://localhost:1430"),
        ] {
            assert_eq!(parse_origin(text).as_deref(), Ok(sent), "{text}");
        }
        for text in [
            "",
            "*",
            "chat.example.org",
            "https:chat.example.org",
            "https://",
            "https://a/",
            "https://a?",
            "https://a b",
            "https://a:x",
            "https://a:70000",
            "https://u@a",
            "https://xn--a",
            "wss://a",
            "file://a",
            "https://*.a",
            "capacitor://",
            "capacitor://a b",
        ] {
            assert!(parse_origin(text).unwrap_err().contains("https://chat.example.org"), "{text}");
        }
        assert!(parse_origin("null").unwrap_err().contains("sandboxed"));
    }
}
