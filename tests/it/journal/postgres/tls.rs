//! The way to the server is encrypted, and leads to that server.

use std::path::PathBuf;

use hotgraph::{JournalError, PostgresConfig, PostgresJournal};

use super::server::{Server, Store};
use crate::journal::folder::Folder;
use crate::journal::work::{commit, verify};

/// A server with a certificate that it has signed itself, and the file of that.
async fn encrypted() -> Option<(Server, Store, PathBuf)> {
    let server = Server::own("")?;
    let certificate = server.make_certificate();
    let store = server.store();
    let client = store.client().await;
    for sql in ["ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"] {
        client.batch_execute(sql).await.unwrap();
    }
    // The processes read it in their own time.
    while store.client().await.query_one("SHOW ssl", &[]).await.unwrap().get::<_, &str>(0) != "on" {
        tokio::task::yield_now().await;
    }
    Some((server, store, certificate))
}

fn config(server: &Server, store: &Store, host: &str) -> PostgresConfig {
    let port = server.address().port();
    let url = format!(
        "host={host} hostaddr=127.0.0.1 port={port} user=hotgraph dbname=postgres sslmode=require"
    );
    PostgresConfig::new(url).schema(store.schema())
}

#[tokio::test]
async fn a_server_that_is_trusted_is_talked_to_over_tls() {
    let Some((server, store, certificate)) = encrypted().await else { return };
    let config = config(&server, &store, "localhost").root_certificates(certificate);
    let journal = PostgresJournal::connect(config).await.unwrap();
    let epoch = hotgraph::Journal::claim(&journal, "a test").await.unwrap();
    commit(&journal, epoch, 1).await.unwrap();
    assert_eq!(verify(&journal).await, 1);
    let sql = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
               WHERE application_name = 'hotgraph'";
    let is_encrypted = store.client().await.query_one(sql, &[]).await.unwrap();
    assert!(is_encrypted.get::<_, bool>(0));
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_refused() {
    let Some((server, store, certificate)) = encrypted().await else { return };
    let unknown = config(&server, &store, "localhost");
    let other_name = config(&server, &store, "example.org").root_certificates(&certificate);
    for config in [unknown, other_name] {
        match PostgresJournal::connect(config).await.map(drop) {
            Err(JournalError::Unavailable(why)) => assert!(why.contains("verify"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    let without = Server::start().await.unwrap();
    let config = config(&without, &store, "localhost").root_certificates(certificate);
    let refused = PostgresJournal::connect(config).await.map(drop);
    assert!(matches!(refused, Err(JournalError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_file_without_certificates_is_refused() {
    let folder = Folder::new();
    let (missing, empty) = (folder.path().join("missing"), folder.path().join("empty"));
    std::fs::write(&empty, "nothing").unwrap();
    let connect = async |file: PathBuf| {
        let config = PostgresConfig::new("postgresql://127.0.0.1:1/none").root_certificates(file);
        PostgresJournal::connect(config).await.map(drop)
    };
    let refused = connect(missing).await;
    assert!(matches!(refused, Err(JournalError::Storage(_))), "{refused:?}");
    let refused = connect(empty).await;
    assert!(matches!(refused, Err(JournalError::Unusable(_))), "{refused:?}");
}
