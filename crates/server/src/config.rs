//! The server's settings, read from `undertone-server.toml`.
//!
//! Every field has a default except `origin`, unknown fields are refused, and a mistake is explained in
//! one sentence. Units stand in the names. What is read here is checked once; the rest of the server
//! takes it as true.

use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;
use undertone_wire::origin::Origin;

use crate::error::ServerError;

/// The file's name inside the server's folder.
pub const FILE_NAME: &str = "undertone-server.toml";

/// Who may register a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Anyone who can reach the port.
    Open,
    /// Whoever holds an unused invitation.
    Invitation,
}

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Public `host:port`, written into invitations and contact links.
    pub origin: String,
    /// Address and port to listen on. `[::]` takes IPv4 as well.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Who may register.
    #[serde(default = "default_registration")]
    pub registration: Registration,
    /// Loopback address of the Prometheus page, absent: none.
    #[serde(default)]
    pub metrics: Option<SocketAddr>,
    /// Serve without TLS. Accepted on loopback only, for tests and for a proxy on the same machine.
    #[serde(default)]
    pub plain_text_on_loopback: bool,
    /// Bounds on connections and requests.
    #[serde(default)]
    pub limits: Limits,
    /// What one address or one queue may hold.
    #[serde(default)]
    pub quotas: Quotas,
    /// How long things are kept.
    #[serde(default)]
    pub retention: Retention,
    /// Blind tokens.
    #[serde(default)]
    pub tokens: Tokens,
    /// Disk space.
    #[serde(default)]
    pub disk: Disk,
    /// Other servers.
    #[serde(default)]
    pub forwarding: Forwarding,
}

/// Other servers: what is passed on to them, what they bring, and what their people may do here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forwarding {
    /// Whether anything is passed on to other servers.
    pub to_others: bool,
    /// Whether anything is taken from other servers.
    pub from_others: bool,
    /// Whether servers at addresses of this machine or a private network may be dialled.
    pub private_addresses: bool,
    /// MiB that may wait for other servers in all.
    pub mib: u32,
    /// MiB that may wait for one of them.
    pub mib_per_server: u32,
    /// Servers for which something may wait at once.
    pub servers: u32,
    /// Longest pause in seconds between two attempts to reach one.
    pub retry_s: u32,
    /// Times a minute that other servers may bring something.
    pub requests_per_minute: u32,
    /// Requests that the guests of one conversation may make in a day.
    pub guest_requests_per_day: u32,
    /// MiB that they may send in a day, each copy counted.
    pub guest_mib_per_day: u32,
    /// MiB that the guests of all conversations may send in a day.
    pub guests_mib_per_day: u32,
    /// Key packages of one address that may be taken in a day without a token.
    pub guest_key_packages_per_day: u32,
}

/// Bounds on connections and requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections open at once, HTTP included.
    pub connections: u32,
    /// Most addresses a send may name; at most 4,096.
    pub addresses_per_send: u32,
    /// Largest payload of a send in KiB; at most 64.
    pub item_kib: u32,
    /// Largest blob in MiB.
    pub blob_mib: u64,
    /// Seconds a client may take to read what was written to it.
    pub write_timeout_s: u32,
    /// Seconds from the first byte to a finished hello.
    pub hello_timeout_s: u32,
    /// Seconds without a byte from the client after which the connection is closed.
    pub idle_timeout_s: u32,
}

/// What one address or one queue may hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quotas {
    /// Addresses of one queue.
    pub addresses_per_queue: u32,
    /// One-time key packages of one address.
    pub key_packages_per_address: u32,
    /// Undelivered items of one conversation address.
    pub conversation_items: u32,
    /// Undelivered MiB of one conversation address.
    pub conversation_mib: u32,
    /// Undelivered items of one contact or key package address.
    pub contact_items: u32,
    /// Undelivered MiB of one contact or key package address.
    pub contact_mib: u32,
    /// Undelivered items of a whole queue.
    pub queue_items: u32,
    /// Undelivered MiB of a whole queue.
    pub queue_mib: u32,
    /// Temporary queues at once, by which new devices are linked; 0: none are made.
    pub temporary_queues: u32,
    /// Temporary queues made in a minute.
    pub temporary_queues_per_minute: u32,
    /// Further devices that the owner of one queue may bring in a day.
    pub devices_per_day: u32,
}

/// How long things are kept, in days.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Undelivered items.
    pub item_days: u32,
    /// Blobs.
    pub blob_days: u32,
    /// Queues whose owner has not signed in.
    pub queue_days: u32,
    /// Channels nothing was sent on.
    pub channel_days: u32,
}

/// Blind tokens: how many a queue gets, what one buys.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// Tokens one queue may have issued a day.
    pub per_day: u32,
    /// Requests one token buys.
    pub requests: u32,
    /// MiB one token buys.
    pub mib: u32,
}

/// Disk space.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Disk {
    /// MiB kept free for acknowledgements, deletes and commits. Uploads leave twice as much alone.
    pub reserve_mib: u64,
    /// MiB that all blobs may hold; 0: as much as the disk has.
    pub blobs_mib: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            addresses_per_send: 4096,
            item_kib: 64,
            blob_mib: 4096,
            write_timeout_s: 30,
            hello_timeout_s: 15,
            idle_timeout_s: 900,
        }
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            addresses_per_queue: 20_000,
            key_packages_per_address: 100,
            conversation_items: 50_000,
            conversation_mib: 256,
            contact_items: 64,
            contact_mib: 4,
            queue_items: 500_000,
            queue_mib: 2048,
            temporary_queues: 1000,
            temporary_queues_per_minute: 60,
            devices_per_day: 4,
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            item_days: 30,
            blob_days: 30,
            queue_days: 365,
            channel_days: 365,
        }
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            per_day: 1000,
            requests: 1000,
            mib: 64,
        }
    }
}

impl Default for Forwarding {
    fn default() -> Self {
        Self {
            to_others: true,
            from_others: true,
            private_addresses: false,
            mib: 1024,
            mib_per_server: 256,
            servers: 1000,
            retry_s: 300,
            requests_per_minute: 3000,
            guest_requests_per_day: 10_000,
            guest_mib_per_day: 512,
            guests_mib_per_day: 16_384,
            guest_key_packages_per_day: 16,
        }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            reserve_mib: 256,
            blobs_mib: 0,
        }
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 7443))
}

fn default_registration() -> Registration {
    Registration::Invitation
}

/// Each figure under the name that stands in the file, with the smallest and the largest that makes sense.
macro_rules! within {
    ($config:ident: $($section:ident.$field:ident: $low:literal..=$high:expr;)*) => {
        [$((
            concat!(stringify!($section), ".", stringify!($field)),
            u64::from($config.$section.$field),
            $low,
            $high,
        )),*]
    };
}

impl Config {
    /// Settings with every default and this origin.
    #[must_use]
    pub fn with_origin(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            listen: default_listen(),
            registration: default_registration(),
            metrics: None,
            plain_text_on_loopback: false,
            limits: Limits::default(),
            quotas: Quotas::default(),
            retention: Retention::default(),
            tokens: Tokens::default(),
            disk: Disk::default(),
            forwarding: Forwarding::default(),
        }
    }

    /// Reads and checks the settings of the server folder `dir`.
    ///
    /// # Errors
    /// [`ServerError::Config`] with a sentence naming the file, the line and the mistake.
    pub fn read(dir: &Path) -> Result<Self, ServerError> {
        let path = dir.join(FILE_NAME);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                ServerError::NotAServerFolder(dir.to_path_buf())
            } else {
                ServerError::io("read", &path, &error)
            }
        })?;
        Self::parse(&text)
    }

    /// Parses and checks the text of a settings file.
    ///
    /// # Errors
    /// [`ServerError::Config`] with a sentence naming the line and the mistake.
    pub fn parse(text: &str) -> Result<Self, ServerError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let what = error.message().replace('\n', " ");
            let sentence = match error.span() {
                Some(span) => {
                    let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
                    format!("line {line}: {what}")
                }
                None => what,
            };
            ServerError::Config(sentence)
        })?;
        config.check()?;
        Ok(config)
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// [`ServerError::Config`] naming the field and what it must be.
    pub fn check(&self) -> Result<(), ServerError> {
        parse_origin(&self.origin)?;
        if let Some(metrics) = self.metrics
            && !metrics.ip().is_loopback()
        {
            return wrong("metrics must be a loopback address such as 127.0.0.1:7444");
        }
        if self
            .metrics
            .is_some_and(|metrics| metrics.port() != 0 && metrics.port() == self.listen.port())
        {
            return wrong("metrics and listen need different ports");
        }
        if self.plain_text_on_loopback && !self.listen.ip().is_loopback() {
            return wrong("plain_text_on_loopback needs a loopback address in listen");
        }
        let within = within! { self:
            limits.connections: 1..=1_000_000;
            limits.addresses_per_send: 2..=4096;
            limits.item_kib: 8..=64;
            limits.blob_mib: 1..=1 << 20;
            limits.write_timeout_s: 1..=3600;
            limits.hello_timeout_s: 1..=600;
            limits.idle_timeout_s: 10..=86_400;
            quotas.addresses_per_queue: 1..=10_000_000;
            quotas.key_packages_per_address: 1..=10_000;
            quotas.conversation_items: 1..=100_000_000;
            quotas.conversation_mib: 1..=1 << 20;
            quotas.contact_items: 1..=1_000_000;
            quotas.contact_mib: 1..=1 << 20;
            quotas.queue_items: 1..=100_000_000;
            quotas.queue_mib: 1..=1 << 20;
            quotas.temporary_queues: 0..=1_000_000;
            quotas.temporary_queues_per_minute: 1..=1_000_000;
            quotas.devices_per_day: 0..=1000;
            retention.item_days: 1..=3650;
            retention.blob_days: 1..=3650;
            retention.queue_days: 1..=36_500;
            retention.channel_days: 1..=36_500;
            tokens.per_day: 1..=1_000_000;
            tokens.requests: 1..=1_000_000;
            tokens.mib: 1..=65_536;
            disk.reserve_mib: 1..=1 << 30;
            disk.blobs_mib: 0..=1 << 40;
            forwarding.mib: 1..=1 << 20;
            forwarding.mib_per_server: 1..=1 << 20;
            forwarding.servers: 1..=1_000_000;
            forwarding.retry_s: 1..=86_400;
            forwarding.requests_per_minute: 1..=1_000_000;
            forwarding.guest_requests_per_day: 0..=100_000_000;
            forwarding.guest_mib_per_day: 0..=1 << 20;
            forwarding.guests_mib_per_day: 0..=1 << 20;
            forwarding.guest_key_packages_per_day: 0..=10_000;
        };
        for (field, value, low, high) in within {
            if value < low || value > high {
                return wrong(&format!(
                    "{field} is {value} and must be from {low} to {high}"
                ));
            }
        }
        if self.tokens.mib < 17 {
            return wrong(
                "tokens.mib must be at least 17, since one token pays for a whole upload step of 16 MiB",
            );
        }
        Ok(())
    }
}

fn wrong<T>(sentence: &str) -> Result<T, ServerError> {
    Err(ServerError::Config(sentence.to_owned()))
}

/// Parses a `host:port`.
///
/// # Errors
/// [`ServerError::Config`] saying what an origin looks like.
pub fn parse_origin(origin: &str) -> Result<Origin, ServerError> {
    origin.parse().map_err(|_| {
        ServerError::Config(
            "origin must be host:port, for example chat.example.org:7443".to_owned(),
        )
    })
}

/// The text of a fresh settings file: the fields most owners touch, each with a comment.
#[must_use]
pub fn template(origin: &str, listen: Option<SocketAddr>, registration: Registration) -> String {
    let listen = listen.unwrap_or_else(default_listen);
    let registration = match registration {
        Registration::Open => "open",
        Registration::Invitation => "invitation",
    };
    format!(
        r#"# Settings of this Undertone server. After a change: undertone-server check-config DIR, then restart.

# The public host and port that stand in invitations and contact links. Changing it makes links given out so far useless.
origin = "{origin}"

# Where to listen. [::] takes IPv4 and IPv6.
listen = "{listen}"

# "invitation": a new device needs a code from `undertone-server invite create`. "open": anyone may register.
registration = "{registration}"

# Figures for Prometheus, on this machine only. Leave out for none.
# metrics = "127.0.0.1:7444"

[limits]
connections = 20000          # open at once
blob_mib = 4096              # largest attachment

[quotas]                     # undelivered, for each address
conversation_items = 50000
conversation_mib = 256
contact_items = 64
contact_mib = 4
queue_items = 500000         # for a whole device
queue_mib = 2048
temporary_queues = 1000      # anybody may make one for a day or two; new devices are linked by them. 0: none
devices_per_day = 4          # further devices that one device may bring

[retention]
item_days = 30               # a message waits this long for its reader
blob_days = 30               # an attachment waits this long, and never shorter than a message
queue_days = 365             # a device that never comes back is forgotten
channel_days = 365           # a conversation in which nothing happens is forgotten

[tokens]                     # senders are anonymous and pay with blind tokens
per_day = 1000               # a device may have this many issued a day: one pays for 8 MiB of an attachment
requests = 1000              # one token buys so many requests
mib = 64                     # and so many MiB

[disk]
reserve_mib = 256            # kept free so that reading, deleting and removing people still work when the disk is full
blobs_mib = 0                # attachments may take so much in all; 0: all but twice the reserve

[forwarding]                 # conversations with people on other servers
to_others = true             # pass on what is for them
from_others = true           # take what they bring
mib = 1024                   # may wait for servers that are away
guest_mib_per_day = 512      # their people may send so much on one conversation here, each copy counted
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_a_valid_file_with_the_defaults() {
        let config = Config::parse(&template(
            "chat.example.org:7443",
            None,
            Registration::Invitation,
        ))
        .expect("the template parses");
        assert_eq!(config.listen, default_listen());
        assert_eq!(config.registration, Registration::Invitation);
        assert_eq!(config.limits.connections, Limits::default().connections);
        assert_eq!(config.limits.blob_mib, Limits::default().blob_mib);
        assert_eq!(
            config.quotas.conversation_items,
            Quotas::default().conversation_items
        );
        assert_eq!(config.retention.queue_days, Retention::default().queue_days);
        assert_eq!(
            config.quotas.temporary_queues,
            Quotas::default().temporary_queues
        );
        assert_eq!(config.tokens.per_day, Tokens::default().per_day);
        assert_eq!(config.disk.reserve_mib, Disk::default().reserve_mib);
        assert_eq!(config.disk.blobs_mib, Disk::default().blobs_mib);
    }

    #[test]
    fn a_mistake_is_explained_with_its_line() {
        let text = "origin = \"a:1\"\nregistration = \"maybe\"\n";
        let error = Config::parse(text)
            .expect_err("maybe is no choice")
            .to_string();
        assert!(error.contains("line 2"), "{error}");
        assert!(error.contains("open"), "{error}");

        let error = Config::parse("origin = \"a:1\"\n[limits]\nconections = 3\n")
            .expect_err("a typo is refused")
            .to_string();
        assert!(
            error.contains("line 3") && error.contains("conections"),
            "{error}"
        );
    }

    #[test]
    fn values_out_of_range_are_named() {
        for (text, word) in [
            ("origin = \"no host\"", "host:port"),
            ("origin = \"a:0\"", "host:port"),
            ("origin = \"a b:5\"", "host:port"),
            ("origin = \"a:1\"\nmetrics = \"0.0.0.0:1\"", "loopback"),
            (
                "origin = \"a:1\"\nplain_text_on_loopback = true",
                "loopback",
            ),
            (
                "origin = \"a:1\"\n[limits]\nitem_kib = 65",
                "limits.item_kib",
            ),
            ("origin = \"a:1\"\n[tokens]\nmib = 16", "tokens.mib"),
        ] {
            let error = Config::parse(text).expect_err(text).to_string();
            assert!(error.contains(word), "{error}");
        }
        for origin in [
            "[::1]:7443",
            "127.0.0.1:7443",
            "localhost:1",
            "chat.example.org:443",
        ] {
            parse_origin(origin).expect(origin);
        }
    }
}
