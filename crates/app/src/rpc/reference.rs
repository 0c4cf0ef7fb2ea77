//! TypeScript types and the method list of `docs/rpc.md`, written from the table of methods.
//!
//! Both are checked in; `cargo test -p undertone-app` fails when they are stale, and `UNDERTONE_WRITE_REFERENCE=1 cargo test
//! -p undertone-app reference` writes them anew.

use std::{any::TypeId, collections::BTreeMap, fmt::Write};

use ts_rs::{Config, TS, TypeVisitor};
use undertone_core::Event;

use super::{
    RPC_VERSION,
    methods::{Entry, catalogue},
};
use crate::failure::EXIT_CODES;

/// Named types met so far, by name.
#[derive(Default)]
pub struct Types {
    seen: Vec<TypeId>,
    declarations: BTreeMap<String, String>,
}

impl Types {
    /// Adds a type and all it is made of; returns how TypeScript names it.
    pub fn add<T: TS + 'static + ?Sized>(&mut self) -> String {
        let config = Config::default();
        self.visit::<T>();
        T::name(&config)
    }
}

/// A declaration with its members indented and its one-line comments on one line.
fn tidy(declaration: &str) -> String {
    let mut out = String::new();
    let mut lines = declaration.lines().map(str::trim).peekable();
    let mut inside = false;
    while let Some(line) = lines.next() {
        let indent = if inside { "  " } else { "" };
        if line == "/**" {
            let mut comment = Vec::new();
            for line in lines.by_ref().take_while(|line| *line != "*/") {
                comment.push(line.trim_start_matches('*').trim());
            }
            let _ = writeln!(out, "{indent}/** {} */", comment.join(" "));
        } else if let (true, Some(last)) = (inside, line.strip_suffix("};")) {
            let _ = write!(out, "  {}\n}};\n", last.trim_end());
        } else {
            let _ = writeln!(out, "{indent}{line}");
        }
        inside |= line.starts_with("export ");
    }
    out
}

/// A type written out, without comments, for a table.
pub fn written_out<T: TS>() -> String {
    let inline = T::inline(&Config::default());
    let mut out = String::new();
    for (index, part) in inline.split("/**").enumerate() {
        out += if index == 0 {
            part
        } else {
            part.split_once("*/").map_or(part, |(_, rest)| rest)
        };
    }
    out.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace(", }", " }")
        .replace('|', "\\|")
        .replace("Record<symbol, never>", "{}")
}

impl TypeVisitor for Types {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if self.seen.contains(&TypeId::of::<T>()) {
            return;
        }
        self.seen.push(TypeId::of::<T>());
        let config = Config::default();
        // Only types of our own are declared; the rest (numbers, lists, options) are TypeScript's.
        if T::output_path().is_some() {
            let declaration = format!(
                "{}export {}",
                T::docs().unwrap_or_default(),
                T::decl(&config)
            );
            self.declarations
                .insert(T::ident(&config), tidy(&declaration));
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

/// The text of `bindings/rpc.ts`.
#[must_use]
pub fn typescript() -> String {
    let mut types = Types::default();
    let mut methods = String::new();
    for entry in catalogue() {
        let (params, answer) = (entry.visit)(&mut types);
        let _ = writeln!(
            methods,
            "  /** {} */\n  {:?}: {{ params: {params}; result: {answer} }};",
            entry.about, entry.name
        );
    }
    let mut host_methods = String::new();
    for entry in crate::web::methods::catalogue() {
        let (params, answer) = (entry.visit)(&mut types);
        let _ = writeln!(
            host_methods,
            "  /** {} */\n  {:?}: {{ params: {params}; result: {answer} }};",
            entry.about, entry.name
        );
    }
    let event = types.add::<Event>();
    let failure = types.add::<crate::failure::ErrorData>();
    let mut out = format!(
        "// Generated from crates/app/src/rpc/methods.rs; do not edit. docs/rpc.md describes the interface.\n\nexport const RPC_VERSION = {RPC_VERSION};\n\n"
    );
    for declaration in types.declarations.values() {
        let _ = writeln!(out, "{}\n", declaration.trim_end());
    }
    let _ = write!(
        out,
        "/** Every method, by name. */\nexport interface Methods {{\n{methods}}}\n\n/** Every method of the host that serves the user interface, by name. */\nexport interface HostMethods {{\n{host_methods}}}\n\n/** Every notification from the app, by name. */\nexport interface Notifications {{\n  \"event\": {event};\n}}\n\n/** `data` of every error. */\nexport type RpcErrorData = {failure};\n"
    );
    out
}

/// The method list of `docs/rpc.md`.
#[must_use]
pub fn method_list() -> String {
    list(catalogue())
}

/// The list of the host's own methods in `docs/rpc.md`.
#[must_use]
pub fn host_method_list() -> String {
    list(crate::web::methods::catalogue())
}

fn list(entries: Vec<Entry>) -> String {
    let mut types = Types::default();
    let mut out = String::new();
    for entry in entries {
        let (_, answer) = (entry.visit)(&mut types);
        let params = (entry.params)();
        let _ = writeln!(
            out,
            "| `{}` | `{params}` | `{}` | {} |",
            entry.name,
            answer.replace('|', "\\|"),
            entry.about
        );
    }
    format!("| method | params | result | what it does |\n|---|---|---|---|\n{out}")
}

/// The exit codes of `docs/rpc.md`.
#[must_use]
pub fn exit_code_list() -> String {
    let mut rows: Vec<_> = EXIT_CODES.iter().collect();
    rows.sort_by_key(|row| row.number);
    let rows = rows.iter().fold(String::new(), |text, row| {
        text + &format!("| {} | {} |\n", row.number, row.meaning)
    });
    format!("| exit code | meaning |\n|---|---|\n{rows}")
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn in_crate(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    fn check(path: &Path, wanted: &str) {
        if std::env::var_os("UNDERTONE_WRITE_REFERENCE").is_some() {
            std::fs::create_dir_all(path.parent().expect("folder")).expect("folder");
            std::fs::write(path, wanted).expect("write");
        }
        let found = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            found == wanted,
            "{} is stale; run UNDERTONE_WRITE_REFERENCE=1 cargo test -p undertone-app reference",
            path.display()
        );
    }

    #[test]
    fn typescript_types_are_fresh() {
        check(&in_crate("bindings/rpc.ts"), &typescript());
    }

    /// `text` with what stands between the marks called `name` replaced.
    fn with_section(text: &str, name: &str, source: &str, section: &str) -> String {
        let begin = format!("<!-- {name}: generated from {source} -->\n");
        let end = format!("<!-- end of {name} -->\n");
        let (before, rest) = text.split_once(&begin).expect("begin mark");
        let (_, after) = rest.split_once(&end).expect("end mark");
        format!("{before}{begin}{section}{end}{after}")
    }

    #[test]
    fn the_documented_methods_and_exit_codes_are_fresh() {
        let path = in_crate("../../docs/rpc.md");
        let text = std::fs::read_to_string(&path).expect("docs/rpc.md");
        let text = with_section(
            &text,
            "methods",
            "crates/app/src/rpc/methods.rs",
            &method_list(),
        );
        let text = with_section(
            &text,
            "host methods",
            "crates/app/src/web/methods.rs",
            &host_method_list(),
        );
        let text = with_section(
            &text,
            "exit codes",
            "crates/app/src/failure.rs",
            &exit_code_list(),
        );
        check(&path, &text);
    }

    #[test]
    fn every_code_of_the_app_is_documented() {
        let text = std::fs::read_to_string(in_crate("../../docs/rpc.md")).expect("docs/rpc.md");
        let mut codes = std::collections::BTreeSet::new();
        for file in rust_files(&in_crate("src")) {
            let source = std::fs::read_to_string(&file).expect("source");
            let source = source.split("#[cfg(test)]").next().unwrap_or_default();
            for (at, _) in source.match_indices("::new(") {
                let rest = source[at + 6..].trim_start();
                if let Some(code) = rest
                    .strip_prefix('"')
                    .and_then(|rest| rest.split('"').next())
                    .filter(|code| code.contains('.') && !code.contains(' '))
                {
                    codes.insert(code.to_owned());
                }
            }
        }
        assert!(codes.len() > 15, "{codes:?}");
        // Codes that the core or the server also uses are in errors.md.
        let shared = [
            "chat.",
            "contact.",
            "message.",
            "link.",
            "linking.",
            "device.",
            "group.",
            "attachment.",
        ];
        let missing: Vec<_> = codes
            .iter()
            .filter(|code| {
                !shared.iter().any(|area| code.starts_with(area))
                    && !text.contains(&format!("`{code}`"))
            })
            .collect();
        assert!(missing.is_empty(), "not in docs/rpc.md: {missing:?}");
    }

    fn rust_files(folder: &Path) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                files.extend(rust_files(&path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
        files
    }

    #[test]
    fn every_method_has_a_name_of_two_parts_and_a_sentence() {
        let all = || {
            let host = crate::web::methods::catalogue();
            catalogue().into_iter().chain(host)
        };
        let names: Vec<_> = all().map(|entry| entry.name).collect();
        for entry in all() {
            assert_eq!(entry.name.split('.').count(), 2, "{}", entry.name);
            assert!(entry.about.ends_with('.'), "{}", entry.name);
        }
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
    }
}
