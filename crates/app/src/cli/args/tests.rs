//! What the grammar takes, and what it refuses.

use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("undertone").chain(line.split_whitespace()))
}

#[test]
fn the_grammar_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_of_the_manual_parses() {
    for line in [
        "",
        "--no-browser",
        "--no-browser --port 4000 --json",
        "app --no-browser",
        "init --server - --name Ada",
        "init --server host:7443+pin --name Ada --recovery-file phrase.txt --passphrase-fd 3",
        "link",
        "link --expires 2h --json",
        "link --expires never",
        "links",
        "links list",
        "links revoke abc",
        "add undertone:c:xyz",
        "add -",
        "contacts",
        "chats --json",
        "group create Book Ada Ben",
        "group add Book Cleo",
        "group remove Book Ben",
        "typing off",
        "requests",
        "storage",
        "kill --server h:1+p --words-file w --yes",
        "kill --server h:1 --pin p --scope device --device 3 --words-fd 3",
        "kill-code",
        "kill-code new --kill-file w --yes",
        "custodian",
        "custodian accept undertone:k:x",
        "custodian wipe - --words-fd 3",
        "devices kill Phone --yes --wait 5s",
        "storage Ben --clean --larger-than 5 --older-than 4w",
        "requests accept Ben",
        "requests refuse Ben --block",
        "requests blocked",
        "report make Ben spam",
        "report list",
        "draft Ben",
        "draft Ben - --reply-to ab",
        "who-read Ben ab",
        "send Ben hi --until 2026-03-01",
        "send Ben hi --until 2026-03-01T18:30",
        "search word --from me --since 2026-03-01 --until 2w",
        "report export ab out.json",
        "group leave Book",
        "group leave Book --successor Ben",
        "group hand-over Book Ben",
        "group invite Book --uses 20 --expires 2d --approve",
        "group invites Book",
        "group revoke-invite Book ab",
        "group requests Book",
        "group accept Book Dee",
        "group refuse Book Dee",
        "group join -",
        "group policy Book",
        "group policy Book --post admins --add owners --pin everybody",
        "group role Book Ben admin",
        "group rename Book Books",
        "group members Book",
        "send Ben hello",
        "send Ben -",
        "send Ben --attach a.jpg",
        "send Ben look --attach a.jpg --attach b.ogg",
        "read Ben --limit 5",
        "--home /tmp/x read Ben",
        "save Ben 01ab out.jpg",
        "watch",
        "verify Ben --accept",
        "status -v",
        "rpc",
        "content inspect f.cbor --sender a --room b --json",
        "content roundtrip f.cbor",
        "lock",
        "panic --wipe",
        "protection --wrong-attempts 10 --dead-man 30d --auto-lock off",
        "protection --heartbeats on --remove-wiped off",
        "protection --lock-on-suspend off --lock-with-screen on",
        "duress set --visit --name Ada",
        "duress set --alarm Ben --alarm Cleo",
        "export Ben /tmp/ben",
        "backup make /tmp/b --media",
        "backup verify /tmp/b --phrase-file p",
        "restore /tmp/b --server x",
        "help",
        "help exit-codes",
        "status --proxy socks5://127.0.0.1:9050",
    ] {
        assert!(
            parse(line).is_ok(),
            "{line}: {}",
            parse(line)
                .err()
                .map_or_else(String::new, |e| e.to_string())
        );
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "send",
        "send Ben",
        "send Ben hi --until tomorrow",
        "send Ben hi --until 2026-03-01 --expires 1h",
        "search word --since yesterday",
        "link --expires soon",
        "link --uses 0",
        "read Ben --limit 0",
        "group role Book Ben king",
        "group policy Book --post nobody",
        "verify Ben --accept --withdraw",
        "status --passphrase-fd 3 --passphrase-file f",
        "send Ben hi --keep-metadata",
        "status --passphrase secret",
        "init --name Ada",
        "kill --server h:1 --scope device",
        "kill --server h:1 legal winner",
        "--port 0",
        "--port 70000",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn a_message_may_start_with_a_dash_in_quotes() {
    let cli = Cli::try_parse_from(["undertone", "send", "Ben", "- milk\n- bread"]).expect("parses");
    assert!(
        matches!(cli.command, Some(Command::Send { text: Some(text), .. }) if text == "- milk\n- bread")
    );
}
