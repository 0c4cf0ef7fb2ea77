//! What a client is opened with.

use std::{
    fmt,
    net::Ipv6Addr,
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use undertone_wire::strings::Invitation;
use zeroize::Zeroizing;

use crate::{
    error::{Error, Reason},
    transport::{ServerAddress, Transport},
};

/// Tells the time; tests bring their own.
pub trait Clock: Send + Sync + 'static {
    /// Unix milliseconds.
    fn now_ms(&self) -> i64;

    /// Milliseconds by a clock that nobody sets and that goes on while the machine sleeps; where it began means nothing.
    fn steady_ms(&self) -> i64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        now.tv_sec * 1000 + now.tv_nsec / 1_000_000
    }
}

/// The system's clock. In debug builds `UNDERTONE_TEST_CLOCK_OFF_S` moves it by so many seconds, for tests that run the app as a
/// process of its own; release builds know nothing of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[cfg(debug_assertions)]
fn off_ms() -> i64 {
    static OFF_MS: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    *OFF_MS.get_or_init(|| {
        let off = std::env::var("UNDERTONE_TEST_CLOCK_OFF_S").ok();
        off.and_then(|off| off.parse::<i64>().ok()).unwrap_or(0) * 1000
    })
}

#[cfg(not(debug_assertions))]
fn off_ms() -> i64 {
    0
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            })
            .saturating_add(off_ms())
    }
}

/// A SOCKS5 proxy (Tor).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocksProxy {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl FromStr for SocksProxy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = Error::Reason(Reason::ProxyInvalid);
        let text = text.strip_prefix("socks5://").unwrap_or(text);
        let text = text.strip_prefix("socks5h://").unwrap_or(text);
        let Some((host, port)) = text.trim_end_matches('/').rsplit_once(':') else {
            return Err(invalid);
        };
        let bare = host
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'));
        // No credentials: each connection has its own, so that the proxy can't pair them (Tor's stream isolation).
        let of_a_name =
            |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
        let is_host = match bare {
            Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.len() <= 255 && host.chars().all(of_a_name),
        };
        match port.parse() {
            Ok(port) if is_host && port != 0 => Ok(Self {
                host: bare.unwrap_or(host).to_owned(),
                port,
            }),
            _ => Err(invalid),
        }
    }
}

/// How long automatic things wait. They are delayed so that a server can't join a sender to what made it send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendingPace {
    /// Shortest wait of an automatic send.
    pub automatic_from: Duration,
    /// Longest wait of an automatic send.
    pub automatic_to: Duration,
    /// A gap older than this is asked for again.
    pub gap: Duration,
    /// A gap asked for this long ago is shown as missing.
    pub gap_shown: Duration,
    /// Commits that the server says there were and that do not come for this long mean that this device was left out.
    pub left_out: Duration,
    /// Wait between the helpers of a resync, by rank.
    pub helper: Duration,
    /// A request for resync that was not answered is repeated after this (at least).
    pub resync_again: Duration,
    /// Longest wait between attempts to connect. A conversation in which the server's answers lead nowhere waits up to ten times as long.
    pub reconnect_to: Duration,
    /// A Welcome that did not reach an address is sent again after this, then after six times as long, and so on.
    pub welcome_again: Duration,
    /// Sends that did not reach a device for this long are shown.
    pub unreached: Duration,
    /// How often it is told at most that somebody is writing.
    pub typing: Duration,
    /// What any member of a group may commit (filling the tree, taking a leave along) is spread over this time for each member.
    pub update: Duration,
}

impl Default for SendingPace {
    fn default() -> Self {
        Self {
            automatic_from: Duration::from_millis(500),
            automatic_to: Duration::from_secs(5),
            gap: Duration::from_secs(60),
            gap_shown: Duration::from_secs(300),
            left_out: Duration::from_secs(20),
            helper: Duration::from_secs(10),
            resync_again: Duration::from_secs(3600),
            reconnect_to: Duration::from_secs(60),
            welcome_again: Duration::from_secs(60),
            unreached: Duration::from_secs(24 * 3600),
            typing: Duration::from_secs(4),
            update: Duration::from_millis(500),
        }
    }
}

impl SendingPace {
    /// The app's pace. In debug builds `UNDERTONE_TEST_PACE=fast` makes waits that would be minutes moments, for tests that
    /// run the app as a process of its own; release builds know nothing of it.
    #[must_use]
    pub fn of_this_process() -> Self {
        #[cfg(debug_assertions)]
        if std::env::var_os("UNDERTONE_TEST_PACE").is_some_and(|value| value == "fast") {
            return Self::fast_for_tests();
        }
        Self::default()
    }

    /// Waits that would be minutes are moments: a server could join a sender to what made it send.
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn fast_for_tests() -> Self {
        Self {
            automatic_from: Duration::from_millis(1),
            automatic_to: Duration::from_millis(20),
            gap: Duration::from_secs(2),
            gap_shown: Duration::from_secs(20),
            left_out: Duration::from_secs(2),
            helper: Duration::from_millis(300),
            resync_again: Duration::from_secs(3600),
            reconnect_to: Duration::from_millis(50),
            welcome_again: Duration::from_secs(2),
            unreached: Duration::from_secs(20),
            typing: Duration::from_millis(100),
            update: Duration::from_millis(100),
        }
    }
}

impl fmt::Display for SocksProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Which way to go to the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProxyChoice {
    /// The way that was chosen before; straight if none was.
    #[default]
    Remembered,
    /// Straight, from now on.
    Direct,
    /// Through this proxy, from now on.
    Socks5(SocksProxy),
}

/// What a client is opened with.
#[derive(Clone)]
pub struct ClientOptions {
    /// The way to the server. What is chosen once is remembered, so that no later command forgets the proxy.
    pub proxy: ProxyChoice,
    /// The network; None: TLS.
    pub transport: Option<Arc<dyn Transport>>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Called when a command has wiped the home that is open: the process has to end then. None: only [`crate::Event::Wiped`] is sent.
    pub on_wiped: Option<crate::kill::OnWiped>,
    /// The server is told of a bell, which a process that is locked later can hear ([`Client::bell_pass`](crate::Client::bell_pass)).
    pub bell: bool,
    /// A passphrase KDF that is fast and weak; only debug builds accept it.
    pub cheap_kdf_for_tests: bool,
    /// How long automatic things wait.
    pub sending: SendingPace,
    /// Commits and Welcomes of more bytes than this go by reference to a blob, so that small groups do what large ones do; only debug
    /// builds look at it.
    pub inline_max_for_tests: Option<usize>,
}

impl ClientOptions {
    /// The largest body that goes inside an item.
    #[cfg(debug_assertions)]
    pub(crate) fn inline_max(&self) -> usize {
        self.inline_max_for_tests.unwrap_or(usize::MAX)
    }

    /// The largest body that goes inside an item: whatever fits.
    #[cfg(not(debug_assertions))]
    pub(crate) fn inline_max(&self) -> usize {
        usize::MAX
    }
}

/// In debug builds `UNDERTONE_TEST_INLINE_MAX` sets it, for tests that run the app as a process of its own.
#[cfg(debug_assertions)]
fn inline_max_of_this_process() -> Option<usize> {
    std::env::var("UNDERTONE_TEST_INLINE_MAX")
        .ok()?
        .parse()
        .ok()
}

#[cfg(not(debug_assertions))]
fn inline_max_of_this_process() -> Option<usize> {
    None
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            proxy: ProxyChoice::Remembered,
            transport: None,
            clock: Arc::new(SystemClock),
            on_wiped: None,
            bell: false,
            cheap_kdf_for_tests: false,
            sending: SendingPace::of_this_process(),
            inline_max_for_tests: inline_max_of_this_process(),
        }
    }
}

/// The words that the account can be got back with. Shown until they are on paper.
#[derive(Clone)]
pub struct RecoveryPhrase(Zeroizing<String>);

impl RecoveryPhrase {
    pub(crate) fn new(words: &str) -> Self {
        Self(Zeroizing::new(words.to_owned()))
    }

    /// Twelve words, separated by spaces.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.0
    }
}

/// The server that a new account registers with: an invitation, or `host:port+pin`.
#[derive(Clone)]
pub struct ServerChoice(pub(crate) Arc<Invitation>);

impl ServerChoice {
    /// `host:port`.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.server.origin.to_string()
    }

    /// A server that this account knows, without an invitation to it.
    pub(crate) fn without_invitation(server: ServerAddress) -> Self {
        Self(Arc::new(Invitation { server, code: None }))
    }

    pub(crate) fn server(&self) -> &ServerAddress {
        &self.0.server
    }
}

impl FromStr for ServerChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Self(Arc::new(Invitation::parse_server(text)?)))
    }
}
