//! Generates the protobuf types without `protoc`.
//!
//! `bytes` fields become `Bytes`, so that decoding a frame copies nothing. The types get a `Debug` that prints
//! their name and no field: frames carry secrets, and a log line must not be able to.

use std::{env, error::Error, fmt::Write as _, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["undertone.proto", "client.proto"], ["proto"])?;
    let mut names = Vec::new();
    for file in &descriptors.file {
        let mut code = String::new();
        for message in &file.message_type {
            let name = message.name();
            name_only_debug(&mut code, name, name)?;
            for oneof in &message.oneof_decl {
                let path = format!("{}::{}", snake(name), pascal(oneof.name()));
                name_only_debug(&mut code, &path, name)?;
            }
        }
        names.push((file.package().to_owned(), code));
    }
    prost_build::Config::new()
        .bytes(["."])
        .skip_debug(["."])
        .compile_fds(descriptors)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for (package, code) in names {
        fs::write(out.join(format!("{package}.debug.rs")), code)?;
    }
    Ok(())
}

fn name_only_debug(code: &mut String, path: &str, name: &str) -> std::fmt::Result {
    writeln!(
        code,
        "impl ::core::fmt::Debug for {path} {{\n    \
         fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{ f.write_str(\"{name}\") }}\n}}"
    )
}

fn snake(name: &str) -> String {
    let mut text = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

fn pascal(name: &str) -> String {
    name.split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters)
        })
        .collect()
}
