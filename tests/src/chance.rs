//! Draws that can be made again.

use rand::SeedableRng as _;
use rand::rngs::StdRng;

/// What a test draws of moments and places: another every time, from a seed that is printed, or from `UNDERTONE_SEED`.
pub fn chance(test: &str) -> StdRng {
    let given = std::env::var("UNDERTONE_SEED").ok();
    let seed = given
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| u64::from(rand::random::<u32>()));
    eprintln!("{test}: UNDERTONE_SEED={seed} draws the same again");
    StdRng::seed_from_u64(seed)
}
