//! Who may come in: launch tokens, the typed code, and the sessions that they become.
//!
//! A launch token is in the redirect file that this user's browser opens; a code is typed by somebody who sees this user's
//! terminal. Either is good once and becomes a session, whose token the page keeps and shows when it connects again. What must
//! stay true: secrets are kept as hashes and compared in constant time; a code dies with its fifth wrong guess, so that a guess
//! has one chance in two hundred thousand.

use std::{
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rand::{TryRngCore as _, rngs::OsRng};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// How long a launch token may be used.
pub const LAUNCH_LIFE: Duration = Duration::from_secs(30);
/// How long a code may be typed.
pub const CODE_LIFE: Duration = Duration::from_secs(300);
/// Guesses at one code.
const GUESSES: u32 = 5;
/// Launch tokens at a time; the oldest goes.
const LAUNCHES: usize = 8;
/// Sessions at a time, which are tabs; the oldest goes.
const SESSIONS: usize = 16;

/// SHA-256 of a token.
pub type Hash = [u8; 32];

/// What somebody shows to be let in.
pub enum Key<'a> {
    /// The token of a redirect file.
    Launch(&'a str),
    /// The six digits.
    Code(&'a str),
    /// A session's own token, from before the connection was lost.
    Session(&'a str),
}

/// A session, once it is let in.
pub struct Admitted {
    /// Which one: the hash of its token.
    pub session: Hash,
    /// Its token, when it is new.
    pub token: Option<Zeroizing<String>>,
}

/// The ways in.
#[derive(Default)]
pub struct Doors(Mutex<Ways>);

#[derive(Default)]
struct Ways {
    launches: Vec<(Hash, Instant)>,
    code: Option<Code>,
    sessions: Vec<Hash>,
}

struct Code {
    hash: Hash,
    until: Instant,
    guesses: u32,
}

impl Doors {
    /// With sessions of before this process locked itself.
    pub fn with_sessions(sessions: Vec<Hash>) -> Self {
        Self(Mutex::new(Ways {
            sessions,
            ..Ways::default()
        }))
    }

    /// A new launch token, good once within 30 seconds of `now`.
    ///
    /// # Errors
    /// `host.random`.
    pub fn launch(&self, now: Instant) -> Result<Zeroizing<String>, Failure> {
        let token = token()?;
        let mut ways = self.ways();
        if ways.launches.len() == LAUNCHES {
            ways.launches.remove(0);
        }
        ways.launches.push((hash(&token), now + LAUNCH_LIFE));
        Ok(token)
    }

    /// A new code, in place of the one before.
    ///
    /// # Errors
    /// `host.random`.
    pub fn code(&self, now: Instant) -> Result<Zeroizing<String>, Failure> {
        let digits = Zeroizing::new(format!("{:06}", below_a_million()?));
        self.ways().code = Some(Code {
            hash: hash(&digits),
            until: now + CODE_LIFE,
            guesses: GUESSES,
        });
        Ok(digits)
    }

    /// Lets somebody in, or not.
    ///
    /// # Errors
    /// `host.refused`; `host.code_wrong` and `host.code_over` for a code; `host.random`.
    pub fn enter(&self, key: &Key<'_>, now: Instant) -> Result<Admitted, Failure> {
        let mut ways = self.ways();
        match key {
            Key::Launch(given) => {
                let given = hash(given);
                ways.launches.retain(|(_, until)| *until > now);
                let found = position(ways.launches.iter().map(|(known, _)| known), &given);
                let Some(found) = found else {
                    return Err(refused());
                };
                ways.launches.remove(found);
                ways.admit()
            }
            Key::Code(given) => {
                let given: String = given.chars().filter(char::is_ascii_digit).collect();
                let Some(code) = ways.code.as_mut().filter(|code| code.until > now) else {
                    ways.code = None;
                    return Err(code_over());
                };
                if bool::from(code.hash.ct_eq(&hash(&given))) {
                    ways.code = None;
                    return ways.admit();
                }
                code.guesses -= 1;
                if code.guesses == 0 {
                    ways.code = None;
                    return Err(code_over());
                }
                Err(Failure::new("host.code_wrong", "That is not the code."))
            }
            Key::Session(given) => {
                let given = hash(given);
                match position(ways.sessions.iter(), &given) {
                    Some(_) => Ok(Admitted {
                        session: given,
                        token: None,
                    }),
                    None => Err(refused()),
                }
            }
        }
    }

    /// The sessions there are, for the process that takes this one's place.
    pub fn sessions(&self) -> Vec<Hash> {
        self.ways().sessions.clone()
    }

    fn ways(&self) -> MutexGuard<'_, Ways> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ways {
    fn admit(&mut self) -> Result<Admitted, Failure> {
        let token = token()?;
        let session = hash(&token);
        if self.sessions.len() == SESSIONS {
            self.sessions.remove(0);
        }
        self.sessions.push(session);
        Ok(Admitted {
            session,
            token: Some(token),
        })
    }
}

/// Where `given` is; every one is compared, however early it is found.
fn position<'a>(known: impl Iterator<Item = &'a Hash>, given: &Hash) -> Option<usize> {
    let mut found = None;
    for (index, one) in known.enumerate() {
        if bool::from(one.ct_eq(given)) {
            found = Some(index);
        }
    }
    found
}

/// 256 random bits in lower-case hexadecimal.
///
/// # Errors
/// `host.random`.
pub fn token() -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    OsRng
        .try_fill_bytes(&mut *bytes)
        .map_err(|_| no_randomness())?;
    Ok(Zeroizing::new(hexadecimal(&*bytes)))
}

/// A number of at most six digits, each as likely as any other.
fn below_a_million() -> Result<u32, Failure> {
    // Numbers above the last whole million would make some more likely.
    const FAIR: u32 = u32::MAX - u32::MAX % 1_000_000;
    loop {
        let drawn = OsRng.try_next_u32().map_err(|_| no_randomness())?;
        if drawn < FAIR {
            return Ok(drawn % 1_000_000);
        }
    }
}

/// The operating system gave none.
pub fn no_randomness() -> Failure {
    Failure::new(
        "host.random",
        "The operating system gave no randomness; nothing was opened.",
    )
}

/// What is kept of a token.
pub fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

/// Lower-case hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The other way; none unless it is the hexadecimal of 32 bytes.
pub fn hash_from_hexadecimal(text: &str) -> Option<Hash> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn refused() -> Failure {
    Failure::new(
        "host.refused",
        "This page was not opened by Undertone, or too long ago; start `undertone` again.",
    )
}

fn code_over() -> Failure {
    Failure::new(
        "host.code_over",
        "There is no code to be typed any more; start `undertone` again for a new one.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(doors: &Doors, key: &Key<'_>, now: Instant) -> String {
        match doors.enter(key, now) {
            Ok(_) => panic!("let in"),
            Err(failure) => failure.code,
        }
    }

    fn entered(doors: &Doors, key: &Key<'_>, now: Instant) -> Admitted {
        doors
            .enter(key, now)
            .unwrap_or_else(|failure| panic!("{}", failure.code))
    }

    fn launch(doors: &Doors, now: Instant) -> Zeroizing<String> {
        doors
            .launch(now)
            .unwrap_or_else(|failure| panic!("{}", failure.code))
    }

    fn code(doors: &Doors, now: Instant) -> Zeroizing<String> {
        doors
            .code(now)
            .unwrap_or_else(|failure| panic!("{}", failure.code))
    }

    #[test]
    fn a_launch_token_is_good_once_and_for_thirty_seconds() {
        let (doors, now) = (Doors::default(), Instant::now());
        let token = launch(&doors, now);
        assert_eq!(token.len(), 64);
        let in_time = now + Duration::from_secs(29);
        assert!(
            entered(&doors, &Key::Launch(&token), in_time)
                .token
                .is_some()
        );
        assert_eq!(
            refusal(&doors, &Key::Launch(&token), in_time),
            "host.refused"
        );

        let stale = launch(&doors, now);
        let late = now + LAUNCH_LIFE;
        assert_eq!(refusal(&doors, &Key::Launch(&stale), late), "host.refused");
        assert_eq!(refusal(&doors, &Key::Launch(""), now), "host.refused");
    }

    #[test]
    fn a_session_comes_back_by_its_own_token_only() {
        let (doors, now) = (Doors::default(), Instant::now());
        let launch = launch(&doors, now);
        let token = entered(&doors, &Key::Launch(&launch), now)
            .token
            .expect("new");
        let again = entered(&doors, &Key::Session(&token), now);
        assert!(again.token.is_none());
        assert_eq!(again.session, hash(&token));
        assert_eq!(refusal(&doors, &Key::Session(&launch), now), "host.refused");
        assert_eq!(refusal(&doors, &Key::Launch(&token), now), "host.refused");
        let resumed = Doors::with_sessions(doors.sessions());
        assert!(
            entered(&resumed, &Key::Session(&token), now)
                .token
                .is_none()
        );
    }

    #[test]
    fn a_code_has_six_digits_and_dies_with_the_fifth_wrong_guess() {
        let (doors, now) = (Doors::default(), Instant::now());
        let digits = code(&doors, now);
        assert!(digits.len() == 6 && digits.chars().all(|digit| digit.is_ascii_digit()));
        let wrong = if *digits == "000000" {
            "000001"
        } else {
            "000000"
        };
        for _ in 0..4 {
            assert_eq!(refusal(&doors, &Key::Code(wrong), now), "host.code_wrong");
        }
        assert_eq!(refusal(&doors, &Key::Code(wrong), now), "host.code_over");
        assert_eq!(refusal(&doors, &Key::Code(&digits), now), "host.code_over");

        let digits = code(&doors, now);
        let typed = format!("{} {}", &digits[..3], &digits[3..]);
        entered(&doors, &Key::Code(&typed), now);
        assert_eq!(refusal(&doors, &Key::Code(&digits), now), "host.code_over");
        let late = code(&doors, now);
        let after = now + CODE_LIFE;
        assert_eq!(refusal(&doors, &Key::Code(&late), after), "host.code_over");
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        let bytes = hash("x");
        assert_eq!(hash_from_hexadecimal(&hexadecimal(&bytes)), Some(bytes));
        for wrong in ["", "00", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(hash_from_hexadecimal(wrong), None);
        }
    }
}
