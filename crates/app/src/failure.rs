//! What a person or a script is told when something could not be done.
//!
//! One plain sentence, a stable code (`area.reason`), whether trying again can help, and an exit code that a script can
//! branch on. The exit code follows from the code alone, so that a failure means the same from the command line, through
//! another process, and over JSON-RPC. Sentences hold no message, name, link or key; the paths in some are those that the
//! person typed in this very command.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ts_rs::TS;
use undertone_core::{ErrorClass, Problem, home::HomeError};

/// A command or request that was not carried out.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Stable, `area.reason`.
    pub code: String,
    /// Whether and when trying again can help.
    pub class: ErrorClass,
    /// One plain sentence.
    pub sentence: String,
    /// What an ambiguous or unknown selector could have meant; may be empty.
    pub choices: Vec<String>,
}

/// Meaning of an exit code, one row of `undertone help exit-codes`.
pub struct ExitCode {
    /// What the process returns.
    pub number: u8,
    /// When.
    pub meaning: &'static str,
    /// Codes, or areas ending in a dot, that lead here. The first row that fits counts.
    codes: &'static [&'static str],
}

/// Every exit code, in the order in which codes are looked up.
pub const EXIT_CODES: &[ExitCode] = &[
    ExitCode {
        number: 0,
        meaning: "Done. A message that could only be queued counts: its state says `queued`.",
        codes: &[],
    },
    ExitCode {
        number: 3,
        meaning: "Wrong passphrase, or none given, or its file is open to others.",
        codes: &[
            "home.wrong_passphrase",
            "home.too_soon",
            "home.empty_passphrase",
            "passphrase.",
        ],
    },
    ExitCode {
        number: 6,
        meaning: "The name fits more than one; the choices are listed.",
        codes: &[
            "chat.ambiguous",
            "contact.ambiguous",
            "message.ambiguous",
            "link.ambiguous",
            "device.ambiguous",
        ],
    },
    ExitCode {
        number: 5,
        meaning: "No such chat, contact, message, link, device, member, announcement or attachment.",
        codes: &[
            "chat.unknown",
            "contact.unknown",
            "message.unknown",
            "message.gone",
            "link.unknown",
            "device.unknown",
            "report.unknown",
            "announcement.unknown",
            "group.not_member",
            "kill.no_device",
            "kill.none",
            "attachment.unknown",
            "attachment.missing",
            "attachment.not_here",
        ],
    },
    ExitCode {
        number: 9,
        meaning: "The server isn't the one whose key was pinned, or handed out a false key. Nothing was sent.",
        codes: &[
            "connection.pin",
            "net.pin_mismatch",
            "link.forged",
            "linking.forged",
            "linking.other_server",
            "token.keys_differ",
        ],
    },
    ExitCode {
        number: 11,
        meaning: "The disk is full, or can't be written.",
        codes: &[
            "home.disk_full",
            "home.read_only",
            "store.disk_full",
            "store.read_only",
            "attachment.disk_full",
            "backup.disk_full",
            "file.disk_full",
            "file.read_only",
        ],
    },
    ExitCode {
        number: 15,
        meaning: "This home has been wiped; nothing is left in it.",
        codes: &["home.wiped"],
    },
    ExitCode {
        number: 16,
        meaning: "Undertone was locked while the command ran.",
        codes: &["home.locked"],
    },
    ExitCode {
        number: 17,
        meaning: "The desktop's keyring, which this home needs or is to need, is locked, not there, or without its secret. No attempt was counted.",
        codes: &["home.keyring", "home.no_keyring"],
    },
    ExitCode {
        number: 12,
        meaning: "Another process owns the home and doesn't answer.",
        codes: &[
            "home.owned",
            "home.busy",
            "home.in_use",
            "home.lost",
            "home.elsewhere",
            "host.busy",
        ],
    },
    ExitCode {
        number: 13,
        meaning: "App and server, or app and home, are of versions that don't go together.",
        codes: &["version.", "home.newer", "store.newer", "backup.newer"],
    },
    ExitCode {
        number: 2,
        meaning: "The command was written wrongly, or its input is no such thing (a link, an invitation, a name).",
        codes: &[
            "usage.",
            "rpc.",
            "host.port_in_use",
            "settings.",
            "link.invalid",
            "link.own",
            "linking.invalid",
            "kill.words",
            "kill.full",
            "device.own",
            "device.name_invalid",
            "account.phrase_wrong",
            "account.server_invalid",
            "account.name_invalid",
            "account.proxy_invalid",
            "group.name_invalid",
            "group.no_members",
            "message.empty",
            "message.too_long",
            "message.reaction_invalid",
            "message.timer_invalid",
            "message.mixed",
            "message.card_other_link",
            "message.location_invalid",
            "text.",
            "origin.",
            "connection.onion",
        ],
    },
    ExitCode {
        number: 14,
        meaning: "A file can't be read, written, or sent as it is.",
        codes: &["file.", "attachment.", "media.", "backup."],
    },
    ExitCode {
        number: 8,
        meaning: "The server refused (an invitation or link that is used up or expired, a quota, a full disk there).",
        codes: &[
            "link.expired",
            "link.used",
            "link.other_server",
            "linking.",
            "device.removed",
            "kill.refused",
            "kill.not_taken",
            "store.full",
            "store.unavailable",
            "frame.",
            "request.",
            "auth.",
            "invitation.",
            "registration.",
            "address.",
            "bell.",
            "quota.",
            "token.",
            "channel.",
            "forward.",
            "server_key.",
            "blob.",
            "limit.",
            "server.",
            "internal",
            "unrecognised",
        ],
    },
    ExitCode {
        number: 7,
        meaning: "Not now: the server can't be reached, the contact isn't ready, or a device to be wiped hasn't answered. Later it may work.",
        codes: &[
            "net.",
            "connection.",
            "response.",
            "account.not_registered",
            "kill.",
            "contact.not_ready",
            "contact.no_key_package",
        ],
    },
    ExitCode {
        number: 10,
        meaning: "The conversation doesn't allow that (role, not a member any more, a contact or member already).",
        codes: &[
            "link.too_many",
            "message.not_yours",
            "message.not_text",
            "message.not_failed",
            "message.not_sent",
            "group.",
            "chat.",
            "contact.",
            "mls.may_not_add",
            "mls.may_not_remove",
            "mls.may_not_change",
            "mls.fixed_members",
        ],
    },
    ExitCode {
        number: 4,
        meaning: "No home there yet, one already, or one that can't be used.",
        codes: &["home.", "store.", "account.none"],
    },
    ExitCode {
        number: 1,
        meaning: "Anything else that failed; content that isn't valid or doesn't come out the same.",
        codes: &[],
    },
];

impl Failure {
    /// A failure that trying again won't help.
    pub fn new(code: &str, sentence: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            class: ErrorClass::Never,
            sentence: sentence.into(),
            choices: Vec::new(),
        }
    }

    /// The command line or its input is wrong.
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self::new("usage.invalid", sentence)
    }

    /// A file could not be read or written. `what` says which and for what, in the user's own words.
    #[must_use]
    pub fn file(what: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let (code, reason) = match error.kind() {
            ErrorKind::NotFound => (
                "file.not_found",
                "there is no such file or folder".to_owned(),
            ),
            ErrorKind::PermissionDenied => ("file.not_allowed", "permission denied".to_owned()),
            ErrorKind::AlreadyExists => ("file.exists", "it exists already".to_owned()),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                ("file.disk_full", "the disk is full".to_owned())
            }
            ErrorKind::ReadOnlyFilesystem => {
                ("file.read_only", "the file system is read-only".to_owned())
            }
            ErrorKind::IsADirectory => ("file.is_a_directory", "it is a directory".to_owned()),
            _ => ("file.failed", error.to_string()),
        };
        Self::new(code, format!("{what}: {reason}."))
    }

    /// What the process returns for this failure; see [`EXIT_CODES`].
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        EXIT_CODES
            .iter()
            .find(|row| {
                row.codes.iter().any(|code| {
                    if code.ends_with('.') {
                        self.code.starts_with(code)
                    } else {
                        self.code == *code
                    }
                })
            })
            .map_or(1, |row| row.number)
    }

    /// The `data` of a JSON-RPC error, and the `error` of a command with `--json`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!(ErrorData {
            code: self.code.clone(),
            class: self.class,
            sentence: self.sentence.clone(),
            exit_code: self.exit_code(),
            choices: self.choices.clone(),
        })
    }
}

/// The `data` of a JSON-RPC error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ErrorData {
    /// Stable, `area.reason`.
    pub code: String,
    /// Whether and when trying again can help.
    pub class: ErrorClass,
    /// One plain sentence.
    pub sentence: String,
    /// What the command line returns for it.
    pub exit_code: u8,
    /// What an ambiguous selector could have meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<String>>")]
    pub choices: Vec<String>,
}

impl From<ErrorData> for Failure {
    fn from(data: ErrorData) -> Self {
        Self {
            code: data.code,
            class: data.class,
            sentence: data.sentence,
            choices: data.choices,
        }
    }
}

impl From<undertone_core::Error> for Failure {
    fn from(error: undertone_core::Error) -> Self {
        Self::from(error.problem())
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        let class = if matches!(
            error,
            HomeError::Owned | HomeError::Memory | HomeError::TooSoon(_)
        ) {
            ErrorClass::RetryLater
        } else {
            ErrorClass::Never
        };
        Self {
            class,
            ..Self::new(error.code(), error.to_string())
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code,
            class: problem.class,
            sentence: problem.sentence,
            choices: Vec::new(),
        }
    }
}

/// The text of `undertone help exit-codes`.
#[must_use]
pub fn exit_code_help() -> String {
    let mut rows: Vec<_> = EXIT_CODES.iter().collect();
    rows.sort_by_key(|row| row.number);
    rows.iter().fold(String::from("Exit codes\n"), |text, row| {
        text + &format!("  {:>3}  {}\n", row.number, row.meaning)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit_code(code: &str) -> u8 {
        Failure::new(code, "").exit_code()
    }

    #[test]
    fn a_script_can_tell_failures_apart() {
        for (code, expected) in [
            ("usage.invalid", 2),
            ("home.wrong_passphrase", 3),
            ("home.exists", 4),
            ("store.corrupt", 4),
            ("chat.unknown", 5),
            ("chat.ambiguous", 6),
            ("connection.offline", 7),
            ("net.unreachable", 7),
            ("invitation.used", 8),
            ("store.full", 8),
            ("net.pin_mismatch", 9),
            ("group.forbidden", 10),
            ("home.disk_full", 11),
            ("home.owned", 12),
            ("home.wiped", 15),
            ("home.keyring", 17),
            ("kill.unanswered", 7),
            ("kill.hidden", 7),
            ("kill.no_device", 5),
            ("version.client_too_old", 13),
            ("attachment.exists", 14),
            ("something.new", 1),
        ] {
            assert_eq!(exit_code(code), expected, "{code}");
        }
    }

    #[test]
    fn every_documented_code_of_server_and_core_has_an_exit_code_of_its_own() {
        let documented =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md"))
                .expect("docs/errors.md");
        let of_server = documented
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let of_core = undertone_core::Reason::ALL
            .iter()
            .map(|reason| reason.code());
        let codes: Vec<_> = of_server.chain(of_core).collect();
        assert!(codes.len() > 50);
        // Faults of the app and what another device sent: no command can do better than say so.
        let inner = ["state.", "mls.", "message.malformed", "item.", "padding."];
        let untold: Vec<_> = codes
            .iter()
            .filter(|code| exit_code(code) == 1 && !inner.iter().any(|area| code.starts_with(area)))
            .collect();
        assert!(untold.is_empty(), "{untold:?}");
    }

    #[test]
    fn the_help_lists_every_exit_code_once_and_in_order() {
        let numbers: Vec<u8> = exit_code_help()
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().next()?.parse().ok())
            .collect();
        let mut expected: Vec<u8> = EXIT_CODES.iter().map(|row| row.number).collect();
        expected.sort_unstable();
        assert_eq!(numbers, expected);
        expected.dedup();
        assert_eq!(numbers, expected);
    }
}
