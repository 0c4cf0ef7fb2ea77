//! `undertone-fuzz [SECONDS [SEED]]`: gives every parser of outside bytes good input with damage in it, for so many
//! seconds each (20 unless said otherwise).
//!
//! What a target finds wrong is a panic; the input that caused it is kept in a file, and the exit code is 1.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use image::{DynamicImage, ImageFormat};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use undertone_tests::fixtures;

/// The wire crate's own examples of every frame.
#[path = "../../../crates/wire/tests/samples/mod.rs"]
mod samples;

/// The longest input that is made.
const LONGEST: usize = 64 << 10;

struct Target {
    name: &'static str,
    run: fn(&[u8]),
    corpus: Vec<Vec<u8>>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| {
        arguments
            .next()
            .map_or(Ok(default), |text| text.parse::<u64>())
    };
    let (Ok(seconds), Ok(seed)) = (
        number(20),
        number(RandomState::new().build_hasher().finish()),
    ) else {
        eprintln!("Usage: undertone-fuzz [SECONDS [SEED]]");
        return ExitCode::from(2);
    };
    let targets = match targets() {
        Ok(targets) => targets,
        Err(error) => {
            eprintln!("The examples could not be made: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{} targets, {seconds} s each, seed {seed}", targets.len());
    let failed = targets
        .iter()
        .filter(|target| !fuzz(target, Duration::from_secs(seconds), seed))
        .count();
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// True if nothing was found.
fn fuzz(target: &Target, limit: Duration, seed: u64) -> bool {
    let mut rng = StdRng::seed_from_u64(seed);
    let start = Instant::now();
    let mut runs = 0u64;
    while start.elapsed() < limit {
        let input = damaged(&mut rng, &target.corpus);
        runs += 1;
        if catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err() {
            match keep(target.name, &input) {
                Ok(path) => println!(
                    "{:<16} FAILED after {runs} inputs: {}",
                    target.name,
                    path.display()
                ),
                Err(error) => println!(
                    "{:<16} FAILED after {runs} inputs; not kept: {error}",
                    target.name
                ),
            }
            return false;
        }
    }
    println!("{:<16} {runs} inputs", target.name);
    true
}

fn keep(name: &str, input: &[u8]) -> std::io::Result<PathBuf> {
    let path =
        std::env::temp_dir().join(format!("undertone-fuzz-{name}-{}.bin", std::process::id()));
    std::fs::write(&path, input)?;
    Ok(path)
}

/// A good input with one to six changes, or bytes at random.
fn damaged(rng: &mut StdRng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut data = corpus.choose(rng).cloned().unwrap_or_else(|| {
        // Without examples: bytes at random.
        let mut bytes = vec![0; rng.random_range(0..400)];
        rng.fill(&mut bytes[..]);
        bytes
    });
    for _ in 0..rng.random_range(1..=6) {
        let place = rng.random_range(0..=data.len());
        match rng.random_range(0..8) {
            0 | 1 if place < data.len() => data[place] ^= 1 << rng.random_range(0..8),
            2 if place < data.len() => data[place] = rng.random(),
            // Lengths and counts break at the edges of their range.
            3 if place < data.len() => {
                data[place] = *[0, 0x17, 0x18, 0x7f, 0x80, 0xff].choose(rng).unwrap_or(&0)
            }
            4 => data.insert(place, rng.random()),
            5 => data.truncate(place),
            6 => {
                let end = (place + rng.random_range(0..40)).min(data.len());
                data.drain(place..end);
            }
            _ => {
                // A piece of another example, put in here.
                if let Some(other) = corpus.choose(rng) {
                    let from = rng.random_range(0..=other.len());
                    let to = rng.random_range(from..=other.len());
                    data.splice(place..place, other[from..to].iter().copied());
                }
            }
        }
    }
    data.truncate(LONGEST);
    data
}

fn targets() -> Result<Vec<Target>, Box<dyn std::error::Error>> {
    let mut targets = vec![
        Target {
            name: "content",
            run: undertone_content::fuzzing::fuzz_content,
            corpus: messages(),
        },
        Target {
            name: "media",
            run: undertone_core::media::fuzzing::fuzz_media,
            corpus: media()?,
        },
        Target {
            name: "markdown",
            run: |bytes| {
                let read = undertone_core::rich_text::read(&String::from_utf8_lossy(bytes));
                let _ = undertone_core::rich_text::as_letters(&read.blocks);
            },
            corpus: [
                "# Plan\n\n**Now** or *later*, ~~never~~: `x`\n\n1. go\n2. [ ] come\n\n> he said\n> - so\n\n```rust\nfn\n```\n",
                "| a | b |\n|---|---|\n| 1 | [2](https://a.example) |\n\n---\nhttps://b.example <c@d.example> ![e](f)\\\n&amp;",
            ]
            .map(|text| text.as_bytes().to_vec())
            .into(),
        },
    ];
    for (name, run) in undertone_wire::fuzzing::TARGETS {
        targets.push(Target {
            name,
            run: *run,
            corpus: wire(name),
        });
    }
    for (name, run) in undertone_mls::fuzzing::TARGETS {
        targets.push(Target {
            name,
            run: *run,
            corpus: Vec::new(),
        });
    }
    Ok(targets)
}

/// The MIMI draft's examples.
fn messages() -> Vec<Vec<u8>> {
    macro_rules! vectors {
        ($($name:literal)*) => {
            vec![$(include_bytes!(concat!("../../../crates/content/tests/vectors/", $name, ".cbor")).to_vec()),*]
        };
    }
    vectors!("attachment" "delete" "edit" "mention" "multipart-1" "multipart-2" "original" "reaction" "reply")
}

fn media() -> Result<Vec<Vec<u8>>, Box<dyn std::error::Error>> {
    let mut corpus = vec![fixtures::memo()?];
    for format in [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Gif,
    ] {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(24, 16).write_to(&mut bytes, format)?;
        corpus.push(bytes.into_inner());
    }
    // One second of silence: 44 bytes of header and 800 samples of 8 bits.
    let mut wav = b"RIFF\x44\x03\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x20\x03\0\0\x20\x03\0\0\x01\0\x08\0data\x20\x03\0\0".to_vec();
    wav.resize(wav.len() + 800, 128);
    corpus.push(wav);
    Ok(corpus)
}

fn wire(target: &str) -> Vec<Vec<u8>> {
    match target {
        "client_message" => samples::from_client()
            .iter()
            .map(|(_, frame)| samples::client_message(frame).to_vec())
            .collect(),
        "server_message" => samples::from_server()
            .iter()
            .map(|(_, frame)| samples::server_message(frame).to_vec())
            .collect(),
        "item" => undertone_wire::padding::pad_item(&samples::commit_item().to_proto())
            .into_iter()
            .collect(),
        _ => samples::texts()
            .into_iter()
            .map(|(_, text)| text.into_bytes())
            .collect(),
    }
}
