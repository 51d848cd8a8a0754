//! Records come in order, by pages, and from their own stream.

use hotgraph::Stream;

use super::subject::{ALL, Subject, records, run};

pub async fn records_come_in_the_order_of_their_numbers(subject: Subject) {
    let epoch = subject.claim().await;
    for seq in [5, 300, 2, 70_000, 1, 4, 256, 3, 255] {
        subject.commit(epoch, records(run(1), seq..=seq)).await;
    }
    assert_eq!(subject.numbers(run(1)).await, [1, 2, 3, 4, 5, 255, 256, 300, 70_000]);
}

pub async fn records_come_in_pages(subject: Subject) {
    let epoch = subject.claim().await;
    subject.commit(epoch, records(run(1), 1..=10)).await;
    for limit in 1..=11 {
        let mut seen = Vec::new();
        loop {
            let after = seen.last().copied().unwrap_or(0);
            let page = subject.journal.read(run(1), after, limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            seen.extend(page.iter().map(|record| record.seq));
        }
        assert_eq!(seen, (1..=10).collect::<Vec<_>>(), "by {limit}");
    }
}

pub async fn nothing_comes_from_where_nothing_is(subject: Subject) {
    let epoch = subject.claim().await;
    subject.commit(epoch, records(run(1), 1..=3)).await;
    let empty = [(run(2), 0, ALL), (Stream::Versions, 0, ALL), (run(1), 3, ALL), (run(1), 0, 0)];
    let behind = [(run(1), 4, ALL), (run(1), i64::MAX as u64, ALL), (run(1), u64::MAX, usize::MAX)];
    for (stream, after, limit) in empty.into_iter().chain(behind) {
        assert_eq!(subject.journal.read(stream, after, limit).await.unwrap(), [], "{after}");
    }
    assert_eq!(subject.journal.read(run(1), 0, usize::MAX).await.unwrap().len(), 3);
}

pub async fn streams_do_not_mix(subject: Subject) {
    let epoch = subject.claim().await;
    // Neighbours in every order that their bytes could be kept in.
    let ids = [0, 1, 2, 255, 256, 1 << 63, 1 << 64, 1 << 127, u128::MAX - 1, u128::MAX];
    let streams: Vec<_> =
        ids.into_iter().map(run).chain([Stream::Versions, Stream::Count]).collect();
    for (place, stream) in streams.iter().enumerate() {
        subject.commit(epoch, records(*stream, 1..=place as u64 + 1)).await;
    }
    for (place, stream) in streams.iter().enumerate() {
        let expected: Vec<_> =
            (1..=place as u64 + 1).map(|seq| format!("{stream} {seq}")).collect();
        assert_eq!(subject.bodies(*stream).await, expected);
        assert!(subject.records(*stream).await.iter().all(|record| record.is_intact(*stream)));
    }
}
