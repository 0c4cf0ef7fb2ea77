//! Searches over what programs left on disk, as somebody would who took the machine.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use memchr::memmem;

/// Something that must not be found.
#[derive(Clone, PartialEq, Eq)]
pub struct Needle {
    /// What it is, for the report.
    pub name: String,
    bytes: Vec<u8>,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The needle's name.
    pub name: String,
    /// In which file; a file's own name counts as its content.
    pub path: PathBuf,
    /// At which byte, of the first find in that file.
    pub offset: u64,
}

impl Needle {
    /// A text as it is, and as UTF-16.
    pub fn text(name: &str, text: &str) -> Vec<Self> {
        let wide = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        vec![
            Self::exact(name, text.as_bytes().to_vec()),
            Self::exact(&format!("{name} (UTF-16)"), wide),
        ]
    }

    /// Bytes as they are, and as the texts that programs write bytes as: hexadecimal, base32 and base64.
    pub fn bytes(name: &str, bytes: &[u8]) -> Vec<Self> {
        let mut needles = vec![Self::exact(name, bytes.to_vec())];
        // Base64 and base32 work on groups, so the last group is left out: what follows it changes it.
        let whole = |group: usize| &bytes[..bytes.len() / group * group];
        let forms = [
            ("hex", HEXLOWER.encode(bytes)),
            ("HEX", HEXUPPER.encode(bytes)),
            ("base64", BASE64.encode(whole(3))),
            ("base64url", BASE64URL_NOPAD.encode(whole(3))),
            ("base32", BASE32_NOPAD.encode(whole(5)).to_lowercase()),
            ("BASE32", BASE32_NOPAD.encode(whole(5))),
        ];
        // Short forms turn up by chance.
        let long = forms.into_iter().filter(|(_, form)| form.len() >= 8);
        needles.extend(
            long.map(|(form, text)| Self::exact(&format!("{name} ({form})"), text.into_bytes())),
        );
        needles
    }

    /// What is looked for.
    pub fn content(&self) -> &[u8] {
        &self.bytes
    }

    /// These bytes and no other form of them.
    pub fn exact(name: &str, bytes: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            bytes,
        }
    }
}

/// Looks for the needles in every file below a folder, and in the names of files and folders.
///
/// # Errors
/// If a file can't be read; one that is gone meanwhile is left out.
pub fn scan_for(folder: &Path, needles: &[Needle]) -> std::io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for path in files(folder)? {
        let name = path
            .strip_prefix(folder)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        let in_name = needles
            .iter()
            .filter(|needle| memmem::find(name.as_bytes(), &needle.bytes).is_some());
        found.extend(in_name.map(|needle| Found {
            name: needle.name.clone(),
            path: path.clone(),
            offset: 0,
        }));
        match File::open(&path).and_then(|file| scan_file(file, &path, needles)) {
            Ok(in_file) => found.extend(in_file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn scan_file(mut file: impl Read, path: &Path, needles: &[Needle]) -> std::io::Result<Vec<Found>> {
    const STEP: usize = 1 << 20;
    let finders: Vec<_> = needles
        .iter()
        .map(|needle| memmem::Finder::new(&needle.bytes))
        .collect();
    let overlap = needles
        .iter()
        .map(|needle| needle.bytes.len())
        .max()
        .unwrap_or_default();
    let mut first = vec![None; needles.len()];
    let mut window = Vec::new();
    let mut start = 0u64;
    loop {
        let read = file.by_ref().take(STEP as u64).read_to_end(&mut window)?;
        if read == 0 {
            break;
        }
        for (finder, first) in finders
            .iter()
            .zip(&mut first)
            .filter(|(_, first)| first.is_none())
        {
            *first = finder.find(&window).map(|at| start + at as u64);
        }
        // What might begin here and end in the next step stays.
        let gone = window.len().saturating_sub(overlap);
        window.drain(..gone);
        start += gone as u64;
    }
    let found = needles.iter().zip(first);
    let found = found.filter_map(|(needle, offset)| Some((needle.name.clone(), offset?)));
    Ok(found
        .map(|(name, offset)| Found {
            name,
            path: path.to_owned(),
            offset,
        })
        .collect())
}

/// All regular files below a folder, in order of their paths. Links are not followed.
///
/// # Errors
/// If a folder can't be read.
pub fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Copies a folder with all files as they are at this moment, as a seizure would.
///
/// # Errors
/// If something can't be read or written; files that vanish meanwhile are left out.
pub fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for path in files(from)? {
        let target = to.join(path.strip_prefix(from).unwrap_or(&path));
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        match fs::copy(&path, &target) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
