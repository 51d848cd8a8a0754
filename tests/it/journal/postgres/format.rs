//! The format of a store is known, or the store is refused.

use hotgraph::{Journal, JournalError, PostgresJournal};

use super::server::{Server, Store};
use crate::journal::frozen::{Frozen, check_applied, check_files};

/// Every migration. A line is added and never changed.
const FROZEN: [Frozen; 1] =
    [("0001_journal", "c735f20dc22ad6e0c7db5d1ce845e28005e1654d121cb2faa8d7c02448cf77fd")];

#[test]
fn migrations_are_frozen() {
    check_files("src/journal/postgres/migrations", &FROZEN);
}

#[tokio::test]
async fn a_store_is_made_once_by_however_many() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    let connect = |_| tokio::spawn(PostgresJournal::connect(store.config()));
    for journal in (0..10).map(connect).collect::<Vec<_>>() {
        assert_eq!(journal.await.unwrap().unwrap().size().await.unwrap().records, 0);
    }
    let sql = "SELECT number, name, checksum FROM migrations ORDER BY number";
    let applied = store.client().await.query(sql, &[]).await.unwrap();
    let applied: Vec<(i64, String, String)> =
        applied.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    check_applied(applied, &FROZEN);
}

/// A store that was changed.
async fn changed(server: &Server, change: &str) -> Store {
    let store = server.store();
    drop(PostgresJournal::connect(store.config()).await.unwrap());
    store.client().await.batch_execute(change).await.unwrap();
    store
}

#[tokio::test]
async fn a_store_that_is_not_known_is_refused() {
    let Some(server) = Server::start().await else { return };
    let known = FROZEN.len() as u64;
    let later = format!("INSERT INTO migrations VALUES ({}, 'later', 'sum')", known + 1);
    let store = changed(&server, &later).await;
    let refused = PostgresJournal::connect(store.config()).await.map(drop);
    assert_eq!(refused, Err(JournalError::Format { found: known + 1, known }));

    let other = "is another one";
    let cases = [
        ("UPDATE migrations SET checksum = 'sum' WHERE number = 1", other),
        ("UPDATE migrations SET number = 2 WHERE number = 1", other),
        ("DROP TABLE migrations", "it holds other tables"),
    ];
    for (change, expected) in cases {
        let store = changed(&server, change).await;
        match PostgresJournal::connect(store.config()).await {
            Err(JournalError::Unusable(why)) => assert!(why.contains(expected), "{change}: {why}"),
            other => panic!("{change}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_store_without_its_tables_is_refused() {
    let Some(server) = Server::start().await else { return };
    for change in ["DELETE FROM owner", "DROP TABLE owner", "DROP TABLE records"] {
        let store = changed(&server, change).await;
        let journal = PostgresJournal::connect(store.config()).await.unwrap();
        let claimed = journal.claim("a test").await.map(drop);
        let outcomes = [claimed, journal.size().await.map(drop)];
        let is_refused = outcomes.iter().any(|one| matches!(one, Err(JournalError::Unusable(_))));
        assert!(is_refused, "{change}: {outcomes:?}");
    }
}

#[tokio::test]
async fn two_schemas_are_two_stores() {
    let Some(server) = Server::start().await else { return };
    let stores = [server.store(), server.store()];
    for store in &stores {
        let config = store.config();
        for owner in ["the first", "the second"] {
            let journal = PostgresJournal::connect(config.clone()).await.unwrap();
            journal.claim(owner).await.unwrap();
        }
    }
    let odd = server.store();
    let config = odd.config().schema("an \"odd\" schema, of its own");
    let journal = PostgresJournal::connect(config).await.unwrap();
    assert_eq!(journal.size().await.unwrap().runs, 0);
}
