//! Migrations do not change: there are stores to which exactly those were applied.

use std::fs;
use std::path::{Path, PathBuf};

/// The name of a migration, and the checksum of its file.
pub type Frozen = (&'static str, &'static str);

/// Checks that the files below a folder of the sources are those and no others.
pub fn check_files(folder: &str, frozen: &[Frozen]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let checksum = |file: &PathBuf| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, blake3::hash(&fs::read(file).unwrap()).to_string())
    };
    let found: Vec<_> = files.iter().map(checksum).collect();
    let expected = frozen.iter().map(|(name, sum)| ((*name).to_owned(), (*sum).to_owned()));
    assert_eq!(found, expected.collect::<Vec<_>>());
}

/// Checks what a store says that was applied to it.
pub fn check_applied(applied: Vec<(i64, String, String)>, frozen: &[Frozen]) {
    let expected = frozen.iter().zip(1..);
    let expected = expected.map(|((name, sum), at)| (at, (*name).to_owned(), (*sum).to_owned()));
    assert_eq!(applied, expected.collect::<Vec<_>>());
}
