//! `init`: makes a server folder, whole or not at all, and prints the pin and the first invitation.

use std::net::SocketAddr;

use super::{InitArgs, answer, warn};
use crate::admin::{Answer, Command, reach};
use crate::admission::{invitations, token_keys::TokenKeys};
use crate::config::{self, Registration};
use crate::error::ServerError;
use crate::folder;
use crate::identity::Identity;

/// Days the first invitation is good for.
const FIRST_INVITATION_DAYS: u32 = 7;

pub(super) fn run(args: &InitArgs) -> Result<(), ServerError> {
    let origin = match &args.origin {
        Some(origin) => config::parse_origin(origin)?.to_string(),
        None => guess(args.listen),
    };
    let existed = args.dir.exists();
    folder::create(&args.dir)?;
    let (pin, invitation) =
        make(args, &origin).inspect_err(|_| folder::undo_create(&args.dir, existed))?;
    if args.origin.is_none() {
        warn(&format!(
            "the invitation names {origin}, which only this machine can reach; for others, make the folder anew with --origin HOST:PORT."
        ));
    }
    let value = serde_json::json!({ "origin": origin, "pin": pin, "invitation": invitation });
    let dir = args.dir.display();
    let text = format!(
        "Server folder {dir} is ready.\n\nPin         {pin}\nInvitation  {invitation}\n\nThe invitation admits {} and is good for {FIRST_INVITATION_DAYS} days. Start the server with:\n  undertone-server run {dir}",
        devices(args.uses),
    );
    answer(args.json, &value, &text);
    Ok(())
}

fn make(args: &InitArgs, origin: &str) -> Result<(String, String), ServerError> {
    let registration = if args.open {
        Registration::Open
    } else {
        Registration::Invitation
    };
    let text = config::template(origin, args.listen, registration);
    folder::write_new(&args.dir.join(config::FILE_NAME), text.as_bytes(), 0o600)?;
    let identity = Identity::create(&args.dir)?;
    TokenKeys::create_seed(&args.dir)?;
    let invitation = if args.open {
        invitations::text(origin, identity.pin(), None)?
    } else {
        let command = Command::CreateInvitation {
            uses: args.uses,
            days: FIRST_INVITATION_DAYS,
        };
        match reach::ask(&args.dir, &command)? {
            Answer::Invitation { invitation } => invitation,
            _ => return Err(ServerError::NotAnswering(args.dir.clone())),
        }
    };
    Ok((identity.pin().to_string(), invitation))
}

/// An origin that works on this machine.
fn guess(listen: Option<SocketAddr>) -> String {
    match listen {
        Some(address) if !address.ip().is_unspecified() && address.port() != 0 => {
            address.to_string()
        }
        Some(address) if address.port() != 0 => format!("127.0.0.1:{}", address.port()),
        _ => format!("127.0.0.1:{}", undertone_wire::limits::DEFAULT_PORT),
    }
}

/// "1 device", "3 devices".
pub(super) fn devices(uses: u32) -> String {
    if uses == 1 {
        "1 device".to_owned()
    } else {
        format!("{uses} devices")
    }
}
