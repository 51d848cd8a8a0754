//! Large, odd and far values come back as they were.

use std::slice;

use hotgraph::{
    GraphName, Record, RunId, RunQuery, RunRow, Stream, Timestamp, VersionNumber, Write,
};

use super::subject::{Subject, record, records, row, run};

/// Numbers around everything that a store could keep a number in.
const NUMBERS: [u64; 8] =
    [0, 1, u32::MAX as u64, 1 << 53, i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX];

pub async fn a_large_body_comes_back(subject: Subject) {
    let epoch = subject.claim().await;
    for (seq, length) in [(1, 0), (2, 1_000), (3, 4_096), (4, 1 << 20), (5, 1)] {
        let body: Vec<_> = (0..length).map(|place: usize| (place % 251) as u8).collect();
        let record = Record::new(run(1), seq, body);
        subject.commit(epoch, vec![Write::Record(run(1), record.clone())]).await;
        let found = subject.journal.read(run(1), seq - 1, 1).await.unwrap();
        assert!(found == [record], "{length} bytes");
    }
}

pub async fn any_byte_comes_back(subject: Subject) {
    let epoch = subject.claim().await;
    let bodies = [(0..=255).collect(), vec![0], vec![0xff, 0xfe, 0, 0x80], b"'; --\r\n".to_vec()];
    let written: Vec<_> = bodies
        .into_iter()
        .zip(1..)
        .map(|(body, seq)| Record::new(Stream::Versions, seq, body))
        .collect();
    let writes = written.iter().map(|one| Write::Record(Stream::Versions, one.clone()));
    subject.commit(epoch, writes.collect()).await;
    assert_eq!(subject.records(Stream::Versions).await, written);
}

pub async fn names_may_be_in_any_script(subject: Subject) {
    let epoch = subject.claim().await;
    let texts =
        ["Größe", "数据流", "🦀", "e\u{301}", "\u{e9}", "a'b\"c", "%_\\", "nul\0l", "ss", "SS"];
    let named = |(text, id): (&&str, u128)| {
        let named = RunRow {
            graph: GraphName::new(text, text),
            key: Some((*text).into()),
            status: (*text).into(),
            ..row(id, id as u64)
        };
        named.sealed()
    };
    let rows: Vec<_> = texts.iter().zip(1..).map(named).collect();
    subject.commit(epoch, rows.iter().cloned().map(Write::Row).collect()).await;
    assert_eq!(subject.rows(RunQuery::default()).await, rows);
    for (text, row) in texts.iter().zip(rows) {
        // Each name finds itself alone: neither case nor form of a letter is looked away from.
        let queries = [
            RunQuery::default().graph(GraphName::new(text, text)),
            RunQuery::default().key(*text),
            RunQuery::default().status(*text),
        ];
        for query in queries {
            assert_eq!(subject.rows(query).await, slice::from_ref(&row), "{text}");
        }
    }
}

pub async fn any_number_comes_back(subject: Subject) {
    let epoch = subject.claim().await;
    let stream = run(1);
    let kept = |seq: u64| Record { seq, body: vec![1], check: !seq };
    let writes = NUMBERS.iter().rev().map(|seq| Write::Record(stream, kept(*seq)));
    subject.commit(epoch, writes.collect()).await;
    let found = subject.records(stream).await;
    assert_eq!(found, NUMBERS[1..].iter().map(|seq| kept(*seq)).collect::<Vec<_>>());
    for (place, seq) in NUMBERS.iter().enumerate() {
        let after = subject.journal.read(stream, *seq, 100).await.unwrap();
        let after: Vec<_> = after.iter().map(|record| record.seq).collect();
        assert_eq!(after, NUMBERS[place + 1..], "after {seq}");
        let next = subject.journal.read(stream, *seq, 1).await.unwrap();
        assert_eq!(next.first().map(|record| record.seq), NUMBERS.get(place + 1).copied());
    }
    for (place, last) in NUMBERS.iter().enumerate().skip(1).rev() {
        subject.commit(epoch, vec![Write::Truncate(stream, *last)]).await;
        assert_eq!(subject.numbers(stream).await, NUMBERS[1..=place], "up to {last}");
    }
}

pub async fn any_time_has_its_place(subject: Subject) {
    let epoch = subject.claim().await;
    let far = |(number, id): (&u64, u128)| RunRow {
        version: VersionNumber(*number),
        started_at: Timestamp(*number),
        ended_at: Some(Timestamp(*number)),
        records: *number,
        check: *number,
        ..row(id, 0)
    };
    let rows: Vec<_> = NUMBERS.iter().zip(1..).map(far).collect();
    subject.commit(epoch, rows.iter().rev().cloned().map(Write::Row).collect()).await;
    assert_eq!(subject.rows(RunQuery::default()).await, rows);
    for (place, number) in NUMBERS.iter().enumerate() {
        let at = Timestamp(*number);
        assert_eq!(subject.rows(RunQuery::default().from(at)).await, rows[place..]);
        assert_eq!(subject.rows(RunQuery::default().until(at)).await, rows[..place]);
        assert_eq!(subject.rows(RunQuery::default().after(&rows[place])).await, rows[place + 1..]);
        assert_eq!(subject.rows(RunQuery::default().version(*number)).await, rows[place..=place]);
    }
    assert_eq!(subject.runs(RunQuery::default().limit(1)).await, [RunId(1)]);
}

pub async fn a_large_commit_is_written(subject: Subject) {
    let epoch = subject.claim().await;
    let mut writes = records(run(1), 1..=10_000);
    writes.extend((1..=1_000).map(|id| Write::Row(row(id, 1))));
    writes.push(record(Stream::Versions, 1, "the end"));
    subject.commit(epoch, writes).await;
    assert_eq!(subject.numbers(run(1)).await, (1..=10_000).collect::<Vec<_>>());
    assert_eq!(subject.rows(RunQuery::default()).await.len(), 1_000);
    assert_eq!(subject.bodies(Stream::Versions).await, ["the end"]);
}
