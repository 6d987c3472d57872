//! The browser client's files: from the binary, or from a folder while they are being worked on.

use std::{
    borrow::Cow,
    path::{Component, Path, PathBuf},
};

use bytes::Bytes;
use hyper::{
    HeaderMap, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
        IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    },
};
use rust_embed::RustEmbed;

use super::{Response, plain};
use crate::config::{BasePath, FrameAncestor};

/// The page alone may use camera and microphone. In a frame, this narrows what the page that holds it has allowed
/// to it, and takes nothing of it from the client itself (W3C Permissions Policy, "inherited" and "declared").
const PERMISSIONS: &str = "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), \
     picture-in-picture=(self), speaker-selection=(self), geolocation=(), payment=(), usb=()";

/// The page runs its own code only.
const CONTENT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
     media-src 'self' blob: mediastream:; connect-src 'self'; base-uri 'self'; form-action 'none'; \
     frame-ancestors 'self'";

/// What is sent with every response.
#[derive(Debug)]
pub(super) struct SecurityHeaders(HeaderMap);

impl SecurityHeaders {
    /// Pages of `ancestors` may show the client in a frame, as its own may.
    pub(super) fn new(ancestors: &[FrameAncestor]) -> Self {
        let content = ancestors
            .iter()
            .fold(CONTENT.to_owned(), |policy, ancestor| format!("{policy} {ancestor}"));
        let content = content.try_into().expect("host-sources are ASCII");
        Self(HeaderMap::from_iter([
            (CONTENT_SECURITY_POLICY, content),
            (HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS)),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            // The address holds the room's name, which is all that one needs to join it.
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (
                HeaderName::from_static("cross-origin-opener-policy"),
                HeaderValue::from_static("same-origin"),
            ),
        ]))
    }

    pub(super) fn put_on(&self, response: &mut Response) {
        response.headers_mut().extend(self.0.clone());
    }
}

#[derive(RustEmbed)]
#[folder = "client/"]
#[include = "*.html"]
#[include = "*.css"]
#[include = "*.js"]
#[include = "*.svg"]
struct Embedded;

/// Where the page's own links begin, which it has at many addresses.
const PAGE: &str = "index.html";
const PAGE_BASE: &str = "<base href=\"/\">";

/// See the module.
#[derive(Debug)]
pub(super) struct Assets {
    source: Source,
    base_path: BasePath,
}

#[derive(Debug)]
enum Source {
    Embedded,
    Folder(PathBuf),
}

struct Asset {
    bytes: Bytes,
    /// None while the file is being worked on.
    etag: Option<String>,
}

impl Assets {
    pub(super) fn new(folder: Option<PathBuf>, base_path: BasePath) -> Self {
        Self { source: folder.map_or(Source::Embedded, Source::Folder), base_path }
    }

    /// The file at `path`, with the base path or without. A room's link shows the page, which reads the room's
    /// name from its address.
    pub(super) async fn respond(&self, path: &str, headers: &HeaderMap) -> Response {
        let file = match self.base_path.strip(path) {
            "/" => PAGE,
            room if room.starts_with("/r/") => PAGE,
            other => other.trim_start_matches('/'),
        };
        let asset = match self.load(file).await {
            // The base path may be called like a folder of the client's, and be stripped already.
            None => self.source.load(path.trim_start_matches('/')).await,
            found => found,
        };
        let Some(asset) = asset else {
            let text = format!("There is no such page. The chat is at {}/.", self.base_path);
            return plain(StatusCode::NOT_FOUND, &text);
        };
        let etag = asset.etag.map(|tag| format!("\"{tag}\""));
        let known = |etag: &String| {
            let tags = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|v| v.to_str().ok());
            tags.flat_map(|v| v.split(',')).any(|tag| {
                let tag = tag.trim().trim_start_matches("W/");
                tag == *etag || tag == "*"
            })
        };
        let mut response = if etag.as_ref().is_some_and(known) {
            let mut unchanged = Response::default();
            *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
            unchanged
        } else {
            Response::new(asset.bytes.into())
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type(file));
        match etag.and_then(|etag| etag.parse().ok()) {
            Some(etag) => {
                headers.insert(ETAG, etag);
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            }
            None => {
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
        }
        response
    }

    async fn load(&self, file: &str) -> Option<Asset> {
        let asset = self.source.load(file).await?;
        if file != PAGE {
            return Some(asset);
        }
        let based = format!("<base href=\"{}/\">", self.base_path);
        let page = String::from_utf8_lossy(&asset.bytes).replacen(PAGE_BASE, &based, 1);
        let etag = asset.etag.map(|etag| format!("{etag}{}", self.base_path));
        Some(Asset { bytes: page.into(), etag })
    }
}

impl Source {
    async fn load(&self, file: &str) -> Option<Asset> {
        match self {
            Self::Embedded => {
                let file = Embedded::get(file)?;
                let hash = file.metadata.sha256_hash();
                let tag: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
                let bytes = match file.data {
                    Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                    Cow::Owned(bytes) => bytes.into(),
                };
                Some(Asset { bytes, etag: Some(tag) })
            }
            Self::Folder(folder) => {
                let file = Path::new(file);
                let inside = file.components().all(|part| matches!(part, Component::Normal(_)));
                let served = ["html", "css", "js", "svg"];
                let served = file.extension().is_some_and(|end| served.iter().any(|s| end == *s));
                if !inside || !served {
                    return None;
                }
                let bytes = tokio::fs::read(folder.join(file)).await.ok()?;
                Some(Asset { bytes: bytes.into(), etag: None })
            }
        }
    }
}

fn content_type(file: &str) -> HeaderValue {
    HeaderValue::from_static(match file.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    })
}
