//! `undertone install` and `undertone uninstall`: the entry in the desktop's menu, its icon, and a systemd unit of the user's own.
//!
//! Nothing is copied but these three files: they name the program where it is. What must stay true: a file of somebody else's at
//! one of the places is left alone; the unit's output is not kept by the journal, because the code to type is in it; accounts are
//! not touched, neither by installing nor by uninstalling; nothing is started, stopped or enabled.
//!
//! The unit is as closed as a user's own service manager can make it everywhere: what needs namespaces (`ProtectSystem=` and the like)
//! is left out, since a system that gives users none would not start it. The browser is never started from it (a second start opens
//! it), so that nothing of this reaches the browser.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Component, Path, PathBuf},
};

use serde_json::json;

use crate::{
    cli::{args::Global, output::Outcome},
    failure::Failure,
    session::home_folder,
};

/// The first line of what this program wrote, by which it knows its own files again.
const OWN: &str = "# Made by `undertone install`; `undertone uninstall` takes it away.";
/// It stands in the first bytes.
const OWN_WITHIN: u64 = 256;
/// What `systemctl enable` makes: a link to the unit.
const ENABLED: &str = "systemd/user/default.target.wants/undertone.service";
const ICON: &str = include_str!("../../../../ui/src/icon.svg");

/// One file, and where it belongs.
struct Placed {
    path: PathBuf,
    content: String,
}

/// The folders of the XDG base directory specification.
struct Folders {
    data: PathBuf,
    config: PathBuf,
}

impl Folders {
    fn of_user() -> Result<Self, Failure> {
        let absolute = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let below_home = |variable, rest| {
            absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(rest)))
        };
        match (
            below_home("XDG_DATA_HOME", ".local/share"),
            below_home("XDG_CONFIG_HOME", ".config"),
        ) {
            (Some(data), Some(config)) => Ok(Self { data, config }),
            _ => Err(Failure::new(
                "usage.home",
                "It isn't known where your home directory is; set HOME.",
            )),
        }
    }

    fn desktop_entry(&self) -> PathBuf {
        self.data.join("applications/undertone.desktop")
    }

    fn icon(&self) -> PathBuf {
        self.data.join("icons/hicolor/scalable/apps/undertone.svg")
    }

    fn unit(&self) -> PathBuf {
        self.config.join("systemd/user/undertone.service")
    }
}

/// The program as it was started, and the home: a desktop and a service manager may have other variables than the shell has.
fn command_line(options: &Global) -> Result<Vec<String>, Failure> {
    let program = std::env::current_exe()
        .and_then(|program| fs::metadata(&program).map(|_| program))
        .map_err(|error| Failure::file("The program", &error))?;
    let home = home_folder(options)?;
    Ok(vec![text(&program)?, "--home".to_owned(), text(&home)?])
}

fn text(path: &Path) -> Result<String, Failure> {
    path.to_str()
        .filter(|text| !text.chars().any(char::is_control))
        .map(str::to_owned)
        .ok_or_else(|| {
            Failure::usage(
                "The path of the program or the home has bytes that a menu entry can't hold.",
            )
        })
}

/// A word of `Exec`: quoted, then escaped as every string of the file (Desktop Entry Specification 1.5, "The Exec key").
fn desktop_word(word: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' | '`' | '$' => quoted.extend(["\\\\", letter.encode_utf8(&mut [0; 4])]),
            '\\' => quoted.push_str("\\\\\\\\"),
            '%' => quoted.push_str("%%"),
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// A word of `ExecStart` (systemd.service(5), "Command lines").
fn unit_word(word: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' | '\\' => quoted.extend(["\\", letter.encode_utf8(&mut [0; 4])]),
            '%' => quoted.push_str("%%"),
            '$' => quoted.push_str("$$"),
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

fn joined(words: &[String], quote: impl Fn(&str) -> String) -> String {
    words
        .iter()
        .map(|word| quote(word))
        .collect::<Vec<_>>()
        .join(" ")
}

fn files(options: &Global, folders: &Folders) -> Result<Vec<Placed>, Failure> {
    let words = command_line(options)?;
    let entry = format!(
        "{OWN}\n[Desktop Entry]\nType=Application\nVersion=1.0\nName=Undertone\nGenericName=Messenger\n\
         Comment=Private messages on a server you own\n\
         Comment[nl]=Privéberichten op een server van jezelf\n\
         Comment[fr]=Messages privés sur un serveur à vous\n\
         Comment[de]=Private Nachrichten auf einem eigenen Server\n\
         Comment[es]=Mensajes privados en un servidor tuyo\n\
         Comment[ar]=رسائل خاصة على خادم تملكه\n\
         Exec={}\nIcon=undertone\nTerminal=false\nCategories=Network;InstantMessaging;\nStartupNotify=false\n",
        joined(&words, desktop_word)
    );
    let unit = format!(
        "{OWN}\n[Unit]\nDescription=Undertone, private messages\n\n[Service]\nType=exec\nExecStart={} --no-browser\n\
         # What it prints has the code to type; the journal keeps none of it.\n\
         StandardOutput=null\nRestart=on-failure\nRestartSec=5\nUMask=0077\nLimitCORE=0\nNoNewPrivileges=yes\n\
         RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\nRestrictNamespaces=yes\nRestrictRealtime=yes\n\
         RestrictSUIDSGID=yes\nLockPersonality=yes\nMemoryDenyWriteExecute=yes\nSystemCallArchitectures=native\n\
         SystemCallFilter=@system-service\nSystemCallErrorNumber=EPERM\n\n\
         [Install]\nWantedBy=default.target\n",
        joined(&words, unit_word)
    );
    // The mark goes into the icon as a comment of its own kind.
    let icon = format!("<!-- {OWN} -->\n{ICON}");
    Ok(vec![
        Placed {
            path: folders.desktop_entry(),
            content: entry,
        },
        Placed {
            path: folders.icon(),
            content: icon,
        },
        Placed {
            path: folders.unit(),
            content: unit,
        },
    ])
}

/// Whether something is there, and if so, whether this program made it: a plain file with the mark at its beginning.
fn is_own(path: &Path) -> Result<Option<bool>, Failure> {
    let failed = |error: io::Error| Failure::file(&path.display().to_string(), &error);
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() => {}
        Ok(_) => return Ok(Some(false)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let mut start = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(OWN_WITHIN).read_to_end(&mut start))
        .map_err(failed)?;
    let mark = OWN.as_bytes();
    Ok(Some(start.windows(mark.len()).any(|part| part == mark)))
}

fn foreign(path: &Path) -> Failure {
    Failure::new(
        "file.exists",
        format!(
            "{} is there already and was not made by `undertone install`; it is left as it is.",
            path.display()
        ),
    )
}

/// Writes the file whole or not at all.
fn place(file: &Placed) -> io::Result<()> {
    if let Some(folder) = file.path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut beside = file.path.clone().into_os_string();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // From an attempt that did not come to its end.
    let _ = fs::remove_file(&beside);
    let placed =
        write_new(&beside, file.content.as_bytes()).and_then(|()| fs::rename(&beside, &file.path));
    if placed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    placed
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// # Errors
/// `file.exists` if one of the files is somebody else's; then none is written.
pub(super) fn install(options: &Global) -> Result<Outcome, Failure> {
    let files = files(options, &Folders::of_user()?)?;
    for file in &files {
        if is_own(&file.path)? == Some(false) {
            return Err(foreign(&file.path));
        }
    }
    for file in &files {
        place(file).map_err(|error| Failure::file(&file.path.display().to_string(), &error))?;
    }
    let paths: Vec<_> = files
        .iter()
        .map(|file| file.path.display().to_string())
        .collect();
    let mut lines = paths.clone();
    lines.push("Undertone is in your desktop's menu now.".to_owned());
    lines.push(
        "To have it run from when you sign in: systemctl --user daemon-reload && systemctl --user enable --now undertone"
            .to_owned(),
    );
    Ok(Outcome::prose(json!({"files": paths}), lines))
}

/// Takes away what `install` made, and the link by which the unit was enabled. What is somebody else's stays and is named.
pub(super) fn uninstall() -> Result<Outcome, Failure> {
    let folders = Folders::of_user()?;
    let (mut removed, mut left) = (Vec::new(), Vec::new());
    for path in [folders.desktop_entry(), folders.icon(), folders.unit()] {
        match is_own(&path)? {
            Some(true) => remove(&path, &mut removed)?,
            Some(false) => left.push(path.display().to_string()),
            None => {}
        }
    }
    // It would lead nowhere.
    let enabled = folders.config.join(ENABLED);
    let unit = folders.unit();
    let beside = Path::new(&Component::ParentDir).join(unit.file_name().unwrap_or_default());
    let leads_there =
        fs::read_link(&enabled).is_ok_and(|target| target == unit || target == beside);
    if leads_there && is_own(&unit)?.is_none() {
        remove(&enabled, &mut removed)?;
    }
    let mut lines = removed.clone();
    lines.push(if removed.is_empty() {
        "There was nothing to take away.".to_owned()
    } else {
        "Taken away. Your account and its home are as they were; if Undertone runs as a service now, it does so until: systemctl --user stop undertone"
            .to_owned()
    });
    lines.extend(
        left.iter()
            .map(|path| format!("{path} was not made by `undertone install` and is left.")),
    );
    Ok(Outcome::prose(
        json!({"files": removed, "left": left}),
        lines,
    ))
}

fn remove(path: &Path, removed: &mut Vec<String>) -> Result<(), Failure> {
    fs::remove_file(path).map_err(|error| Failure::file(&path.display().to_string(), &error))?;
    removed.push(path.display().to_string());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{desktop_word, unit_word};

    #[test]
    fn a_path_with_signs_of_its_own_is_one_word() {
        assert_eq!(
            desktop_word("/opt/my app/undertone"),
            "\"/opt/my app/undertone\""
        );
        assert_eq!(desktop_word("/a%b\"c$d\\e"), r#""/a%%b\\"c\\$d\\\\e""#);
        assert_eq!(unit_word("/a%b\"c$d\\e"), r#""/a%%b\"c$$d\\e""#);
    }
}
