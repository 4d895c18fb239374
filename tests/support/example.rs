//! Examples as programs of their own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where the example of this name is. `cargo test` has built it, unless it was told to build only some tests.
pub(crate) fn binary(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let binary = profile.join("examples").join(format!("{name}{}", env::consts::EXE_SUFFIX));
    if !is_fresh(&binary) {
        build(name, profile);
    }
    binary
}

fn build(name: &str, profile: &Path) {
    let profile_name = profile.file_name().unwrap().to_str().unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--all-features", "--example", name])
        .args(["--profile", if profile_name == "debug" { "dev" } else { profile_name }])
        .arg("--target-dir")
        .arg(profile.parent().unwrap())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(built.unwrap().success(), "{name} does not build");
}

/// Whether it is there, and younger than all that it was built from.
fn is_fresh(binary: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    let Some(built) = changed(binary) else { return false };
    let sources = fs::read_to_string(binary.with_extension("d")).unwrap_or_default();
    let mut sources = sources.split_whitespace().skip(1).map(Path::new).peekable();
    sources.peek().is_some() && sources.all(|source| changed(source).is_some_and(|changed| changed < built))
}
