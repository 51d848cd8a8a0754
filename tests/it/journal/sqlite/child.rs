//! A test of this binary as a process of its own, which may be killed and starved.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Names the store to a child; without it a test that is a child's does nothing.
const STORE: &str = "HOTGRAPH_TEST_STORE";

/// The store that this process is to work on, if it is a child.
pub fn store() -> Option<PathBuf> {
    env::var_os(STORE).map(PathBuf::from)
}

/// Makes a test a child, to be started by a shell line that ends in `exec "$@"`, or directly.
pub fn command(test: &str, store: PathBuf, shell: Option<&str>) -> Command {
    let binary = env::current_exe().unwrap();
    let mut command = match shell {
        Some(line) => {
            let mut command = Command::new("sh");
            command.args(["-c", line, "sh"]).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    // The name begins with that of this crate, which the test does not know.
    let test = test.split_once("::").map_or(test, |(_, name)| name);
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(STORE, store).stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// What a child said after a word, if a line of its holds the word.
pub fn said<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.split_once(word).map(|(_, rest)| rest.trim())
}
