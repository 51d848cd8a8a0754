//! Rows come back as they were, and a query finds those that it wants.

use hotgraph::{GraphName, RunId, RunQuery, RunRow, Timestamp, VersionNumber, Write};

use super::subject::{Subject, row};

async fn put(subject: &Subject, rows: impl IntoIterator<Item = RunRow>) {
    let epoch = subject.claim().await;
    subject.commit(epoch, rows.into_iter().map(Write::Row).collect()).await;
}

/// A row in which no field has the value that it has in [`row`].
fn full(id: u128) -> RunRow {
    let row = RunRow {
        run: RunId(id),
        graph: GraphName::new("space", "other"),
        version: VersionNumber(2),
        key: Some("a key".into()),
        status: "SUCCESS".into(),
        started_at: Timestamp(5),
        ended_at: Some(Timestamp(8)),
        records: 7,
        check: 0,
    };
    row.sealed()
}

pub async fn a_row_comes_back_as_it_was(subject: Subject) {
    let without_texts = RunRow { key: Some("".into()), status: "".into(), ..row(3, 9) }.sealed();
    let rows = [row(1, 1), full(2), without_texts];
    put(&subject, rows.clone()).await;
    let found = subject.rows(RunQuery::default()).await;
    assert_eq!(found, rows);
    assert!(found.iter().all(RunRow::is_intact));
}

pub async fn a_row_takes_the_place_of_the_one_before(subject: Subject) {
    let epoch = subject.claim().await;
    let (old, new) = (row(1, 1), full(1));
    // Each field alone, then all of them, and back.
    let changed = [
        RunRow { graph: new.graph.clone(), ..old.clone() },
        RunRow { version: new.version, ..old.clone() },
        RunRow { key: new.key.clone(), ..old.clone() },
        RunRow { status: new.status.clone(), ..old.clone() },
        RunRow { started_at: new.started_at, ..old.clone() },
        RunRow { ended_at: new.ended_at, ..old.clone() },
        RunRow { records: new.records, ..old.clone() },
        new,
        old.clone(),
    ];
    subject.commit(epoch, vec![Write::Row(old)]).await;
    for row in changed.map(RunRow::sealed) {
        subject.commit(epoch, vec![Write::Row(row.clone())]).await;
        assert_eq!(subject.rows(RunQuery::default()).await, [row]);
    }
}

/// Rows in which every combination of the values that are asked for occurs.
fn combinations() -> Vec<RunRow> {
    let mut rows = Vec::new();
    for bits in 0..64_u128 {
        let pick = |bit: u32| (bits >> bit) & 1 == 1;
        let plain = row(bits + 1, 100 + (bits as u64 % 7));
        let full = full(0);
        let row = RunRow {
            graph: if pick(0) { full.graph } else { plain.graph.clone() },
            version: if pick(1) { full.version } else { plain.version },
            status: if pick(2) { full.status } else { plain.status.clone() },
            key: if pick(3) { full.key } else { None },
            ended_at: if pick(4) { Some(Timestamp(200)) } else { None },
            started_at: if pick(5) { plain.started_at } else { Timestamp(103) },
            ..plain
        };
        rows.push(row.sealed());
    }
    rows
}

/// Queries with any of the conditions that a query can have.
fn queries(rows: &[RunRow]) -> impl Iterator<Item = RunQuery> {
    let middle = rows[rows.len() / 2].clone();
    (0..256_u32).flat_map(move |bits| {
        let mut query = RunQuery::default();
        let conditions: [&dyn Fn(RunQuery) -> RunQuery; 8] = [
            &|query| query.graph("space/other"),
            &|query| query.version(2),
            &|query| query.status("SUCCESS"),
            &|query| query.key("a key"),
            &|query| query.from(Timestamp(103)),
            &|query| query.until(Timestamp(105)),
            &|query| query.after(&middle),
            &|query| query.limit(5),
        ];
        for (bit, condition) in conditions.iter().enumerate() {
            if bits & (1 << bit) != 0 {
                query = condition(query);
            }
        }
        [query.clone(), query.clone().unfinished(), query.ended()]
    })
}

pub async fn each_condition_is_kept_alone_and_with_others(subject: Subject) {
    let mut rows = combinations();
    put(&subject, rows.clone()).await;
    rows.sort_by_key(|row| (row.started_at, row.run));
    for query in queries(&rows) {
        let found = subject.rows(query.clone()).await;
        let mut expected: Vec<_> = rows.iter().filter(|row| query.wants(row)).cloned().collect();
        // How many are wanted is the one thing that `wants` does not say.
        if query == query.clone().limit(5) {
            expected.truncate(5);
        }
        assert_eq!(found, expected, "{query:?}");
    }
    for nobody in [RunQuery::default().key("no key"), RunQuery::default().graph("space")] {
        assert_eq!(subject.rows(nobody).await, []);
    }
}

pub async fn rows_come_in_the_order_of_their_starts(subject: Subject) {
    let rows = [row(9, 1), row(3, 2), row(4, 2), row(5, 2), row(1, 3), row(u128::MAX, 3)];
    put(&subject, rows.iter().rev().cloned()).await;
    assert_eq!(subject.rows(RunQuery::default()).await, rows);
}

pub async fn rows_come_in_pages(subject: Subject) {
    // Many of them were started at the same time.
    let rows: Vec<_> = (0..30).map(|id| row(id, [1, 2, 2, 2, 3][id as usize / 6])).collect();
    put(&subject, rows.clone()).await;
    for limit in [1, 2, 7, 30] {
        let (mut seen, mut query) = (Vec::new(), RunQuery::default().limit(limit));
        loop {
            let page = subject.rows(query.clone()).await;
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            query = query.after(last);
            seen.extend(page);
        }
        assert_eq!(seen, rows, "by {limit}");
    }
}

pub async fn a_limit_is_kept(subject: Subject) {
    put(&subject, (1..=5).map(|id| row(id, 1))).await;
    for (limit, expected) in [(0, 0), (1, 1), (5, 5), (6, 5), (usize::MAX, 5)] {
        assert_eq!(subject.rows(RunQuery::default().limit(limit)).await.len(), expected);
    }
}
