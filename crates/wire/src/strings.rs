//! Strings that people hand to each other, or from one device to the other: invitations, contact links, links to groups, and codes of new
//! devices.
//!
//! `undertone:i:`, `undertone:c:`, `undertone:g:` or `undertone:d:`, then base64url of a protobuf message and the first 4 bytes of its SHA-256. The checksum
//! catches what copying breaks and tells it apart from a forged or foreign text; it protects against nothing else. They arrive through
//! mail programs and messengers, so white space anywhere is ignored.

use data_encoding::BASE64URL_NOPAD;
use prost::Message;
use std::{fmt, str::FromStr};
use zeroize::Zeroizing;

use crate::{
    Code, Error, Result,
    ids::{AccountId, Pin, sha256},
    origin::ServerAddress,
    proto,
    secrets::{AddressSecret, DeviceCodeKey, InvitationCode, KpKey, LinkSecret},
};

const INVITATION: &str = "undertone:i:";
const CONTACT_LINK: &str = "undertone:c:";
const DEVICE_CODE: &str = "undertone:d:";
const GROUP_LINK: &str = "undertone:g:";
pub(crate) const CUSTODIAN_KEY: &str = "undertone:k:";
pub(crate) const CUSTODIAN_TICKET: &str = "undertone:w:";
const KINDS: [&str; 6] = [
    INVITATION,
    CONTACT_LINK,
    DEVICE_CODE,
    GROUP_LINK,
    CUSTODIAN_KEY,
    CUSTODIAN_TICKET,
];
const CHECKSUM_BYTES: usize = 4;
/// Longer texts are refused before they are looked at.
const MOST_CHARACTERS: usize = 8192;
/// Devices of one account in a contact link.
pub const MOST_LINK_ADDRESSES: usize = 32;

fn malformed() -> Error {
    Error::new(Code::TextMalformed)
}

pub(crate) fn encode(prefix: &str, message: &impl Message) -> String {
    let mut bytes = Zeroizing::new(message.encode_to_vec());
    let checksum = sha256(&bytes);
    bytes.extend_from_slice(&checksum[..CHECKSUM_BYTES]);
    format!("{prefix}{}", BASE64URL_NOPAD.encode(&bytes))
}

pub(crate) fn decode<M: Message + Default>(prefix: &str, text: &str) -> Result<M> {
    if text.len() > MOST_CHARACTERS {
        return Err(malformed());
    }
    let text: Zeroizing<String> =
        Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).collect());
    let Some(body) = strip_prefix_ignoring_case(&text, prefix) else {
        let another_kind = KINDS
            .iter()
            .any(|kind| strip_prefix_ignoring_case(&text, kind).is_some());
        return Err(if another_kind {
            Code::TextKind.into()
        } else {
            malformed()
        });
    };
    let bytes = Zeroizing::new(
        BASE64URL_NOPAD
            .decode(body.as_bytes())
            .map_err(|_| malformed())?,
    );
    let (message, checksum) = bytes
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or_else(malformed)?;
    if sha256(message)[..CHECKSUM_BYTES] != checksum[..] {
        return Err(Code::TextChecksum.into());
    }
    M::decode(message).map_err(|_| malformed())
}

/// Some programs write the scheme of a URI in capitals.
fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn field<T>(result: Result<T>) -> Result<T> {
    result.map_err(|_| malformed())
}

/// Lets its holder register on a server.
#[derive(Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Where, and what it is known by.
    pub server: ServerAddress,
    /// None on an open server.
    pub code: Option<InvitationCode>,
}

impl Invitation {
    /// Takes an invitation or a bare `host:port+pin`, as `undertone init --server` does.
    ///
    /// # Errors
    /// One of the `text.` codes or [`Code::OriginMalformed`].
    pub fn parse_server(text: &str) -> Result<Self> {
        if strip_prefix_ignoring_case(text.trim_start(), "undertone:").is_some() {
            text.parse()
        } else {
            Ok(Self {
                server: text.parse()?,
                code: None,
            })
        }
    }
}

impl FromStr for Invitation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invitation: proto::Invitation = decode(INVITATION, text)?;
        Ok(Self {
            server: ServerAddress {
                origin: field(invitation.origin.parse())?,
                pin: field(Pin::from_slice(&invitation.pin))?,
            },
            code: match invitation.code.len() {
                0 => None,
                _ => Some(field(InvitationCode::from_slice(&invitation.code))?),
            },
        })
    }
}

/// The text to hand over: it holds the secret.
impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let invitation = proto::Invitation {
            origin: self.server.origin.to_string(),
            pin: self.server.pin.to_bytes(),
            code: self
                .code
                .as_ref()
                .map_or_else(Default::default, InvitationCode::to_bytes),
        };
        f.write_str(&encode(INVITATION, &invitation))
    }
}

/// Lets its holder start a conversation with an account.
#[derive(Debug, PartialEq, Eq)]
pub struct ContactLink {
    /// The account's server.
    pub server: ServerAddress,
    /// The account.
    pub account: AccountId,
    /// Proven by the first message.
    pub link_secret: LinkSecret,
    /// One a device; 1 to 32.
    pub addresses: Vec<LinkAddress>,
    /// Unix seconds; None: never.
    pub expires_s: Option<u64>,
}

/// Where one device of the account takes first messages.
#[derive(Debug, PartialEq, Eq)]
pub struct LinkAddress {
    /// The address.
    pub address: AddressSecret,
    /// Opens its key packages.
    pub kp_key: KpKey,
}

impl FromStr for ContactLink {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let link: proto::ContactLink = decode(CONTACT_LINK, text)?;
        if !(1..=MOST_LINK_ADDRESSES).contains(&link.addresses.len()) {
            return Err(malformed());
        }
        Ok(Self {
            server: ServerAddress {
                origin: field(link.origin.parse())?,
                pin: field(Pin::from_slice(&link.pin))?,
            },
            account: field(AccountId::from_slice(&link.account_id))?,
            link_secret: field(LinkSecret::from_slice(&link.link_secret))?,
            addresses: link
                .addresses
                .iter()
                .map(|address| {
                    Ok(LinkAddress {
                        address: field(AddressSecret::from_slice(&address.address_secret))?,
                        kp_key: field(KpKey::from_slice(&address.kp_key))?,
                    })
                })
                .collect::<Result<_>>()?,
            expires_s: (link.expires_s != 0).then_some(link.expires_s),
        })
    }
}

/// The text to hand over: it holds the secrets.
impl fmt::Display for ContactLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let link = proto::ContactLink {
            origin: self.server.origin.to_string(),
            pin: self.server.pin.to_bytes(),
            account_id: self.account.to_bytes(),
            link_secret: self.link_secret.to_bytes(),
            addresses: self
                .addresses
                .iter()
                .map(|address| proto::LinkAddress {
                    address_secret: address.address.to_bytes(),
                    kp_key: address.kp_key.to_bytes(),
                })
                .collect(),
            expires_s: self.expires_s.unwrap_or(0),
        };
        f.write_str(&encode(CONTACT_LINK, &link))
    }
}

/// What a new device shows, so that another device of the account links it.
#[derive(Debug, PartialEq, Eq)]
pub struct DeviceCode {
    /// The server, with the pin that the new device saw.
    pub server: ServerAddress,
    /// Where the new device waits: on a temporary queue.
    pub address: AddressSecret,
    /// Seals what the two say to each other.
    pub key: DeviceCodeKey,
    /// SHA-256 that fixes the new device's keys before it has seen the other's.
    pub commitment: [u8; 32],
    /// Unix seconds.
    pub expires_s: u64,
}

impl FromStr for DeviceCode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let code: proto::DeviceCode = decode(DEVICE_CODE, text)?;
        Ok(Self {
            server: ServerAddress {
                origin: field(code.origin.parse())?,
                pin: field(Pin::from_slice(&code.pin))?,
            },
            address: field(AddressSecret::from_slice(&code.address_secret))?,
            key: field(DeviceCodeKey::from_slice(&code.key))?,
            commitment: code.commitment[..].try_into().map_err(|_| malformed())?,
            expires_s: code.expires_s,
        })
    }
}

/// The text to show: it holds the secrets.
impl fmt::Display for DeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = proto::DeviceCode {
            origin: self.server.origin.to_string(),
            pin: self.server.pin.to_bytes(),
            address_secret: self.address.to_bytes(),
            key: self.key.to_bytes(),
            commitment: self.commitment.to_vec().into(),
            expires_s: self.expires_s,
        };
        f.write_str(&encode(DEVICE_CODE, &code))
    }
}

/// Lets its holder ask to be let in to a group. It names neither the group nor who is in it.
#[derive(Debug, PartialEq, Eq)]
pub struct GroupLink {
    /// The server of the group and of its members.
    pub server: ServerAddress,
    /// Whose link it is.
    pub account: AccountId,
    /// Without it nobody can ask.
    pub secret: LinkSecret,
    /// Where requests go.
    pub address: AddressSecret,
    /// What they are sealed to (X25519).
    pub public_key: [u8; 32],
    /// Unix seconds; None: never.
    pub expires_s: Option<u64>,
}

impl FromStr for GroupLink {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let link: proto::GroupLink = decode(GROUP_LINK, text)?;
        Ok(Self {
            server: ServerAddress {
                origin: field(link.origin.parse())?,
                pin: field(Pin::from_slice(&link.pin))?,
            },
            account: field(AccountId::from_slice(&link.account_id))?,
            secret: field(LinkSecret::from_slice(&link.secret))?,
            address: field(AddressSecret::from_slice(&link.address_secret))?,
            public_key: link.public_key[..].try_into().map_err(|_| malformed())?,
            expires_s: (link.expires_s != 0).then_some(link.expires_s),
        })
    }
}

/// The text to hand over: it holds the secrets.
impl fmt::Display for GroupLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let link = proto::GroupLink {
            origin: self.server.origin.to_string(),
            pin: self.server.pin.to_bytes(),
            account_id: self.account.to_bytes(),
            secret: self.secret.to_bytes(),
            address_secret: self.address.to_bytes(),
            public_key: self.public_key.to_vec().into(),
            expires_s: self.expires_s.unwrap_or(0),
        };
        f.write_str(&encode(GROUP_LINK, &link))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn server() -> ServerAddress {
        ServerAddress {
            origin: "example.org".parse().unwrap(),
            pin: Pin::new([1; 32]),
        }
    }

    fn link() -> ContactLink {
        ContactLink {
            server: server(),
            account: AccountId::new([2; 32]),
            link_secret: LinkSecret::new([3; 32]),
            addresses: vec![LinkAddress {
                address: AddressSecret::new([4; 32]),
                kp_key: KpKey::new([5; 32]),
            }],
            expires_s: Some(1_800_000_000),
        }
    }

    #[test]
    fn an_invitation_survives_the_mail() {
        for code in [None, Some(InvitationCode::new([6; 16]))] {
            let invitation = Invitation {
                server: server(),
                code,
            };
            let text = invitation.to_string();
            assert_eq!(text.parse::<Invitation>().unwrap(), invitation);
            let (start, end) = text.split_at(40);
            let wrapped = format!("  {start}\r\n\t{end}\n");
            assert_eq!(wrapped.parse::<Invitation>().unwrap(), invitation);
            assert_eq!(Invitation::parse_server(&wrapped).unwrap(), invitation);
        }
        let bare = Invitation::parse_server(&server().to_string()).unwrap();
        assert_eq!(
            bare,
            Invitation {
                server: server(),
                code: None
            }
        );
    }

    #[test]
    fn a_contact_link_round_trips_and_prints_no_secret_in_debug() {
        let text = link().to_string();
        assert_eq!(text.parse::<ContactLink>().unwrap(), link());
        let debug = format!("{:?}", link());
        assert!(debug.contains("[secret]") && !debug.contains("example"));
    }

    #[test]
    fn a_device_code_round_trips_prints_no_secret_and_is_no_other_kind() {
        let code = DeviceCode {
            server: server(),
            address: AddressSecret::new([4; 32]),
            key: DeviceCodeKey::new([5; 32]),
            commitment: [6; 32],
            expires_s: 1_800_000_000,
        };
        let text = code.to_string();
        // Small enough for a QR code that a camera reads from a screen.
        assert!(text.len() < 300, "{}", text.len());
        assert_eq!(text.parse::<DeviceCode>().unwrap(), code);
        assert!(!format!("{code:?}").contains("5, 5"));
        assert_eq!(
            text.parse::<ContactLink>().unwrap_err().code,
            Code::TextKind
        );
        assert_eq!(
            link().to_string().parse::<DeviceCode>().unwrap_err().code,
            Code::TextKind
        );
    }

    #[test]
    fn a_link_to_a_group_round_trips_and_is_no_contact_link() {
        let link = GroupLink {
            server: server(),
            account: AccountId::new([2; 32]),
            secret: LinkSecret::new([3; 32]),
            address: AddressSecret::new([4; 32]),
            public_key: [5; 32],
            expires_s: None,
        };
        let text = link.to_string();
        assert_eq!(text.parse::<GroupLink>().unwrap(), link);
        assert_eq!(
            text.parse::<ContactLink>().unwrap_err().code,
            Code::TextKind
        );
        let other = self::link().to_string();
        assert_eq!(other.parse::<GroupLink>().unwrap_err().code, Code::TextKind);
        for cut in 1..text.len() - 12 {
            assert!(text[..text.len() - cut].parse::<GroupLink>().is_err());
        }
    }

    #[test]
    fn a_damaged_text_says_so() {
        let text = link().to_string();
        let mut damaged = text.clone();
        damaged.replace_range(60..61, if &text[60..61] == "A" { "B" } else { "A" });
        assert_eq!(
            damaged.parse::<ContactLink>().unwrap_err().code,
            Code::TextChecksum
        );
        let code = |text: &str| text.parse::<ContactLink>().unwrap_err().code;
        // Cut short, it is either no base64 any more or has another checksum.
        for cut in 1..text.len() - 12 {
            assert!(matches!(
                code(&text[..text.len() - cut]),
                Code::TextMalformed | Code::TextChecksum
            ));
        }
        assert_eq!(code("undertone:c:"), Code::TextMalformed);
        assert_eq!(code("https://example.org"), Code::TextMalformed);
        assert_eq!(
            code(
                &Invitation {
                    server: server(),
                    code: None
                }
                .to_string()
            ),
            Code::TextKind
        );
        assert_eq!(text.parse::<Invitation>().unwrap_err().code, Code::TextKind);
        assert_eq!(code(&"a".repeat(10_000)), Code::TextMalformed);
    }

    #[test]
    fn a_link_to_nobody_or_to_a_crowd_is_refused() {
        for count in [0, MOST_LINK_ADDRESSES + 1] {
            let mut link = link();
            link.addresses = (0..count)
                .map(|_| LinkAddress {
                    address: AddressSecret::random(),
                    kp_key: KpKey::random(),
                })
                .collect();
            assert_eq!(
                link.to_string().parse::<ContactLink>().unwrap_err().code,
                Code::TextMalformed
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_never_panics(text in ".{0,200}", kind in 0..3) {
            let text = match kind { 0 => text, 1 => format!("undertone:i:{text}"), _ => format!("undertone:c:{text}") };
            let _ = text.parse::<Invitation>();
            let _ = text.parse::<ContactLink>();
            let _ = text.parse::<DeviceCode>();
            let _ = Invitation::parse_server(&text);
        }

        #[test]
        fn any_message_with_a_right_checksum_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut whole = bytes.clone();
            whole.extend_from_slice(&sha256(&bytes)[..4]);
            let body = BASE64URL_NOPAD.encode(&whole);
            let _ = format!("undertone:i:{body}").parse::<Invitation>();
            let _ = format!("undertone:c:{body}").parse::<ContactLink>();
            let _ = format!("undertone:d:{body}").parse::<DeviceCode>();
        }
    }
}
