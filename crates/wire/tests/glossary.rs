//! `docs/errors.md` is the glossary, word for word. `UPDATE=1` writes it.

use std::{env, error::Error, fs, path::Path};

#[test]
fn the_documented_codes_are_the_codes() -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let glossary = undertone_wire::codes::glossary();
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &glossary)?;
    }
    let documented = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        documented == glossary,
        "docs/errors.md is not what the code says; UPDATE=1 cargo test -p undertone-wire --test glossary"
    );
    Ok(())
}
