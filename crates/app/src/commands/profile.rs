//! `undertone profile`: what this account is called and looks like to others.

use std::{io::Read as _, path::Path};

use data_encoding::BASE64;
use serde_json::json;
use undertone_core::{Error, media};

use super::{NEWS, Visit, with};
use crate::{
    cli::{
        args::Global,
        output::{Outcome, Output},
        people_args::ProfileArgs,
    },
    failure::Failure,
    rpc::{
        methods::{ProfileGet, ProfileSet},
        params::Nothing,
        profile_params::SetProfile,
    },
    terminal::single_line,
};

/// The picture in a file, made small.
fn picture(path: &Path) -> Result<String, Failure> {
    let shown = path.display().to_string();
    let unreadable = |error: std::io::Error| Failure::file(&shown, &error);
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .map_err(unreadable)?
        .take(media::PICTURE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let small = media::profile_picture(&bytes).map_err(Error::from)?;
    Ok(BASE64.encode(&small))
}

pub(super) async fn profile(
    options: &Global,
    output: &Output,
    wanted: ProfileArgs,
) -> Result<Outcome, Failure> {
    let change = SetProfile {
        name: wanted.name,
        picture: match &wanted.picture {
            Some(path) => Some(picture(path)?),
            None if wanted.no_picture => Some(String::new()),
            None => None,
        },
    };
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let now = if change.name.is_some() || change.picture.is_some() {
            visit.session.call::<ProfileSet>(change).await?
        } else {
            visit.session.call::<ProfileGet>(Nothing {}).await?
        };
        let name = single_line(&now.name);
        let line = match &now.picture {
            Some(_) => format!("You are {name}, with a picture."),
            None => format!("You are {name}, without a picture."),
        };
        Ok(Outcome::line(json!(now), line).with_notes(visit.offline_note()))
    })
}
