//! Reads the behaviour cases: those in the repository and those that `HOTGRAPH_FIXTURES` names.

use std::path::{Path, PathBuf};

use hotgraph::Value;

/// One file of cases.
pub struct CaseFile {
    pub path: PathBuf,
    pub kind: String,
    pub cases: Vec<Value>,
}

/// Every file of cases there is.
pub fn files() -> Vec<CaseFile> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exosphere");
    let more = std::env::var_os("HOTGRAPH_FIXTURES").map(PathBuf::from);
    let mut files = Vec::new();
    for directory in [Some(own), more].into_iter().flatten() {
        let entries = std::fs::read_dir(&directory);
        let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        files.extend(paths.into_iter().map(read));
    }
    files
}

fn read(path: PathBuf) -> CaseFile {
    let text = std::fs::read_to_string(&path).unwrap();
    let file = Value::from_json(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let kind = file.get("kind").and_then(Value::as_str).unwrap_or("none").to_owned();
    let cases = file.get("cases").and_then(Value::as_array).unwrap_or_default().to_vec();
    CaseFile { path, kind, cases }
}

pub fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

pub fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).unwrap_or_default()
}

/// Whether the suite asks for its full counts.
pub fn soak() -> bool {
    std::env::var_os("HOTGRAPH_SOAK").is_some()
}
