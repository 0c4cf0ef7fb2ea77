//! Values on the command line, and how they are read.

use clap::{Args, ValueEnum};
use jiff::civil::{Date, DateTime};
use undertone_core::Location;

use crate::terminal::time::parse_span;

/// How the app in the browser comes up.
#[derive(Args, Clone, Debug, Default)]
pub struct AppOptions {
    /// Don't open the browser; print the address and a code to type there
    #[arg(long)]
    pub no_browser: bool,
    /// Serve the app on this port of 127.0.0.1 [default: one that is free]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
}

/// `52.3702,4.8952`, or the same as a `geo:` URI.
///
/// # Errors
/// A sentence, for what is not on the earth.
pub fn parse_location(text: &str) -> Result<Location, String> {
    let text = text.trim();
    let uri = match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("geo:") => text.to_owned(),
        _ => format!("geo:{}", text.replace(", ", ",")),
    };
    Location::of_text(&uri).ok_or_else(|| {
        "a place is given as degrees north and east, such as 52.3702,4.8952".to_owned()
    })
}

/// How to reach the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// Without a proxy, even if the home remembers one.
    None,
    /// Through a SOCKS5 proxy.
    Socks5 {
        /// Name or address, without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
}

impl Proxy {
    /// As the status shows it: `host:port`, or nothing.
    #[must_use]
    pub fn shown(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Socks5 { host, port } if host.contains(':') => Some(format!("[{host}]:{port}")),
            Self::Socks5 { host, port } => Some(format!("{host}:{port}")),
        }
    }
}

/// What sort of message to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// With a picture
    Photo,
    /// With a video
    Video,
    /// With a voice memo or other sound
    Audio,
    /// With any other file
    File,
    /// With a link
    Link,
}

/// Read receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Receipts {
    /// Told both ways
    On,
    /// Told neither way
    Off,
    /// As it is set for all
    Default,
}

/// How long a chat is muted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mute {
    /// Not any more.
    Off,
    /// So many seconds.
    For(u64),
    /// Until it is ended.
    Always,
}

pub(super) fn parse_mute(text: &str) -> Result<Mute, String> {
    match text {
        "off" => Ok(Mute::Off),
        "always" => Ok(Mute::Always),
        span => parse_span(span).map(Mute::For),
    }
}

/// What a member may do in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupRole {
    /// Reads and writes
    Member,
    /// Also adds, removes and renames
    Admin,
    /// Also gives roles
    Owner,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    /// On
    On,
    /// Off
    Off,
}

/// Who may do something in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Who {
    /// Every member
    Everybody,
    /// Admins and owners
    Admins,
    /// Owners
    Owners,
}

/// How long a contact link may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Seconds from now.
    After(u64),
    /// Until revoked.
    Never,
}

pub(super) fn parse_expiry(text: &str) -> Result<Expiry, String> {
    if text == "never" {
        Ok(Expiry::Never)
    } else {
        parse_span(text).map(Expiry::After)
    }
}

/// A moment of the past: so many seconds ago, or as a calendar and a clock here say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Seconds ago.
    Ago(u64),
    /// In the machine's own zone.
    At(DateTime),
}

pub(super) fn parse_when(text: &str) -> Result<When, String> {
    match parse_span(text) {
        Ok(seconds) => Ok(When::Ago(seconds)),
        Err(_) => parse_moment(text).map(When::At).map_err(|_| {
            format!("\"{text}\" is neither a span such as 2h or 7d nor a date such as 2026-03-01")
        }),
    }
}

/// A day, at its beginning, or a day and a time.
pub(super) fn parse_moment(text: &str) -> Result<DateTime, String> {
    let found = if text.contains('T') {
        text.parse::<DateTime>()
    } else {
        text.parse::<Date>().map(|day| day.at(0, 0, 0, 0))
    };
    found.map_err(|_| {
        format!("\"{text}\" is no moment; write 2026-03-01 or 2026-03-01T18:30, in your own time")
    })
}

/// `off`, or a span of at most a year.
pub(super) fn parse_timer(text: &str) -> Result<u32, String> {
    if text == "off" {
        return Ok(0);
    }
    u32::try_from(parse_span(text)?)
        .ok()
        .filter(|seconds| *seconds <= undertone_core::LONGEST_TIMER_S)
        .ok_or_else(|| "messages can stay for at most a year".to_owned())
}

pub(super) fn parse_proxy(text: &str) -> Result<Proxy, String> {
    if text == "none" {
        return Ok(Proxy::None);
    }
    let refuse = || {
        format!(
            "\"{text}\" is no proxy; write socks5://HOST:PORT, as in socks5://127.0.0.1:9050, or none"
        )
    };
    let place = text
        .strip_prefix("socks5://")
        .or_else(|| text.strip_prefix("socks5h://"))
        .ok_or_else(refuse)?;
    let place = place.strip_suffix('/').unwrap_or(place);
    let (host, port) = place.rsplit_once(':').ok_or_else(refuse)?;
    let port: u16 = port
        .parse()
        .ok()
        .filter(|port| *port != 0)
        .ok_or_else(refuse)?;
    let bare = host
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'));
    // Credentials are refused: each connection gets its own, so that the proxy can't pair them (Tor's stream isolation).
    let is_host = |host: &str| {
        !host.is_empty()
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    match bare {
        Some(inner) if inner.parse::<std::net::Ipv6Addr>().is_ok() => Ok(Proxy::Socks5 {
            host: inner.to_owned(),
            port,
        }),
        None if is_host(host) => Ok(Proxy::Socks5 {
            host: host.to_owned(),
            port,
        }),
        _ => Err(refuse()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_socks5_without_credentials() {
        assert_eq!(
            parse_proxy("socks5://127.0.0.1:9050"),
            Ok(Proxy::Socks5 {
                host: "127.0.0.1".into(),
                port: 9050
            })
        );
        assert_eq!(
            parse_proxy("socks5://[::1]:9050/"),
            Ok(Proxy::Socks5 {
                host: "::1".into(),
                port: 9050
            })
        );
        assert_eq!(parse_proxy("none"), Ok(Proxy::None));
        for wrong in [
            "http://x:1",
            "socks5://x",
            "socks5://:9",
            "socks5://x:0",
            "socks5://u:p@x:1",
            "x:1",
            "socks5://[::1:9",
        ] {
            assert!(parse_proxy(wrong).is_err(), "{wrong}");
        }
    }
}
