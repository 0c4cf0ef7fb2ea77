//! `check-config`: reads the settings and the keys as `run` would, and says what is wrong.

use super::{FolderArgs, answer};
use crate::config::Config;
use crate::error::ServerError;
use crate::identity::Identity;

pub(super) fn run(args: &FolderArgs) -> Result<(), ServerError> {
    let config = Config::read(&args.dir)?;
    let identity = Identity::read(&args.dir)?;
    crate::admission::token_keys::check_seed(&args.dir)?;
    let value = serde_json::json!({
        "ok": true,
        "origin": config.origin,
        "listen": config.listen.to_string(),
        "pin": identity.pin().to_string(),
    });
    let text = format!(
        "The settings are fine. Origin {}, listening on {}.",
        config.origin, config.listen
    );
    answer(args.json, &value, &text);
    Ok(())
}
