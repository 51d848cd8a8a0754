//! Typed slots: what they hold, and how they are upgraded.

use hotgraph::{
    Context, Document, Handler, NodeError, NodeSpec, RetryPolicy, Runtime, Session, SessionError,
    SlotError, StateKey, Value,
};
use std::time::Duration;

use super::{TOTAL, n, runtime};

const OLD: StateKey<u64> = StateKey::new("chat", "turns", 1);
const NEW: StateKey<Vec<u64>> =
    StateKey::new("chat", "turns", 2).upgrades_from(1, |old| match old.as_i64() {
        Some(old) => Ok(vec![u64::try_from(old)?]),
        None => Err(NodeError::new("no number")),
    });
const LATEST: StateKey<String> = StateKey::new("chat", "turns", 3)
    .upgrades_from(1, |old| Ok(format!("of 1: {old}")))
    .upgrades_from(2, |old| Ok(format!("of 2: {old}")));

async fn session() -> Session {
    runtime().await.session("s").graph("sums")
}

async fn names(session: &Session) -> Vec<String> {
    session.view().await.unwrap().slots.into_keys().collect()
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_put_read_and_cleared() {
    let session = session().await;
    let slot = session.slot(&TOTAL);
    assert_eq!(slot.get().await.unwrap(), None);
    let source = SlotError::Absent { slot: "sums:total:v1".into() };
    let absent = SessionError::Slot { session: "s".into(), source };
    assert_eq!(slot.require().await.unwrap_err(), absent);
    slot.put(&40).await.unwrap();
    assert_eq!(slot.require().await.unwrap(), 40);
    assert_eq!(session.next(n(2)).await.unwrap().output::<super::Number>().unwrap().n, 84);
    assert_eq!(slot.get().await.unwrap(), Some(42));
    assert!(slot.clear().await.unwrap());
    assert!(!slot.clear().await.unwrap());
    assert_eq!(names(&session).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_older_version_is_upgraded_once_and_written_back() {
    let session = session().await;
    session.slot(&OLD).put(&7).await.unwrap();
    assert_eq!(session.slot(&NEW).get().await.unwrap(), Some(vec![7]));
    assert_eq!(names(&session).await, ["chat:turns:v2"]);
    assert_eq!(session.slot(&OLD).get().await.unwrap(), None);
    assert_eq!(session.slot(&LATEST).require().await.unwrap(), "of 2: [7]");
    assert_eq!(names(&session).await, ["chat:turns:v3"]);
}

#[tokio::test(start_paused = true)]
async fn the_latest_of_several_older_versions_counts() {
    let session = session().await;
    let second: StateKey<Vec<u64>> = StateKey::new("chat", "turns", 2);
    session.slot(&OLD).put(&1).await.unwrap();
    session.slot(&second).put(&vec![2]).await.unwrap();
    assert_eq!(session.slot(&LATEST).require().await.unwrap(), "of 2: [2]");
    assert!(session.slot(&LATEST).clear().await.unwrap());
    assert_eq!(session.slot(&LATEST).get().await.unwrap(), None, "version 1 is gone, too");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_says_so_and_stays() {
    let session = session().await;
    let text: StateKey<String> = StateKey::new("chat", "turns", 1);
    session.slot(&text).put(&"seven".to_owned()).await.unwrap();
    let refused = |error| match error {
        SessionError::Slot { source, .. } => source,
        other => panic!("{other:?}"),
    };
    let misfit = refused(session.slot(&OLD).get().await.unwrap_err());
    assert!(matches!(&misfit, SlotError::Misfit { wanted: "u64", .. }), "{misfit:?}");
    let upgrade = refused(session.slot(&NEW).get().await.unwrap_err());
    let (slot, reason) = ("chat:turns:v2".into(), "no number".into());
    assert_eq!(upgrade, SlotError::NotUpgraded { slot, from: 1, reason });
    assert_eq!(names(&session).await, ["chat:turns:v1"]);
    let odd: StateKey<std::collections::BTreeMap<Vec<u8>, u8>> = StateKey::new("a", "b", 1);
    let map = [(vec![1], 1)].into_iter().collect();
    let no_value = refused(session.slot(&odd).put(&map).await.unwrap_err());
    assert!(matches!(no_value, SlotError::NoValue { .. }), "{no_value:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_harms_nobody() {
    let session = session().await;
    const PANICS: StateKey<u64> =
        StateKey::new("chat", "turns", 9).upgrades_from(1, |_| panic!("a hook"));
    session.slot(&OLD).put(&7).await.unwrap();
    let cut_off = SessionError::CutOff { session: "s".into() };
    assert_eq!(session.slot(&PANICS).get().await.unwrap_err(), cut_off);
    assert_eq!(session.slot(&OLD).get().await.unwrap(), Some(7));
    session.next(n(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn handlers_upgrade_slots_and_see_typed_errors() {
    let upgrade = |_: Value, ctx: Context| async move {
        let turns = ctx.slot(&NEW).require()?;
        let missing = ctx.slot(&TOTAL).require().unwrap_err();
        assert_eq!(missing, SlotError::Absent { slot: "sums:total:v1".into() });
        assert!(!ctx.slot(&TOTAL).clear());
        ctx.slot(&NEW).put(&[turns, vec![1]].concat())?;
        Ok(Value::object([("n", 1)]))
    };
    let handler = Handler::one("upgrade", upgrade);
    let runtime = Runtime::builder().handler(handler).build().await.unwrap();
    let node = NodeSpec::new("upgrade");
    let never = RetryPolicy::fixed(0, Duration::from_secs(1));
    let graph = Document::builder("g").node(node).retry(never).build();
    runtime.publish_and_promote(graph).await.unwrap();
    let session = runtime.session("s").graph("g");
    let failed = session.next(Value::Null).await.unwrap();
    assert_eq!(&*failed.outcome.failures[0].error, "slot `chat:turns:v2` holds nothing");
    session.slot(&OLD).put(&7).await.unwrap();
    let ended = session.next(Value::Null).await.unwrap();
    assert!(ended.is_success(), "{ended:?}");
    assert_eq!(names(&session).await, ["chat:turns:v2"], "the older version is gone");
    assert_eq!(session.slot(&NEW).require().await.unwrap(), [7, 1]);
}

#[tokio::test(start_paused = true)]
async fn slots_of_a_run_that_is_of_no_session_live_as_long_as_the_run() {
    let runtime = runtime().await;
    for _ in 0..2 {
        let outcome = runtime.start("sums", n(3)).await.unwrap().await;
        assert_eq!(outcome.output::<super::Number>().unwrap().n, 6);
    }
}

#[test]
fn a_key_says_its_name() {
    assert_eq!(LATEST.to_string(), "chat:turns:v3");
}

#[test]
fn a_key_that_cannot_be_is_refused() {
    let make: [fn() -> StateKey<u64>; 6] = [
        || StateKey::new("", "a", 1),
        || StateKey::new("a", "", 1),
        || StateKey::new("a:b", "c", 1),
        || StateKey::new("a", "b/c", 1),
        || StateKey::new("a", "b", 0),
        || StateKey::new("a", "b", 1).upgrades_from(1, |_| Ok(0)),
    ];
    for make in make {
        assert!(std::panic::catch_unwind(make).is_err());
    }
}
