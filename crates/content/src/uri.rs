//! The URIs that name accounts and conversations: `mimi://undertone.invalid/u/...` and `/r/...`.
//!
//! The host is reserved as never existing (RFC 2606), so that no such name can ever be looked up anywhere.

use data_encoding::BASE32_NOPAD;

/// What the URI of every account begins with.
pub const ACCOUNT: &str = "mimi://undertone.invalid/u/";
const ROOM: &str = "mimi://undertone.invalid/r/";
const BLOB: &str = "mimi://undertone.invalid/b/";

/// Lower-case base32 (RFC 4648 section 6) without padding.
fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

/// The bytes behind lower-case, unpadded base32; upper case and stray bits are refused, so that each has one name.
fn from_base32(text: &str) -> Option<Vec<u8>> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    BASE32_NOPAD
        .decode(text.to_ascii_uppercase().as_bytes())
        .ok()
}

/// The sender URI of an account id.
#[must_use]
pub fn account(account_id: &[u8; 32]) -> String {
    format!("{ACCOUNT}{}", base32(account_id))
}

/// The account id in a sender URI; none if it is no account of Undertone's.
#[must_use]
pub fn parse_account(uri: &str) -> Option<[u8; 32]> {
    from_base32(uri.strip_prefix(ACCOUNT)?)?.try_into().ok()
}

/// The room URI of an MLS group id.
#[must_use]
pub fn room(group_id: &[u8]) -> String {
    format!("{ROOM}{}", base32(group_id))
}

/// The MLS group id in a room URI; none if it is no conversation of Undertone's.
#[must_use]
pub fn parse_room(uri: &str) -> Option<Vec<u8>> {
    from_base32(uri.strip_prefix(ROOM)?)
}

/// The URL of a blob on the conversation's own server.
#[must_use]
pub fn blob(blob_id: &[u8; 32]) -> String {
    format!("{BLOB}{}", base32(blob_id))
}

/// The blob id in an external part's URL; none if the URL is anything else, which is never fetched.
#[must_use]
pub fn parse_blob(url: &str) -> Option<[u8; 32]> {
    from_base32(url.strip_prefix(BLOB)?)?.try_into().ok()
}

/// Between a blob's URL and the server it is on.
const AT: &str = "?at=";

/// The URL of a blob on a server (`host:port+pin`).
#[must_use]
pub fn blob_at(blob_id: &[u8; 32], server: &str) -> String {
    format!("{}{AT}{server}", blob(blob_id))
}

/// The blob id in an external part's URL, and the server it is on, if that is said.
#[must_use]
pub fn parse_blob_at(url: &str) -> Option<([u8; 32], Option<&str>)> {
    match url.split_once(AT) {
        Some((blob, server)) => Some((parse_blob(blob)?, Some(server))),
        None => Some((parse_blob(url)?, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_has_one_name() {
        let id = [0xA5; 32];
        let uri = account(&id);
        assert!(uri.starts_with("mimi://undertone.invalid/u/") && uri.len() == ACCOUNT.len() + 52);
        assert_eq!(parse_account(&uri), Some(id));
        assert_eq!(parse_room(&room(b"group")), Some(b"group".to_vec()));
        assert_eq!(parse_blob(&blob(&id)), Some(id));
        assert_eq!(parse_blob_at(&blob(&id)), Some((id, None)));
        assert_eq!(
            parse_blob_at(&blob_at(&id, "a:1+b")),
            Some((id, Some("a:1+b")))
        );
        assert_eq!(parse_blob(&blob_at(&id, "a:1+b")), None);

        assert_eq!(parse_account(&uri.to_ascii_uppercase()), None);
        assert_eq!(parse_account(&uri[..uri.len() - 1]), None);
        assert_eq!(parse_account(&room(&id)), None);
        assert_eq!(parse_blob("https://example.com/"), None);
        // The last character of 32 bytes holds four bits that must be zero.
        let stray = format!("{}{}", &uri[..uri.len() - 1], 'b');
        assert_eq!(parse_account(&stray), None);
    }
}
