//! What logs must not say: any secret, any IP address, any user agent.

use super::search::Search;
use super::secrets::Secrets;
use super::town::Evidence;

/// Words by which programs name themselves in requests.
const AGENTS: [&str; 3] = ["user-agent", "mozilla", "undertone/"];

/// Everything in the logs that names somebody, one sentence each.
pub fn naming(evidence: &Evidence) -> Vec<String> {
    let search = Search::new(evidence.secrets.needles.iter().cloned());
    let mut found = in_log("the server's log", &evidence.server_log, &search);
    for (person, log) in &evidence.app_logs {
        found.extend(in_log(&format!("the log of {person}"), log, &search));
    }
    found
}

/// The same for one text.
pub fn in_log(whose: &str, log: &str, search: &Search) -> Vec<String> {
    let mut found: Vec<_> = search
        .in_bytes(log.as_bytes())
        .into_iter()
        .map(|(name, at)| format!("{whose} holds {name} at byte {at}"))
        .collect();
    for line in log.lines() {
        let lower = line.to_lowercase();
        if let Some(agent) = AGENTS.iter().find(|agent| lower.contains(*agent)) {
            found.push(format!("{whose} has {agent:?} in the line {line:?}"));
        }
        if let Some(address) = words(line).find(|word| is_ip_address(word)) {
            found.push(format!(
                "{whose} holds the address {address} in the line {line:?}"
            ));
        }
    }
    found
}

/// Pieces that could be an address; a path in the source such as `gateway::accept` is one piece and none.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| {
        !(letter.is_alphanumeric() || matches!(letter, '.' | ':' | '_' | '-'))
    })
    .map(|word| word.trim_end_matches('.').strip_suffix(':').unwrap_or(word))
    .filter(|word| word.len() >= 3)
}

fn is_ip_address(word: &str) -> bool {
    let with_port = |word: &str| word.parse::<std::net::SocketAddr>().is_ok();
    word.parse::<std::net::IpAddr>().is_ok() || with_port(word)
}

/// How many lines the server and the apps logged.
pub fn lines(evidence: &Evidence) -> (usize, usize) {
    let apps = evidence
        .app_logs
        .iter()
        .map(|(_, log)| log.lines().count())
        .sum();
    (evidence.server_log.lines().count(), apps)
}

/// Whose log says nothing at debug level, so that a log of less does not pass for a discreet one.
pub fn quiet_at_debug_level(evidence: &Evidence) -> Option<String> {
    let at_debug_level = |log: &str| log.contains("DEBUG");
    if !at_debug_level(&evidence.server_log) {
        return Some("The server's log".to_owned());
    }
    evidence
        .app_logs
        .iter()
        .find(|(_, log)| !at_debug_level(log))
        .map(|(person, _)| format!("The log of {person}"))
}

/// The needles of a single text, for checks outside of a drill.
pub fn search_for(texts: &[&str]) -> Search {
    let mut secrets = Secrets::default();
    for text in texts {
        secrets.add_text("text", text);
    }
    Search::new(secrets.needles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_agents_and_names_are_noticed() {
        let search = search_for(&["Adelheid Quist"]);
        for line in [
            "accepted from 192.0.2.7:5000",
            "peer=[2001:db8::1]:443",
            "peer ::1",
            "hello Adelheid Quist",
            "User-Agent: x",
        ] {
            assert_eq!(in_log("a log", line, &search).len(), 1, "{line}");
        }
        let harmless = "2026-11-22 INFO ready 12:30:01 items=5 took 1.25 s, version 0.1.0, code net.offline, undertone_server::cli::run";
        assert_eq!(in_log("a log", harmless, &search), Vec::<String>::new());
    }
}
