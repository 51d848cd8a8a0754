//! A start that becomes known while a rollback orders and looks at the runs.

use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::in_flight::{InFlight, Orders};

/// The revision that the start was decided at, and that of the rollback.
const DECIDED: u64 = 1;
const LEFT: u64 = 2;

#[test]
fn a_rollback_sees_the_run_or_the_run_sees_the_order() {
    loom::model(|| {
        let orders = Arc::new(Orders::default());
        let is_known = Arc::new(Mutex::new(false));
        let start = {
            let (orders, is_known) = (orders.clone(), is_known.clone());
            thread::spawn(move || {
                *is_known.lock().unwrap() = true;
                orders.of(DECIDED) == InFlight::Cancel
            })
        };
        orders.give(InFlight::Cancel, LEFT);
        let is_seen = *is_known.lock().unwrap();
        assert!(start.join().unwrap() || is_seen);
        assert_eq!(orders.of(LEFT), InFlight::Finish, "a later start goes on");
    });
}

#[test]
fn rollbacks_in_any_order_leave_the_latest_orders() {
    loom::model(|| {
        let orders = Arc::new(Orders::default());
        let other = {
            let orders = orders.clone();
            thread::spawn(move || orders.give(InFlight::Cancel, 3))
        };
        orders.give(InFlight::Cancel, 2);
        orders.give(InFlight::Pause, 4);
        other.join().unwrap();
        let found = [2, 3, 4].map(|revision| orders.of(revision));
        assert_eq!(found, [InFlight::Cancel, InFlight::Pause, InFlight::Finish]);
    });
}
