//! The house is in order: who may use whom, what is pure, how long files and functions are.
//!
//! The text of the sources is read, and that of files and folders called `tests` is not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules from the bottom up; a module may use those before it, and itself.
const ORDER: [&[&str]; 10] = [
    &["id", "value", "clock", "until"],
    &["journal"],
    &["node"],
    &["graph"],
    &["version"],
    &["event"],
    &["registry"],
    &["run"],
    &["session"],
    &["runtime"],
];

/// Files and folders of `src` in which nothing waits and nothing is an actor.
const PURE: [&str; 31] = [
    "id.rs",
    "value",
    "graph",
    "version/audit.rs",
    "version/command.rs",
    "version/compatibility.rs",
    "version/decide",
    "version/decision.rs",
    "version/error.rs",
    "version/gate.rs",
    "version/label.rs",
    "version/lineage.rs",
    "version/manifest.rs",
    "version/marks.rs",
    "version/retention.rs",
    "version/rollback.rs",
    "version/rollout/admission.rs",
    "version/rollout/machine.rs",
    "version/rollout/order.rs",
    "version/rollout/phase.rs",
    "version/routing.rs",
    "version/setters.rs",
    "version/snapshot.rs",
    "version/start.rs",
    "version/state.rs",
    "version/transition.rs",
    "version/turn.rs",
    "run/machine.rs",
    "run/walk",
    "run/unites/barrier.rs",
    "session",
];

/// What no line of a pure file may hold, comments left out.
const IMPURE: [&str; 5] = ["tokio", "ractor", "async ", ".await", "Clock"];

const MAX_FILE: usize = 400;
const MAX_FUNCTION: usize = 60;

fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let is_test =
                path.file_stem().is_some_and(|stem| stem.to_string_lossy().contains("tests"));
            if path.is_dir() && !is_test {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
                let inside = path.strip_prefix(&root).unwrap();
                let module = inside.components().next().unwrap().as_os_str().to_string_lossy();
                let module = module.trim_end_matches(".rs").to_owned();
                files.push((module, path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(files.len() > 40, "the sources were not found");
    files
}

fn place(module: &str) -> Option<usize> {
    ORDER.iter().position(|level| level.contains(&module))
}

/// The top-level modules that a text names as `crate::module`, and whatever else follows `crate::`.
fn used(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("crate::").map(|(at, found)| {
        let rest = &text[at + found.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn a_module_uses_only_those_below_it() {
    let mut wrong = Vec::new();
    for (module, path, text) in sources() {
        let Some(own) = place(&module) else { continue };
        for other in used(&text).filter(|other| *other != module) {
            // A list after `crate::`, or a name that the root gives out again, hides the module.
            let is_hidden = place(other).is_none();
            // `run` and `registry` do not know each other, whatever their order.
            let strangers = [module.as_str(), other] == ["run", "registry"];
            if is_hidden || place(other).is_some_and(|other| other > own) || strangers {
                wrong.push(format!("{}: `{module}` uses `{other}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_pure_waits_for_nothing_and_knows_no_actor() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut found = BTreeSet::new();
    for (_, path, text) in sources() {
        let inside = path.strip_prefix(&root).unwrap();
        let Some(pure) = PURE.iter().find(|pure| inside.starts_with(pure)) else { continue };
        found.insert(*pure);
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code.filter(|line| IMPURE.iter().any(|word| line.contains(word))) {
            wrong.push(format!("{}: {line}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(found.len(), PURE.len(), "only {found:?} were found");
}

#[test]
fn every_module_has_its_place() {
    let known = |module: &str| place(module).is_some() || matches!(module, "lib" | "docs");
    let lost: Vec<_> = sources().into_iter().filter(|(module, ..)| !known(module)).collect();
    assert!(lost.is_empty(), "{:?}", lost.iter().map(|(_, path, _)| path).collect::<Vec<_>>());
}

#[test]
fn files_and_functions_are_short() {
    let mut long = Vec::new();
    for (_, path, text) in sources() {
        let lines: Vec<_> = text.lines().collect();
        if lines.len() > MAX_FILE {
            long.push(format!("{}: {} lines", path.display(), lines.len()));
        }
        for (start, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
            let indent = line.len() - line.trim_start().len();
            let end = format!("{}}}", " ".repeat(indent));
            let length = lines[start..].iter().position(|line| *line == end).unwrap_or(0);
            if length > MAX_FUNCTION {
                long.push(format!("{}:{}: {length} lines", path.display(), start + 1));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// Whether a function begins on a line, whatever its visibility and its qualifiers.
fn is_function(line: &str) -> bool {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) => rest
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'))
            .map_or(rest, |(_, rest)| rest),
        None => line,
    };
    let mut words = line.split_whitespace();
    words.find(|word| !matches!(*word, "const" | "async" | "unsafe")) == Some("fn")
}

#[test]
fn a_function_is_seen_whatever_stands_before_it() {
    let functions = [
        "fn f() {",
        "    pub fn f() {",
        "pub(crate) async fn f() {",
        "pub(in crate::run) fn f() {",
        "    pub(in super::super) const fn f() {",
    ];
    for line in functions {
        assert!(is_function(line), "{line}");
    }
    for line in ["// fn f() {", "let f: fn() = g;", "publish(fn_name);", "pub const F: fn() = g;"] {
        assert!(!is_function(line), "{line}");
    }
}
