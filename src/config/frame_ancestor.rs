//! Pages of other sites that may show the client in a frame.

use std::{fmt, str::FromStr};

/// A host-source of the Content Security Policy (CSP Level 3, section 2.3.1): `https://HOST[:PORT]`, where `*.` stands
/// for any name below a host. It holds nothing that ends a directive or begins another source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameAncestor(String);

impl FromStr for FrameAncestor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "use a scheme and a host and nothing more, such as \
                            https://intranet.example.org or https://*.example.org";
        let origin = text.trim().to_ascii_lowercase();
        let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        let rest = rest.ok_or(FORM)?;
        let (host, port) =
            rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
        let label = |label: &str| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        if !host.strip_prefix("*.").unwrap_or(host).split('.').all(label) {
            let ascii = "write letters of other alphabets as xn--…, as browsers send them";
            return Err(if host.is_ascii() { FORM } else { ascii });
        }
        let is_port = |port: &str| {
            port.bytes().all(|b| b.is_ascii_digit()) && matches!(port.parse(), Ok(1_u16..))
        };
        if port.is_some_and(|port| !is_port(port)) {
            return Err("the port must be a number from 1 to 65535");
        }
        Ok(Self(origin))
    }
}

impl fmt::Display for FrameAncestor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_taken_and_nothing_more() {
        for (text, expected) in [
            ("https://Intranet.example.org", "https://intranet.example.org"),
            (" https://*.example.org ", "https://*.example.org"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
            ("https://192.168.0.7", "https://192.168.0.7"),
        ] {
            assert_eq!(text.parse::<FrameAncestor>().unwrap().to_string(), expected);
        }
        for text in [
            "",
            "*",
            "https:",
            "https://",
            "example.org",
            "https://*",
            "https://a.*.org",
            "https://a/",
            "https://a; script-src *",
            "https://a;",
            "https://a b",
            "'none'",
            "https://a:0",
            "https://a:+8",
            "https://a:70000",
            "https://a:",
            "https://a:*",
            "data:",
            "https://a..b",
            "https://[::1]",
            "https://a\r\nx: y",
            "https://bücher.example",
        ] {
            assert!(text.parse::<FrameAncestor>().is_err(), "{text}");
        }
        let refused = "https://bücher.example".parse::<FrameAncestor>();
        assert!(refused.unwrap_err().contains("xn--"));
    }
}
