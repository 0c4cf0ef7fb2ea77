//! `invite create`: a new invitation, printed once.

use super::init::devices;
use super::{InviteCreateArgs, answer, days};
use crate::admin::{Answer, Command, reach};
use crate::error::ServerError;

pub(super) fn create(args: &InviteCreateArgs) -> Result<(), ServerError> {
    let days = days(&args.expires)?;
    let command = Command::CreateInvitation {
        uses: args.uses,
        days,
    };
    let Answer::Invitation { invitation } = reach::ask(&args.dir, &command)? else {
        return Err(ServerError::NotAnswering(args.dir.clone()));
    };
    let value = serde_json::json!({ "invitation": invitation, "uses": args.uses, "days": days });
    let unit = if days == 1 { "day" } else { "days" };
    let text = format!(
        "{invitation}\n\nIt admits {} and is good for {days} {unit}.",
        devices(args.uses)
    );
    answer(args.json, &value, &text);
    Ok(())
}
