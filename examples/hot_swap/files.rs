//! The files of a source tree, and what is counted in each.

use std::path::{Path, PathBuf};
use std::{fs, io};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is counted in one file.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    pub language: String,
    pub bytes: u64,
    pub lines: u64,
    pub words: u64,
    pub longest: u64,
}

/// The directory, or what is wrong with it.
pub fn open(directory: &Path) -> Result<PathBuf, String> {
    let say = |error: io::Error| format!("cannot analyse `{}`: {error}", directory.display());
    let root = fs::canonicalize(directory).map_err(say)?;
    if !root.is_dir() {
        return Err(format!("cannot analyse `{}`: not a directory", directory.display()));
    }
    fs::read_dir(&root).map_err(say)?;
    Ok(root)
}

/// The files below a directory; version control and build output are left out.
pub fn list(root: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let mut directories = vec![root.to_owned()];
    let mut files = Vec::new();
    std::iter::from_fn(move || {
        loop {
            if let Some(file) = files.pop() {
                return Some(file);
            }
            let directory = directories.pop()?;
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let left_out = matches!(entry.file_name().to_str(), Some(".git" | "target"));
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && !left_out => directories.push(entry.path()),
                    Ok(kind) if kind.is_file() => files.push(entry.path()),
                    _ => {}
                }
            }
        }
    })
}

pub fn count(root: &Path) -> u64 {
    list(root).count() as u64
}

/// Measures one file.
pub fn measure(path: &Path) -> io::Result<Counts> {
    let bytes = read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    Ok(Counts {
        language: language(path).to_owned(),
        bytes: bytes.len() as u64,
        lines: text.lines().count() as u64,
        words: text.split_whitespace().count() as u64,
        longest: longest as u64,
    })
}

/// How many TODO and FIXME marks a file has.
pub fn todos(path: &Path) -> io::Result<u64> {
    let bytes = read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok((text.matches("TODO").count() + text.matches("FIXME").count()) as u64)
}

/// The content of a file; an error names it.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn language(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => "Rust",
        Some("toml") => "TOML",
        Some("md") => "Markdown",
        Some("json") => "JSON",
        Some("yml" | "yaml") => "YAML",
        Some("py") => "Python",
        Some("c" | "h") => "C",
        Some("js" | "ts") => "JavaScript",
        Some("sh") => "Shell",
        _ => "other",
    }
}
