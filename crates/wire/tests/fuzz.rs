//! Drives the fuzz targets with mutated samples: two thousand inputs a target, or `FUZZ_SECONDS` a target.
//!
//! The seed is fixed unless `FUZZ_SEED` says otherwise, and is printed when a target fails.

#![allow(clippy::unwrap_used)]

mod samples;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use std::{
    env,
    time::{Duration, Instant},
};
use undertone_wire::fuzzing::TARGETS;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    match target {
        "client_message" => samples::from_client()
            .iter()
            .map(|(_, frame)| samples::client_message(frame).to_vec())
            .collect(),
        "server_message" => samples::from_server()
            .iter()
            .map(|(_, frame)| samples::server_message(frame).to_vec())
            .collect(),
        "item" => {
            let item = samples::commit_item().to_proto();
            let padded = undertone_wire::padding::pad_item(&item).unwrap();
            vec![padded[4..160].to_vec(), padded]
        }
        _ => samples::texts()
            .into_iter()
            .map(|(_, text)| text.into_bytes())
            .collect(),
    }
}

fn mutate(rng: &mut StdRng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut data = corpus.choose(rng).cloned().unwrap_or_default();
    for _ in 0..rng.random_range(1..6) {
        let place = rng.random_range(0..=data.len());
        match rng.random_range(0..6) {
            0 if place < data.len() => data[place] ^= 1 << rng.random_range(0..8),
            1 if place < data.len() => data[place] = rng.random(),
            2 => data.insert(place, rng.random()),
            3 => data.truncate(place),
            4 => {
                let end = (place + rng.random_range(0..40)).min(data.len());
                data.drain(place..end);
            }
            _ => data.extend_from_slice(corpus.choose(rng).map_or(&[][..], |other| other)),
        }
    }
    data
}

#[test]
fn nothing_from_outside_makes_a_target_panic() {
    let number = |name| {
        env::var(name)
            .ok()
            .and_then(|value| value.parse::<u64>().ok())
    };
    let seed = number("FUZZ_SEED").unwrap_or(1);
    let until = number("FUZZ_SECONDS").map(Duration::from_secs);
    for (name, target) in TARGETS {
        println!("target {name}, seed {seed}");
        let corpus = corpus(name);
        let mut rng = StdRng::seed_from_u64(seed);
        let start = Instant::now();
        let mut runs = 0u64;
        while until.map_or(runs < 2000, |until| start.elapsed() < until) {
            target(&mutate(&mut rng, &corpus));
            runs += 1;
        }
        println!("  {runs} inputs");
    }
}
