//! What is pure in here: names of files, ranges of numbers, which index a query takes.

use std::ffi::OsString;

use rusqlite::{Connection, params_from_iter};

use super::config::{SqliteConfig, file};
use super::kept;
use super::query::select;
use crate::clock::Timestamp;
use crate::journal::row::RunQuery;

fn check_file(variables: &[(&str, &str)], expected: &str) {
    let variable = |wanted: &str| {
        let found = variables.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| OsString::from(value))
    };
    assert_eq!(file(variable), expected, "{variables:?}");
}

#[test]
fn the_first_variable_that_is_set_names_the_file() {
    check_file(&[], "hotgraph.db");
    check_file(&[("SQLITE_DB_NAME", "b.db")], "b.db");
    check_file(&[("SQLITE_DB_NAME", "b.db"), ("HOTGRAPH_SQLITE_URL", "a.db")], "a.db");
    check_file(&[("SQLITE_DB_NAME", "b.db"), ("HOTGRAPH_SQLITE_URL", "")], "b.db");
    check_file(&[("SQLITE_DB_NAME", ""), ("DATABASE_URL", "c.db")], "hotgraph.db");
}

#[test]
fn a_url_names_a_file_too() {
    let cases = [
        ("runs.db", "runs.db"),
        ("/var/runs.db", "/var/runs.db"),
        ("sqlite://runs.db", "runs.db"),
        ("sqlite:///var/runs.db", "/var/runs.db"),
        ("sqlite:runs.db", "runs.db"),
        ("sqlite://runs.db?mode=rwc", "runs.db"),
        ("what?.db", "what?.db"),
    ];
    for (url, path) in cases {
        assert_eq!(SqliteConfig::new(url).path().to_str(), Some(path), "{url}");
    }
}

#[test]
fn the_numbers_after_one_are_those_and_no_others() {
    let top = i64::MAX.cast_unsigned();
    let numbers = [0, 1, 2, top - 1, top, top + 1, top + 2, u64::MAX - 1, u64::MAX];
    for after in numbers {
        for number in numbers {
            let kept = kept::number(number);
            let mut ranges = kept::after(after);
            let is_in = ranges.any(|(first, last)| (first..=last).contains(&kept));
            assert_eq!(is_in, number > after, "{number} after {after}");
        }
    }
}

/// How SQLite goes about a query.
fn plan(query: &RunQuery) -> String {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(include_str!("migrations/0001_journal.sql")).unwrap();
    let (sql, values) = select(query);
    let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = explain.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
    lines.map(Result::unwrap).collect::<Vec<_>>().join("; ")
}

#[test]
fn every_query_has_its_index() {
    let all = RunQuery::default;
    let cases = [
        (all(), "runs_by_start"),
        (all().from(Timestamp(1)).until(Timestamp(2)), "runs_by_start"),
        (all().graph("graph"), "runs_by_graph"),
        (all().graph("graph").from(Timestamp(1)), "runs_by_graph"),
        (all().status("FAILED"), "runs_by_status"),
        (all().key("key"), "runs_by_key"),
        (all().unfinished(), "runs_unfinished"),
    ];
    for (query, index) in cases {
        let plan = plan(&query);
        assert!(plan.contains(index), "{query:?}: {plan}");
        // Without a sort a page costs what is in it.
        assert!(!plan.contains("TEMP B-TREE"), "{query:?}: {plan}");
    }
}
