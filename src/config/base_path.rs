//! The path below which a reverse proxy shows the server.

use std::{fmt, str::FromStr};

/// What stands before all paths of the page, in addresses that browsers see. It has no last slash, and holds only
/// letters, digits and `-._~`: nothing in it needs an escape in HTML, in a header or in a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// Below these, what a proxy has stripped could not be told from what it has not.
const OWN_NAMES: [&str; 3] = ["r", "ws", "healthz"];

impl FromStr for BasePath {
    type Err = &'static str;

    /// Reads `/`, `/chat` or `/a/b`; a slash at the end means the same.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.trim_end_matches('/');
        if path.is_empty() {
            return Ok(Self::default());
        }
        let Some(path) = path.strip_prefix('/') else {
            return Err("begin it with a slash, such as /chat");
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let fine = |name: &str| !["", ".", ".."].contains(&name) && name.chars().all(plain);
        if !path.split('/').all(fine) {
            return Err("use names of letters, digits, - . _ and ~ with slashes between, \
                        such as /chat");
        }
        if path.split('/').next().is_some_and(|first| OWN_NAMES.contains(&first)) {
            return Err(
                "/r, /ws and /healthz are the server's own; use another name, such as /chat",
            );
        }
        Ok(Self(format!("/{path}")))
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl BasePath {
    /// `path` without the base, also where a proxy has stripped it already.
    pub fn strip<'a>(&self, path: &'a str) -> &'a str {
        match path.strip_prefix(&*self.0) {
            Some("") => "/",
            Some(inside) if inside.starts_with('/') => inside,
            _ => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> BasePath {
        text.parse().unwrap()
    }

    #[test]
    fn paths_are_read_with_and_without_a_last_slash() {
        for (text, expected) in
            [("/", ""), ("/chat", "/chat"), ("/chat/", "/chat"), ("/a/b~1.2_-", "/a/b~1.2_-")]
        {
            assert_eq!(base(text).to_string(), expected, "{text}");
        }
        for text in [
            "chat",
            "//chat",
            "/a//b",
            "/..",
            "/a/./b",
            "/a b",
            "/a?b",
            "/a#b",
            "/a%20b",
            "/\"><script>",
            "/a;b",
            "/ü",
            "/r",
            "/ws",
            "/healthz/x",
            "https://example.org/chat",
        ] {
            assert!(text.parse::<BasePath>().is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_stripped_once_and_only_whole() {
        for (path, inside) in [
            ("/chat", "/"),
            ("/chat/", "/"),
            ("/chat/ws", "/ws"),
            ("/chat/chat/x", "/chat/x"),
            ("/chatter", "/chatter"),
            ("/ws", "/ws"),
            ("/", "/"),
            ("*", "*"),
        ] {
            assert_eq!(base("/chat").strip(path), inside, "{path}");
            assert_eq!(base("/").strip(path), path);
        }
    }
}
