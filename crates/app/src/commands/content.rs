//! `undertone content`: looks into files of MIMI content. Needs no home.

use std::{fs::File, io::Read, path::Path};

use serde_json::{Value, json};

use crate::{
    cli::{args::ContentCommand, output::Outcome},
    failure::Failure,
    terminal::single_line,
};

/// More than any content may be; a longer file is refused without reading it all.
const LONGEST: u64 = 16 * 1024 * 1024;

pub(super) fn run(command: &ContentCommand) -> Result<Outcome, Failure> {
    match command {
        ContentCommand::Inspect { file, sender, room } => {
            inspect(&read(file)?, sender.as_deref(), room.as_deref())
        }
        ContentCommand::Roundtrip { file } => roundtrip(&read(file)?),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed =
        |error: std::io::Error| Failure::file(&format!("The file {}", path.display()), &error);
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin()
            .lock()
            .take(LONGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    } else {
        File::open(path)
            .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
            .map_err(failed)?;
    }
    if bytes.len() as u64 > LONGEST {
        return Err(Failure::new(
            "content.too_large",
            "The file is larger than any content may be.",
        ));
    }
    Ok(bytes)
}

fn refused(error: &undertone_content::ContentError) -> Failure {
    Failure::new(error.code(), error.to_string())
}

fn inspect(bytes: &[u8], sender: Option<&str>, room: Option<&str>) -> Result<Outcome, Failure> {
    let fields =
        undertone_content::inspect(bytes, sender, room).map_err(|error| refused(&error))?;
    let mut lines = Vec::new();
    describe(&fields, 0, &mut lines);
    let notes = fields["message_id"].is_null().then(|| {
        "The message id needs a sender and a room: give them with --sender and --room.".to_owned()
    });
    Ok(Outcome::new(fields, lines).with_notes(notes))
}

fn roundtrip(bytes: &[u8]) -> Result<Outcome, Failure> {
    let again = undertone_content::roundtrip(bytes).map_err(|error| refused(&error))?;
    if again == bytes {
        return Ok(Outcome::line(
            json!({"same": true, "bytes": bytes.len()}),
            format!("{} bytes, the same again.", bytes.len()),
        ));
    }
    let at = bytes
        .iter()
        .zip(&again)
        .take_while(|(given, written)| given == written)
        .count();
    Err(Failure::new(
        "content.differs",
        format!(
            "Encoded again it differs from byte {at} on ({} bytes given, {} written).",
            bytes.len(),
            again.len()
        ),
    ))
}

/// Fields as indented lines; text from the file is sanitized, long byte strings are shortened.
fn describe(value: &Value, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    let Value::Object(fields) = value else { return };
    for (name, value) in fields {
        match value {
            Value::Null => {}
            Value::Object(_) => {
                lines.push(format!("{indent}{name}"));
                describe(value, depth + 1, lines);
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for (index, item) in items.iter().enumerate() {
                    lines.push(format!("{indent}{name} {}", index + 1));
                    describe(item, depth + 1, lines);
                }
            }
            Value::Array(items) if items.is_empty() => {}
            Value::String(text) => lines.push(format!("{indent}{name}: {}", shorten(text))),
            other => lines.push(format!("{indent}{name}: {}", shorten(&other.to_string()))),
        }
    }
}

fn shorten(text: &str) -> String {
    const SHOWN: usize = 160;
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let count = text.chars().count();
    let shown = single_line(&text.chars().take(SHOWN).collect::<String>());
    if count > SHOWN {
        format!("{shown}… ({count} characters)")
    } else {
        shown
    }
}
