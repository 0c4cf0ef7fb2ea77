//! Lists the files of `ui/dist`, for `src/web/assets.rs` to hold. Without them the list is empty: the app can be built and checked
//! without node, and says plainly that it has no user interface.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    let dist = root.join("../../ui/dist");
    println!("cargo::rerun-if-changed=build.rs");
    // A path that does not exist counts as changed every time: until there is a user interface, its sources are watched.
    let watched = if dist.is_dir() {
        dist.clone()
    } else {
        root.join("../../ui/package.json")
    };
    println!("cargo::rerun-if-changed={}", watched.display());
    let mut files = Vec::new();
    collect(&dist, &mut files);
    files.sort();
    let mut list =
        String::from("/// The files of the user interface.\npub static ASSETS: &[Asset] = &[\n");
    for file in &files {
        let (Ok(below), Ok(whole)) = (file.strip_prefix(&dist), file.canonicalize()) else {
            continue;
        };
        let name = below.to_string_lossy();
        let Some(content_type) = content_type(&name) else {
            continue;
        };
        let path = if name == "index.html" {
            "/".to_owned()
        } else {
            format!("/{name}")
        };
        let _ = writeln!(
            list,
            "    Asset {{ path: {path:?}, content_type: {content_type:?}, bytes: include_bytes!({:?}) }},",
            whole.display().to_string()
        );
    }
    list.push_str("];\n");
    let out = PathBuf::from(env::var("OUT_DIR").unwrap_or_default()).join("assets.rs");
    if let Err(error) = fs::write(&out, list) {
        println!("cargo::error=the list of the user interface's files can't be written: {error}");
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn content_type(name: &str) -> Option<&'static str> {
    Some(match Path::new(name).extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}
