//! `undertone requests` and `undertone report`: people whom one doesn't know.

use serde_json::json;
use undertone_core::RequestInfo;

use super::{NEWS, Visit, select, with};
use crate::{
    cli::{
        args::{Global, ReportCommand, RequestsCommand},
        output::{Outcome, Output},
    },
    failure::Failure,
    rpc::{
        methods::{
            ContactsBlocked, ReportsDelete, ReportsExport, ReportsList, ReportsMake,
            RequestsAccept, RequestsFind, RequestsList, RequestsRefuse,
        },
        params::{
            ExportReport, NewReport, Nothing, OneContact, OneReport, RefuseRequest, Selector,
        },
    },
    session::Session,
    terminal::single_line,
};

pub(super) async fn requests(
    options: &Global,
    output: &Output,
    command: Option<RequestsCommand>,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let session = &mut visit.session;
        match command.unwrap_or(RequestsCommand::List) {
            RequestsCommand::List => {
                let all = session.call::<RequestsList>(Nothing {}).await?;
                Ok(Outcome::new(json!(all), list(&all)))
            }
            RequestsCommand::Accept { person } => {
                let request = find(session, &person).await?;
                let contact = request.person.id.clone();
                session
                    .call::<RequestsAccept>(OneContact { contact })
                    .await?;
                let name = single_line(&request.person.name);
                let line = format!("{name} is a contact now, not verified yet.");
                Ok(Outcome::line(json!(request), line))
            }
            RequestsCommand::Refuse { person, block } => {
                let request = find(session, &person).await?;
                let contact = request.person.id.clone();
                session
                    .call::<RequestsRefuse>(RefuseRequest { contact, block })
                    .await?;
                let name = single_line(&request.person.name);
                let line = if block {
                    format!("Refused and blocked {name}; they are not told.")
                } else {
                    format!("Refused {name}; they are not told.")
                };
                Ok(Outcome::line(json!(request), line))
            }
            RequestsCommand::Blocked => {
                let all = session.call::<ContactsBlocked>(Nothing {}).await?;
                let lines = match all.is_empty() {
                    true => vec!["Nobody is blocked.".to_owned()],
                    false => all
                        .iter()
                        .map(|one| format!("{}  {}", one.id, single_line(&one.name)))
                        .collect(),
                };
                Ok(Outcome::new(json!(all), lines))
            }
        }
    })
}

async fn find(session: &mut Session, selector: &str) -> Result<RequestInfo, Failure> {
    session
        .call::<RequestsFind>(Selector {
            selector: selector.to_owned(),
        })
        .await
}

fn list(all: &[RequestInfo]) -> Vec<String> {
    if all.is_empty() {
        return vec!["Nobody waits to be accepted.".to_owned()];
    }
    let mut lines = Vec::new();
    for request in all {
        let name = single_line(&request.person.name);
        let said = request.chat.last.as_ref().map(|line| {
            let text: String = single_line(&line.text).chars().take(60).collect();
            format!(": {text}")
        });
        let id: String = request.person.id.as_str().chars().take(8).collect();
        lines.push(format!("{name} ({id}){}", said.unwrap_or_default()));
    }
    lines.push(String::new());
    lines
        .push("To read one: undertone read NAME; then requests accept NAME, or refuse.".to_owned());
    lines
}

pub(super) async fn report(
    options: &Global,
    output: &Output,
    command: ReportCommand,
) -> Result<Outcome, Failure> {
    let visit = Visit::begin(options, output, NEWS).await?;
    with!(visit, |visit| {
        let session = &mut visit.session;
        match command {
            ReportCommand::Make { person, note } => {
                let selector = Selector {
                    selector: person.clone(),
                };
                let contact = match session.call::<RequestsFind>(selector).await {
                    Ok(request) => request.person.id,
                    Err(_) => select::contact(session, &person).await?.id,
                };
                let note = note.unwrap_or_default();
                let made = session
                    .call::<ReportsMake>(NewReport { contact, note })
                    .await?;
                let line = format!(
                    "Kept on this device only, nobody is sent it. To write it to a file: undertone report export {} FILE",
                    made.id
                );
                Ok(Outcome::line(json!(made), line))
            }
            ReportCommand::List => {
                let all = session.call::<ReportsList>(Nothing {}).await?;
                let lines = match all.is_empty() {
                    true => vec!["There are no reports.".to_owned()],
                    false => all
                        .iter()
                        .map(|one| format!("{}  {}", one.id, single_line(&one.name)))
                        .collect(),
                };
                Ok(Outcome::new(json!(all), lines))
            }
            ReportCommand::Export { report, file } => {
                let path = std::path::absolute(&file)
                    .map_err(|_| Failure::usage("That is no place for a file."))?;
                let report = id(session, &report).await?;
                let done = session
                    .call::<ReportsExport>(ExportReport { report, path })
                    .await?;
                Ok(Outcome::line(json!(done), "Written.".to_owned()))
            }
            ReportCommand::Delete { report } => {
                let report = id(session, &report).await?;
                let done = session.call::<ReportsDelete>(OneReport { report }).await?;
                Ok(Outcome::line(json!(done), "Deleted.".to_owned()))
            }
        }
    })
}

/// The report that the beginning of an id means.
async fn id(session: &mut Session, beginning: &str) -> Result<undertone_core::ReportId, Failure> {
    let wanted = beginning.trim().to_ascii_lowercase();
    let all = session.call::<ReportsList>(Nothing {}).await?;
    let mut fitting = all
        .into_iter()
        .filter(|report| !wanted.is_empty() && report.id.as_str().starts_with(&wanted));
    match (fitting.next(), fitting.next()) {
        (Some(report), None) => Ok(report.id),
        _ => Err(Failure::new("report.unknown", "There is no such report.")),
    }
}
