//! What is pure in here: names of servers, steps of a commit.

use super::commit::{Step, steps};
use super::config::{PostgresConfig, url};
use crate::id::RunId;
use crate::journal::contract::Write;
use crate::journal::error::JournalError;
use crate::journal::record::{Record, Stream};

fn check_url(variables: &[(&str, &str)], expected: &str) {
    let variable = |wanted: &str| {
        let found = variables.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| (*value).to_owned())
    };
    assert_eq!(url(variable), expected, "{variables:?}");
}

#[test]
fn the_first_variable_that_is_set_names_the_server() {
    check_url(&[], "postgresql://localhost");
    check_url(&[("DATABASE_URL", "b")], "b");
    check_url(&[("DATABASE_URL", "b"), ("HOTGRAPH_POSTGRES_URL", "a")], "a");
    check_url(&[("DATABASE_URL", "b"), ("HOTGRAPH_POSTGRES_URL", "")], "b");
    check_url(&[("DATABASE_URL", ""), ("PGHOST", "c")], "postgresql://localhost");
}

#[test]
fn what_is_no_url_is_refused_and_not_told() {
    let urls = ["mysql://root:secret@host/db", "postgresql://secret@host:port/", "secret", ""];
    for url in urls {
        match PostgresConfig::new(url).parsed() {
            Err(JournalError::Unusable(why)) => assert!(!why.contains("secret"), "{url}: {why}"),
            Err(other) => panic!("{url}: {other:?}"),
            Ok(config) => assert_eq!((url, config.get_hosts().len()), ("", 1)),
        }
    }
    let config = PostgresConfig::new("postgresql://root:secret@host/db");
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn a_schema_has_a_name_that_is_kept_whole() {
    let schema = |name: &str| PostgresConfig::new("").schema(name).parsed().map(drop);
    for name in ["hotgraph", "a \"b\"", &"x".repeat(63)] {
        assert_eq!(schema(name), Ok(()), "{name}");
    }
    for name in ["", "a\0b", &"x".repeat(64)] {
        assert!(matches!(schema(name), Err(JournalError::Unusable(_))), "{name:?}");
    }
}

/// How many records and rows each step has; `None` for what is taken back.
fn shape(writes: &[Write]) -> Vec<Option<(usize, usize)>> {
    let shape = |step: &Step<'_>| match step {
        Step::Put(batch) => Some((batch.records.len(), batch.rows.len())),
        Step::Truncate(..) => None,
    };
    steps(writes).iter().map(shape).collect()
}

#[test]
fn a_commit_has_few_steps() {
    let stream = Stream::Run(RunId(1));
    let record = |seq, size| Write::Record(stream, Record::new(stream, seq, vec![0; size]));
    let back = || Write::Truncate(stream, 0);
    assert_eq!(shape(&[]), []);
    assert_eq!(shape(&[record(1, 1), record(2, 1), record(3, 0)]), [Some((3, 0))]);
    let writes = [back(), record(1, 1), record(2, 1), back(), back(), record(1, 1)];
    assert_eq!(shape(&writes), [None, Some((2, 0)), None, None, Some((1, 0))]);
    // None is too large for a server that takes a statement whole.
    let writes: Vec<_> = (1..=9).map(|seq| record(seq, 6 << 20)).collect();
    assert_eq!(shape(&writes), [Some((3, 0)), Some((3, 0)), Some((3, 0))]);
}
