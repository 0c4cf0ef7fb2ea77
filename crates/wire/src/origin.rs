//! Where a server is, and what it is known by.
//!
//! An [`Origin`] is `host:port`; a [`ServerAddress`] is an origin and the pin of the server's key, written `host:port+pin`. A
//! host is an IPv4 address, an IPv6 address in brackets, or a name (`.onion` names too). The port may be left out
//! and is 7443 then.

use std::{fmt, net::IpAddr, str::FromStr};

use crate::{Code, Error, Result, ids::Pin, limits::DEFAULT_PORT};

/// A host and a port. One server has one text form: lower case, port always written.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    host: String,
    port: u16,
}

impl Origin {
    /// From a host (IPv6 without brackets) and a port.
    ///
    /// # Errors
    /// [`Code::OriginMalformed`].
    pub fn new(host: &str, port: u16) -> Result<Self> {
        if port == 0 {
            return Err(Code::OriginMalformed.into());
        }
        let host = match host.parse::<IpAddr>() {
            Ok(address) => address.to_string(),
            Err(_) => checked_name(host)?,
        };
        Ok(Self { host, port })
    }

    /// The name or IP address, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The host, if it is an IP address.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether only Tor can reach it.
    pub fn is_onion(&self) -> bool {
        self.host.ends_with(".onion")
    }
}

/// RFC 1123 labels, and `_`, which real networks have.
fn checked_name(name: &str) -> Result<String> {
    let label_is_right = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    // A last label of digits alone is an IPv4 address gone wrong.
    let last_is_a_number = name
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    if name.len() > 253 || last_is_a_number || !name.split('.').all(label_is_right) {
        return Err(Code::OriginMalformed.into());
    }
    Ok(name.to_ascii_lowercase())
}

impl FromStr for Origin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = Error::new(Code::OriginMalformed);
        let text = text.trim();
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or(malformed)?;
            if !matches!(host.parse(), Ok(IpAddr::V6(_))) {
                return Err(malformed);
            }
            match rest {
                "" => (host, None),
                _ => (host, Some(rest.strip_prefix(':').ok_or(malformed)?)),
            }
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        let port = match port {
            None => DEFAULT_PORT,
            // `parse` alone would take "+1".
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().map_err(|_| malformed)?
            }
            Some(_) => return Err(malformed),
        };
        Self::new(host, port)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// No host in a log.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Origin")
    }
}

/// An origin and the pin of the server's identity key: all one needs to know to reach the right server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerAddress {
    /// Where it is.
    pub origin: Origin,
    /// What it is known by, wherever it is.
    pub pin: Pin,
}

impl FromStr for ServerAddress {
    type Err = Error;

    /// `host:port+pin`.
    fn from_str(text: &str) -> Result<Self> {
        let malformed = Error::new(Code::OriginMalformed);
        let (origin, pin) = text.trim().split_once('+').ok_or(malformed)?;
        Ok(Self {
            origin: origin.parse()?,
            pin: pin.parse().map_err(|_| malformed)?,
        })
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.origin, self.pin)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn origins_have_one_text_form() {
        for (text, canonical) in [
            ("example.org", "example.org:7443"),
            ("Example.ORG:443", "example.org:443"),
            ("127.0.0.1", "127.0.0.1:7443"),
            ("[::1]", "[::1]:7443"),
            ("[2001:DB8:0::1]:1", "[2001:db8::1]:1"),
            ("localhost:65535", "localhost:65535"),
            (" chat_1.lan ", "chat_1.lan:7443"),
            (
                "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion",
                "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion:7443",
            ),
        ] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!(origin.to_string(), canonical);
            assert_eq!(origin.to_string().parse::<Origin>().unwrap(), origin);
        }
        assert!("a.onion".parse::<Origin>().unwrap().is_onion());
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            ":",
            ":1",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:-1",
            "a:b",
            "a:1:2",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]:",
            "[127.0.0.1]",
            "[a]:1",
            "a b",
            "-a",
            "a-",
            "a..b",
            ".a",
            "a.",
            "256.0.0.1",
            "1.2.3",
            "http://a",
            "a/b",
            "a@b",
            "ä.org",
            "a\n",
            "a\0",
        ] {
            if text == "a\n" {
                continue; // surrounding white space is trimmed
            }
            assert!(text.parse::<Origin>().is_err(), "{text:?}");
        }
        assert!("a".repeat(64).parse::<Origin>().is_err());
        assert!(["a"; 130].join(".").parse::<Origin>().is_err());
    }

    #[test]
    fn a_server_address_needs_a_whole_pin() {
        let address = ServerAddress {
            origin: "example.org".parse().unwrap(),
            pin: Pin::new([1; 32]),
        };
        let text = address.to_string();
        assert_eq!(text.parse::<ServerAddress>().unwrap(), address);
        assert!(text[..text.len() - 1].parse::<ServerAddress>().is_err());
        assert!("example.org".parse::<ServerAddress>().is_err());
        assert!(!format!("{address:?}").contains("example"));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_not_and_what_parses_round_trips(text in ".{0,80}") {
            let _ = text.parse::<ServerAddress>();
            if let Ok(origin) = text.parse::<Origin>() {
                prop_assert_eq!(origin.to_string().parse::<Origin>().unwrap(), origin);
            }
        }
    }
}
