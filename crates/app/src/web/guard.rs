//! Which requests are looked at at all, and what every answer says to the browser.
//!
//! Any program of this computer, and any page in any browser of it, can reach a port on loopback. A page can't choose its Origin
//! and, with rebound DNS, can't choose its Host. So a request counts only with exactly this Host, and only with exactly this Origin
//! where a browser says one; and since Fetch Metadata says more than Origin, a page elsewhere can't even have this one's files loaded.

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{self, HeaderName, HeaderValue},
};

/// Says why a request is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It names another host: rebound DNS, or a proxy.
    Host,
    /// It comes from a page of another origin.
    Origin,
}

impl Refusal {
    /// The status it is answered with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
        }
    }
}

/// The one value of a header; none if it is absent, there more than once, or no text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Decides whether a request is looked at.
///
/// # Errors
/// [`Refusal`].
pub fn check<B>(request: &Request<B>, authority: &str, origin: &str) -> Result<(), Refusal> {
    let headers = request.headers();
    // An absolute URI would name the host a second time.
    if request.uri().authority().is_some() || only(headers, &header::HOST) != Some(authority) {
        return Err(Refusal::Host);
    }
    let has_origin = headers.contains_key(header::ORIGIN);
    if has_origin && only(headers, &header::ORIGIN) != Some(origin) {
        return Err(Refusal::Origin);
    }
    // What changes something, and the WebSocket, must say where it comes from.
    let must_say = request.method() != Method::GET || headers.contains_key(header::UPGRADE);
    if must_say && !has_origin {
        return Err(Refusal::Origin);
    }
    match only(headers, &SEC_FETCH_SITE) {
        // Not a browser, or one from before Fetch Metadata.
        None if !headers.contains_key(SEC_FETCH_SITE) => Ok(()),
        Some("same-origin" | "none") => Ok(()),
        // The redirect file, or a link that somebody followed: the page itself, in a window of its own.
        Some(_)
            if request.uri().path() == "/"
                && request.method() == Method::GET
                && only(headers, &SEC_FETCH_MODE) == Some("navigate")
                && only(headers, &SEC_FETCH_DEST) == Some("document") =>
        {
            Ok(())
        }
        _ => Err(Refusal::Origin),
    }
}

/// Whether a browser wants to show the answer as a page of its own, or inside another one.
pub fn is_for_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key(SEC_FETCH_DEST)
        && !matches!(
            only(headers, &SEC_FETCH_DEST),
            Some("image" | "audio" | "video" | "empty")
        )
}

/// Puts on an answer what every answer has.
pub fn harden<B>(response: &mut Response<B>) {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-embedder-policy"),
            "require-corp",
        ),
        (HeaderName::from_static("origin-agent-cluster"), "?1"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(self), microphone=(self), fullscreen=(self), clipboard-write=(self), accelerometer=(), autoplay=(self), \
             browsing-topics=(), clipboard-read=(), display-capture=(), encrypted-media=(), geolocation=(), gyroscope=(), hid=(), \
             idle-detection=(), local-fonts=(), magnetometer=(), midi=(), payment=(), publickey-credentials-get=(), \
             screen-wake-lock=(), serial=(), storage-access=(), usb=(), window-management=(), xr-spatial-tracking=()",
        ),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(SEALED));
}

/// For whatever is no page: nothing may run, nothing may be loaded, and it has no origin.
pub const SEALED: &str = "default-src 'none'; frame-ancestors 'none'; sandbox; require-trusted-types-for 'script'; trusted-types 'none'";

/// For the page: its own script, style and files, its own socket, previews that come inside messages (`data:`) and files that were
/// just picked (`blob:`). No string ever becomes a script, and nothing is registered that outlives the page.
pub fn page_policy(authority: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
         connect-src 'self' ws://{authority}; worker-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: (&str, &str) = ("host", "127.0.0.1:4000");
    const ORIGIN: (&str, &str) = ("origin", "http://127.0.0.1:4000");

    fn checked(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        check(&request, "127.0.0.1:4000", "http://127.0.0.1:4000")
    }

    #[test]
    fn only_the_exact_host_is_answered() {
        assert_eq!(checked("GET", "/", &[HOST]), Ok(()));
        for wrong in [
            "127.0.0.1",
            "127.0.0.1:4001",
            "localhost:4000",
            "evil.example:4000",
            "127.0.0.1:4000.evil.example",
            "[::1]:4000",
            "127.0.0.1:04000",
            "",
        ] {
            assert_eq!(
                checked("GET", "/", &[("host", wrong)]),
                Err(Refusal::Host),
                "{wrong}"
            );
        }
        assert_eq!(checked("GET", "/", &[]), Err(Refusal::Host));
        assert_eq!(checked("GET", "/", &[HOST, HOST]), Err(Refusal::Host));
        assert_eq!(
            checked("GET", "http://127.0.0.1:4000/", &[HOST]),
            Err(Refusal::Host)
        );
    }

    #[test]
    fn only_the_exact_origin_may_change_anything() {
        assert_eq!(checked("PUT", "/upload/x", &[HOST, ORIGIN]), Ok(()));
        assert_eq!(checked("PUT", "/upload/x", &[HOST]), Err(Refusal::Origin));
        let upgrade = ("upgrade", "websocket");
        assert_eq!(checked("GET", "/rpc", &[HOST, ORIGIN, upgrade]), Ok(()));
        assert_eq!(
            checked("GET", "/rpc", &[HOST, upgrade]),
            Err(Refusal::Origin)
        );
        for wrong in [
            "null",
            "http://127.0.0.1:4001",
            "https://127.0.0.1:4000",
            "http://localhost:4000",
            "http://127.0.0.1:4000/",
            "http://evil.example",
            "",
        ] {
            for method in ["GET", "POST", "PUT"] {
                assert_eq!(
                    checked(method, "/", &[HOST, ("origin", wrong)]),
                    Err(Refusal::Origin),
                    "{method} {wrong}"
                );
            }
        }
        assert_eq!(
            checked("PUT", "/upload/x", &[HOST, ORIGIN, ORIGIN]),
            Err(Refusal::Origin)
        );
    }

    #[test]
    fn what_is_shown_in_the_page_is_asked_for_by_what_shows_it() {
        let asked = |places: &[&str]| {
            let mut headers = HeaderMap::new();
            for place in places {
                headers.append(SEC_FETCH_DEST, place.parse().expect("a value"));
            }
            is_for_a_page(&headers)
        };
        // Not a browser, or one from before Fetch Metadata.
        assert!(!asked(&[]));
        for place in ["image", "audio", "video", "empty"] {
            assert!(!asked(&[place]), "{place}");
            assert!(asked(&[place, place]), "{place} twice");
        }
        for place in [
            "document", "iframe", "frame", "embed", "object", "script", "worker", "", "Image",
        ] {
            assert!(asked(&[place]), "{place}");
        }
    }

    #[test]
    fn a_page_elsewhere_loads_nothing_but_may_lead_to_the_page() {
        let navigation = [
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        for site in ["cross-site", "same-site"] {
            let site = ("sec-fetch-site", site);
            let leads = [HOST, site, navigation[0], navigation[1]];
            assert_eq!(checked("GET", "/", &leads), Ok(()));
            assert_eq!(
                checked("GET", "/assets/app.js", &leads),
                Err(Refusal::Origin)
            );
            assert_eq!(checked("GET", "/media/x", &leads), Err(Refusal::Origin));
            let framed = [HOST, site, navigation[0], ("sec-fetch-dest", "iframe")];
            assert_eq!(checked("GET", "/", &framed), Err(Refusal::Origin));
            let loaded = [
                HOST,
                site,
                ("sec-fetch-mode", "no-cors"),
                ("sec-fetch-dest", "script"),
            ];
            assert_eq!(checked("GET", "/", &loaded), Err(Refusal::Origin));
        }
        assert_eq!(
            checked(
                "GET",
                "/assets/app.js",
                &[HOST, ("sec-fetch-site", "same-origin")]
            ),
            Ok(())
        );
    }
}
