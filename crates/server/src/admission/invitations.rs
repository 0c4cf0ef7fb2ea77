//! Making invitations: the string a person hands on, and the hash the store keeps.

use undertone_wire::ids::{Pin, sha256};
use undertone_wire::origin::ServerAddress;
use undertone_wire::secrets::InvitationCode;
use undertone_wire::strings::Invitation as InvitationText;

use crate::config::parse_origin;
use crate::error::ServerError;
use crate::store::{Day, Invitation, InvitationHash};

/// A new invitation: what to store, and the string to hand on.
///
/// # Errors
/// When the origin does not fit into an invitation.
pub fn make(
    origin: &str,
    pin: Pin,
    uses: u32,
    today: Day,
    days: u32,
) -> Result<(Invitation, String), ServerError> {
    if uses == 0 || uses > 1_000_000 {
        return Err(ServerError::Usage(
            "--uses must be from 1 to 1000000.".to_owned(),
        ));
    }
    let code = InvitationCode::random();
    let stored = Invitation {
        code: InvitationHash(sha256(code.expose())),
        uses,
        // To the end of the last day, so that no time of day is kept.
        expires_s: Some(u64::from(today.plus(days.saturating_add(1)).0) * 86_400),
    };
    Ok((stored, text(origin, pin, Some(code))?))
}

/// The string of an invitation; without a code, of an open server.
///
/// # Errors
/// When the origin does not fit into an invitation.
pub fn text(origin: &str, pin: Pin, code: Option<InvitationCode>) -> Result<String, ServerError> {
    let invitation = InvitationText {
        server: ServerAddress {
            origin: parse_origin(origin)?,
            pin,
        },
        code,
    };
    Ok(invitation.to_string())
}
