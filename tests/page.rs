//! The page below a base path, and in frames of other sites.

#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test lists its cases, and panics where it fails"
)]

mod support;

use clap::Parser;
use signalpost::config::Config;
use support::{Client, TestServer, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The whole response.
async fn get(server: &TestServer, path: &str) -> String {
    let mut stream = server.tcp().await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    within(stream.write_all(request.as_bytes())).await.unwrap();
    let mut response = String::new();
    within(stream.read_to_string(&mut response)).await.unwrap();
    response
}

fn header<'a>(response: &'a str, name: &str) -> &'a str {
    let head = response.split("\r\n\r\n").next().unwrap();
    let found = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {name} in {head}"))
}

#[tokio::test]
async fn what_is_below_the_base_path_is_answered_with_it_and_without() {
    // The second one is called like a folder of the client's.
    for base in ["/chat", "/media"] {
        let server = TestServer::with(&format!("--base-path {base}/"));
        for (path, expected) in [
            ("", "<base href"),
            ("/", "<base href"),
            ("/r/a/b", "<base href"),
            ("/page/main.js", "import"),
            ("/media/capture.js", "import"),
            ("/example.html", "example.js"),
            ("/healthz", "ok"),
        ] {
            for path in [format!("{base}{path}"), path.to_owned()] {
                if path.is_empty() {
                    continue;
                }
                let response = get(&server, &path).await;
                assert!(response.starts_with("HTTP/1.1 200"), "{path}: {response}");
                assert!(response.contains(expected), "{path}");
                assert!(!response.contains("<base href=\"/\">"), "{path} leads to the root");
            }
        }
        let page = get(&server, "/r/a").await;
        assert!(page.contains(&format!("<base href=\"{base}/\">")));
        for path in ["/chatter", "/other/ws", "/chat/chat/chat/ws", "/nothing.js"] {
            assert!(get(&server, path).await.starts_with("HTTP/1.1 404"), "{path}");
        }
        for path in ["/", "/ws", base, &format!("{base}/"), &format!("{base}/ws")] {
            Client::connect(&server.url(path)).await;
        }
    }
}

#[tokio::test]
async fn a_page_of_another_base_path_is_another_page() {
    let (root, chat) = (TestServer::start(), TestServer::with("--base-path /chat"));
    let (at_root, below) = (get(&root, "/").await, get(&chat, "/").await);
    assert!(at_root.contains("<base href=\"/\">"));
    assert_ne!(header(&at_root, "etag"), header(&below, "etag"));
    let script = "/page/main.js";
    let (at_root, below) = (get(&root, script).await, get(&chat, script).await);
    assert_eq!(header(&at_root, "etag"), header(&below, "etag"));
}

#[tokio::test]
async fn frames_are_for_the_servers_own_pages_and_those_that_are_named() {
    for (flags, ancestors) in [
        ("", "frame-ancestors 'self'"),
        (
            "--frame-ancestor https://a.example --frame-ancestor http://localhost:3000,https://*.b.example",
            "frame-ancestors 'self' https://a.example http://localhost:3000 https://*.b.example",
        ),
    ] {
        let server = TestServer::with(flags);
        for path in ["/", "/page/main.js", "/nothing", "/ws"] {
            let response = get(&server, path).await;
            let policy = header(&response, "content-security-policy");
            assert!(policy.ends_with(ancestors), "{path}: {policy}");
            assert!(header(&response, "permissions-policy").contains("camera=(self)"));
        }
    }
}

#[test]
fn what_would_open_the_policy_is_refused_with_the_flag_and_the_mend() {
    for (flag, value, mend) in [
        ("--frame-ancestor", "https://a.example;script-src", "https://intranet.example.org"),
        ("--frame-ancestor", "*", "https://intranet.example.org"),
        ("--base-path", "/\"><script>", "such as /chat"),
        ("--base-path", "/r", "use another name"),
    ] {
        let refused = Config::try_parse_from(["signalpost", flag, value]).unwrap_err().to_string();
        assert!(refused.contains(flag) && refused.contains(mend), "{refused}");
    }
}
