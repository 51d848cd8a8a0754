//! The way to the server is cut, silent, or leads to one that starts again: nothing is lost, and
//! nothing is there twice.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use hotgraph::{Epoch, Journal, JournalError, PostgresJournal, Record, Stream, Write};

use super::proxy::{Proxy, Sender};
use super::server::{Server, Store};
use crate::journal::subject::{record, run};
use crate::journal::work::{commit, verify};

/// How many commits a scenario has.
const COMMITS: u64 = 4;

/// Does something until the server can be reached.
async fn insist<T>(mut work: impl AsyncFnMut() -> Result<T, JournalError>) -> T {
    loop {
        match work().await {
            Ok(done) => return done,
            Err(JournalError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// A whole life of a journal: connect, claim, commit, take back, read, and let go.
async fn live(store: &Store, proxy: &Proxy) {
    let config = store.config_through(proxy.address());
    let journal = insist(async || PostgresJournal::connect(config.clone()).await).await;
    let epoch = insist(async || journal.claim("a test").await).await;
    for number in 1..=COMMITS {
        insist(async || commit(&journal, epoch, number).await).await;
    }
    let doubtful = [record(run(9), 1, "doubtful"), record(run(9), 2, "doubtful")];
    insist(async || journal.commit(epoch, doubtful.clone().into()).await).await;
    let back = [Write::Truncate(run(9), 0)];
    insist(async || journal.commit(epoch, back.clone().into()).await).await;
    insist(async || journal.read(Stream::Versions, 0, 9).await).await;
    insist(async || journal.release(epoch).await).await;
}

/// Cuts the way at every message of a sender, once in every life; gives back how many there were.
async fn cut_everywhere(server: &Server, sender: Sender) -> usize {
    for left in 0.. {
        let store = server.store();
        let proxy = Proxy::cutting(server.address(), sender, left).await;
        live(&store, &proxy).await;
        // Past the proxy, by somebody who was not there.
        let journal = PostgresJournal::connect(store.config()).await.unwrap();
        assert_eq!(verify(&journal).await, COMMITS, "{sender:?} was cut after {left} messages");
        let epoch = journal.claim("a reader").await.unwrap();
        commit(&journal, epoch, COMMITS + 1).await.unwrap();
        if !proxy.was_cut() {
            return left;
        }
    }
    unreachable!("a life ends")
}

fn say(text: &str) {
    io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

#[tokio::test]
async fn a_cut_at_any_message_of_the_client_loses_nothing() {
    let Some(server) = Server::start().await else { return };
    let cuts = cut_everywhere(&server, Sender::Client).await;
    say(&format!("PostgreSQL: cut at each of {cuts} messages of the client"));
    assert!(cuts > 100, "{cuts} cuts");
}

#[tokio::test]
async fn a_cut_at_any_message_of_the_server_loses_nothing() {
    let Some(server) = Server::start().await else { return };
    let cuts = cut_everywhere(&server, Sender::Server).await;
    say(&format!("PostgreSQL: cut at each of {cuts} messages of the server"));
    assert!(cuts > 100, "{cuts} cuts");
}

async fn claimed(store: &Store, proxy: &Proxy, timeout: Duration) -> (PostgresJournal, Epoch) {
    let config = store.config_through(proxy.address()).request_timeout(timeout);
    let journal = PostgresJournal::connect(config).await.unwrap();
    let epoch = journal.claim("the first").await.unwrap();
    (journal, epoch)
}

#[tokio::test]
async fn a_silent_server_is_given_up_and_the_lock_is_taken_back() {
    let Some(server) = Server::start().await else { return };
    let (store, proxy) = (server.store(), Proxy::start(server.address()).await);
    let limit = Duration::from_millis(500);
    let (journal, epoch) = claimed(&store, &proxy, limit).await;
    for number in 1..=3 {
        commit(&journal, epoch, number).await.unwrap();
        proxy.fall_silent();
        let start = Instant::now();
        let refused = commit(&journal, epoch, number + 1).await;
        assert!(matches!(refused, Err(JournalError::Unavailable(_))), "{refused:?}");
        assert!(start.elapsed() < limit * 4, "{:?}", start.elapsed());
        // The session that fell silent lives on in the server, and holds the lock.
        commit(&journal, epoch, number + 1).await.unwrap();
    }
    assert_eq!(verify(&journal).await, 4);
}

#[tokio::test]
async fn an_owner_that_was_cut_off_goes_on_unless_another_was_faster() {
    let Some(server) = Server::start().await else { return };
    let (store, proxy) = (server.store(), Proxy::start(server.address()).await);
    let (first, old) = claimed(&store, &proxy, Duration::from_secs(30)).await;
    let second = PostgresJournal::connect(store.config()).await.unwrap();
    commit(&first, old, 1).await.unwrap();
    proxy.cut_all();
    insist(async || commit(&first, old, 2).await).await;
    // It has its lock again.
    let refused = second.claim("the second").await;
    assert_eq!(refused, Err(JournalError::Owned { owner: "the first".to_owned() }));

    proxy.cut_all();
    let new = second.claim("the second").await.unwrap();
    assert_eq!(new, Epoch(old.0 + 1));
    let refused = loop {
        match commit(&first, old, 3).await {
            Err(JournalError::Unavailable(_)) => {}
            other => break other,
        }
    };
    let fenced = Err(JournalError::Fenced { epoch: old, found: new });
    assert_eq!(refused, fenced);
    assert_eq!(first.vacuum(old).await, fenced);
    commit(&second, new, 3).await.unwrap();
    // Whoever lost it reads it, claims it when it is free, and held nothing meanwhile.
    assert_eq!(verify(&first).await, 3);
    second.release(new).await.unwrap();
    assert_eq!(first.claim("the first").await, Ok(Epoch(new.0 + 1)));
}

#[tokio::test]
async fn a_server_that_starts_again_and_again_loses_nothing() {
    // One that is given is not restarted.
    let Some(server) = Server::own("-c checkpoint_timeout=30s") else { return };
    let store = server.store();
    let journal = PostgresJournal::connect(store.config()).await.unwrap();
    let epoch = journal.claim("a test").await.unwrap();
    let restarts = if std::env::var_os("HOTGRAPH_SOAK").is_some() { 50 } else { 5 };
    let restarting = tokio::task::spawn_blocking(move || {
        (0..restarts).for_each(|_| {
            std::thread::sleep(Duration::from_millis(300));
            server.restart("immediate");
        });
        server
    });
    let (mut number, mut refused) = (0, 0_u64);
    while !restarting.is_finished() {
        number += 1;
        while let Err(error) = commit(&journal, epoch, number).await {
            assert!(matches!(error, JournalError::Unavailable(_)), "{error}");
            refused += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let server = restarting.await.unwrap();
    say(&format!("PostgreSQL: {restarts} restarts, {number} commits, {refused} given again"));
    assert!(refused > 0, "{number} commits met no restart");
    assert_eq!(verify(&journal).await, number);
    drop(server);
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable() {
    let refused = PostgresJournal::connect("postgresql://127.0.0.1:1/none").await.map(drop);
    assert!(matches!(refused, Err(JournalError::Unavailable(_))), "{refused:?}");
    // One that takes the connection and says nothing.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("postgresql://127.0.0.1:{}/none", silent.local_addr().unwrap().port());
    let config = hotgraph::PostgresConfig::new(url).connect_timeout(Duration::from_millis(200));
    let refused = PostgresJournal::connect(config).await.map(drop);
    assert!(matches!(refused, Err(JournalError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_written() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    let journal = PostgresJournal::connect(store.config()).await.unwrap();
    let epoch = journal.claim("a test").await.unwrap();
    let client = store.client().await;
    for (code, is_full) in [("53100", true), ("53200", true), ("22012", false), ("40001", false)] {
        let refuse = format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$; \
             CREATE TRIGGER refuse BEFORE INSERT ON runs EXECUTE FUNCTION refuse()"
        );
        client.batch_execute(&refuse).await.unwrap();
        let refused = commit(&journal, epoch, 1).await;
        let why = format!("no (SQLSTATE {code})");
        let expected = match is_full {
            true => JournalError::Full(why),
            false => JournalError::Storage(why),
        };
        assert_eq!(refused, Err(expected));
        assert_eq!(verify(&journal).await, 0);
        client.batch_execute("DROP FUNCTION refuse CASCADE").await.unwrap();
    }
    commit(&journal, epoch, 1).await.unwrap();
    assert_eq!(verify(&journal).await, 1);
}

#[tokio::test]
async fn a_record_that_was_changed_is_read_as_it_is() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    let journal = PostgresJournal::connect(store.config()).await.unwrap();
    let epoch = journal.claim("a test").await.unwrap();
    journal.commit(epoch, [record(run(1), 1, "this")].into()).await.unwrap();
    store.client().await.batch_execute("UPDATE records SET body = '\\x00'").await.unwrap();
    let found: Vec<Record> = journal.read(run(1), 0, 9).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(!found[0].is_intact(run(1)));
}
