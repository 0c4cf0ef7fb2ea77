//! `undertone help`.

use clap::CommandFactory;
use serde_json::json;

use crate::{
    cli::{args::Cli, output::Outcome},
    failure::{EXIT_CODES, Failure, exit_code_help},
};

pub(super) fn help(topic: &[String]) -> Result<Outcome, Failure> {
    if topic.first().is_some_and(|first| first == "exit-codes") {
        let codes: Vec<_> = EXIT_CODES
            .iter()
            .map(|row| json!({"exit_code": row.number, "meaning": row.meaning}))
            .collect();
        return Ok(Outcome::new(
            json!(codes),
            exit_code_help().lines().map(str::to_owned).collect(),
        ));
    }
    let mut command = Cli::command();
    command.build();
    let mut found = &mut command;
    for word in topic {
        found = found.find_subcommand_mut(word).ok_or_else(|| {
            Failure::usage("There is no such command; `undertone help` lists them.")
        })?;
    }
    let text = found.render_help().to_string();
    Ok(Outcome::new(
        json!(text),
        text.trim_end().lines().map(str::to_owned).collect(),
    ))
}
