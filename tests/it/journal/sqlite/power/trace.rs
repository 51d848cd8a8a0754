//! What a process asks of the system, call by call, as `strace` tells it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::journal::sqlite::child;

/// The calls that change files in the way of SQLite, and those that make the changes durable.
const CALLS: &str = "openat,pwrite64,write,ftruncate,fsync,fdatasync,unlink";

/// One thing that a process did; files go by their paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Opened(String),
    Wrote {
        file: String,
        at: usize,
        bytes: Vec<u8>,
    },
    Cut {
        file: String,
        length: usize,
    },
    /// A file or a folder.
    Synced(String),
    Removed(String),
    /// A line to whoever started it.
    Said(String),
}

/// Whether processes can be traced here.
pub fn can_trace() -> bool {
    let trace = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    trace.is_ok_and(|status| status.success())
}

/// Everything that a test did as a child that works on a store.
pub fn record(test: &str, store: &Path) -> Vec<Act> {
    let log = store.with_extension("trace");
    // Names of open files, and all strings whole and in hexadecimal.
    let strace = "exec strace -f --seccomp-bpf -y -xx -s 1000000";
    let line = format!("{strace} -e trace={CALLS} -o '{}' \"$@\"", log.display());
    let done = child::command(test, store.to_owned(), Some(&line)).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = fs::read_to_string(&log).unwrap();
    fs::remove_file(log).unwrap();
    parse(&text)
}

/// Reads a log; calls that others came between are taken where they ended.
fn parse(log: &str) -> Vec<Act> {
    let (mut acts, mut begun) = (Vec::new(), HashMap::new());
    for line in log.lines() {
        let Some((process, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(begin) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(process, begin);
        } else if let Some((_, end)) = call.split_once(" resumed>") {
            acts.extend(begun.remove(process).and_then(|begin| act(&format!("{begin}{end}"))));
        } else {
            acts.extend(act(call));
        }
    }
    acts
}

/// What a call did, if it did something: `name(argument, argument) = result`.
fn act(call: &str) -> Option<Act> {
    let (call, result) = call.rsplit_once(" = ")?;
    let (name, arguments) = call.trim_end().strip_suffix(')')?.split_once('(')?;
    if result.starts_with('-') {
        return None;
    }
    let arguments: Vec<_> = arguments.split(", ").collect();
    let number = |place: usize| arguments[place].parse::<usize>().unwrap();
    let text = |place: usize| String::from_utf8(decoded(arguments[place])).unwrap();
    Some(match name {
        "openat" => Act::Opened(text(1)),
        "pwrite64" => {
            let bytes = decoded(arguments[1]);
            assert_eq!(result, bytes.len().to_string(), "written in part");
            Act::Wrote { file: text(0), at: number(3), bytes }
        }
        "write" if arguments[0].starts_with("1<") => Act::Said(text(1)),
        "write" => return None,
        "ftruncate" => Act::Cut { file: text(0), length: number(1) },
        "fsync" | "fdatasync" => Act::Synced(text(0)),
        "unlink" => Act::Removed(text(0)),
        other => panic!("{other} was not asked for"),
    })
}

/// The bytes of an argument such as `"\x61\x62"`, or of the name in `3<\x61\x62>`.
fn decoded(argument: &str) -> Vec<u8> {
    let digits = argument.split("\\x").skip(1);
    digits.map(|digits| u8::from_str_radix(&digits[..2], 16).unwrap()).collect()
}
