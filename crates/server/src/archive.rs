//! The backup file: names and bytes one after the other, and a hash over all of it.
//!
//! ```text
//! "undertone-server backup 1\n"
//! repeated: name length u16, name (relative, '/' between parts), size u64, bytes      (big-endian)
//! 0u16, SHA-256 of everything before it
//! ```
//!
//! The hash tells a broken file from a whole one; it protects against nothing else. Reading and writing stream.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

const MAGIC: &[u8] = b"undertone-server backup 1\n";
const NAME_LIMIT: usize = 512;
const CHUNK: usize = 64 * 1024;

/// Writes an archive.
pub struct Writer<W> {
    output: W,
    hash: Context,
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    ///
    /// # Errors
    /// When writing fails.
    pub fn new(output: W) -> io::Result<Self> {
        let mut writer = Self {
            output,
            hash: Context::new(&SHA256),
        };
        writer.put(MAGIC)?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.output.write_all(bytes)
    }

    /// Adds a file as long as it is now; one that shrinks while it is read is an error.
    ///
    /// # Errors
    /// When reading or writing fails.
    pub fn add(&mut self, name: &str, file: &mut File) -> io::Result<()> {
        let length = u16::try_from(name.len())
            .ok()
            .filter(|_| (1..=NAME_LIMIT).contains(&name.len()))
            .ok_or(io::ErrorKind::InvalidInput)?;
        let size = file.metadata()?.len();
        self.put(&length.to_be_bytes())?;
        self.put(name.as_bytes())?;
        self.put(&size.to_be_bytes())?;
        let mut left = size;
        let mut chunk = vec![0; CHUNK];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let count = file.read(&mut chunk[..most])?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.put(&chunk[..count])?;
            left -= count as u64;
        }
        Ok(())
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.put(&0u16.to_be_bytes())?;
        let hash = self.hash.finish();
        self.output.write_all(hash.as_ref())?;
        self.output.flush()?;
        Ok(self.output)
    }
}

struct Reader<R> {
    input: R,
    hash: Context,
}

impl<R: Read> Reader<R> {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.hash.update(&bytes);
        Ok(bytes)
    }
}

/// Unpacks an archive into the empty folder `dir`, every file readable by the owner alone.
///
/// # Errors
/// `InvalidData` or `UnexpectedEof` when it is not a whole archive; the folder's contents are worth nothing then.
pub fn unpack(input: impl Read, dir: &Path) -> io::Result<()> {
    let mut reader = Reader {
        input,
        hash: Context::new(&SHA256),
    };
    if reader.take::<{ MAGIC.len() }>()? != MAGIC {
        return Err(io::ErrorKind::InvalidData.into());
    }
    loop {
        let length = usize::from(u16::from_be_bytes(reader.take()?));
        if length == 0 {
            break;
        }
        if length > NAME_LIMIT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut name = vec![0; length];
        reader.input.read_exact(&mut name)?;
        reader.hash.update(&name);
        let name = String::from_utf8(name).map_err(|_| io::ErrorKind::InvalidData)?;
        let size = u64::from_be_bytes(reader.take()?);
        unpack_file(&mut reader, dir, &name, size)?;
    }
    let expected = reader.hash.finish();
    let mut hash = [0; 32];
    reader.input.read_exact(&mut hash)?;
    if hash != expected.as_ref() || reader.input.read(&mut [0])? != 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(())
}

fn unpack_file<R: Read>(
    reader: &mut Reader<R>,
    dir: &Path,
    name: &str,
    size: u64,
) -> io::Result<()> {
    // Nothing may land outside the folder.
    let plain =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\0');
    if !name.split('/').all(plain) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let path = dir.join(name);
    if let Some(parent) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let mut left = size;
    let mut chunk = vec![0; CHUNK];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        reader.input.read_exact(&mut chunk[..most])?;
        reader.hash.update(&chunk[..most]);
        file.write_all(&chunk[..most])?;
        left -= most as u64;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(names: &[&str]) -> Vec<u8> {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("content");
        std::fs::write(&path, vec![7; 100_000]).expect("write");
        let mut writer = Writer::new(Vec::new()).expect("new");
        for name in names {
            writer
                .add(name, &mut File::open(&path).expect("open"))
                .expect("add");
        }
        writer.finish().expect("finish")
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let bytes = archive(&["a", "data/deep/b"]);
        let dir = tempfile::tempdir().expect("temp dir");
        unpack(&bytes[..], dir.path()).expect("unpack");
        for name in ["a", "data/deep/b"] {
            assert_eq!(
                std::fs::read(dir.path().join(name)).expect("read"),
                vec![7; 100_000]
            );
        }
    }

    #[test]
    fn a_broken_archive_is_refused() {
        let whole = archive(&["a"]);
        let mut changed = whole.clone();
        changed[50_000] ^= 1;
        let longer = [&whole[..], b"x"].concat();
        for broken in [
            &whole[..whole.len() - 1],
            &whole[..10],
            b"",
            &changed,
            &longer,
        ] {
            let dir = tempfile::tempdir().expect("temp dir");
            assert!(unpack(broken, dir.path()).is_err());
        }
    }

    #[test]
    fn nothing_lands_outside_the_folder() {
        for name in ["../a", "/etc/a", "a/../../b", "a//b", "."] {
            let dir = tempfile::tempdir().expect("temp dir");
            assert!(unpack(&archive(&[name])[..], dir.path()).is_err(), "{name}");
        }
    }
}
