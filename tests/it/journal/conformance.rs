//! The list of all checks, and what runs them.

use futures_util::future::BoxFuture;

use super::kinds::Fresh;
use super::subject::Subject;
use super::{agreement, commits, extremes, ownership, reading, rows, storage, truncating};

type Check = fn(Subject) -> BoxFuture<'static, ()>;

macro_rules! checks {
    ($($module:ident::$check:ident,)*) => {
        [$((concat!(stringify!($module), "::", stringify!($check)), |subject| {
            Box::pin($module::$check(subject))
        }),)*]
    };
}

const CHECKS: &[(&str, Check)] = &checks![
    ownership::epochs_grow,
    ownership::an_owned_store_is_claimed_as_said,
    ownership::a_released_store_can_be_claimed,
    ownership::releasing_an_old_epoch_changes_nothing,
    ownership::another_epoch_writes_nothing,
    ownership::another_epoch_truncates_nothing,
    ownership::another_epoch_deletes_nothing,
    ownership::another_epoch_vacuums_nothing,
    ownership::another_epoch_reads,
    commits::an_empty_commit_is_one,
    commits::an_empty_commit_of_another_epoch_is_refused,
    commits::a_commit_writes_everything,
    commits::a_commit_may_be_repeated,
    commits::a_commit_may_be_repeated_with_more,
    commits::another_body_is_a_conflict,
    commits::another_checksum_is_a_conflict,
    commits::two_records_of_one_number_in_a_commit_are_a_conflict,
    commits::the_same_record_twice_in_a_commit_is_one,
    commits::a_commit_with_a_conflict_writes_nothing,
    commits::what_is_damaged_is_read_as_it_is,
    commits::many_commits_at_once_are_all_written,
    reading::records_come_in_the_order_of_their_numbers,
    reading::records_come_in_pages,
    reading::nothing_comes_from_where_nothing_is,
    reading::streams_do_not_mix,
    truncating::records_after_the_number_go,
    truncating::truncating_to_nothing_takes_the_row,
    truncating::truncating_the_versions_takes_no_row,
    truncating::truncating_what_is_not_there_changes_nothing,
    truncating::a_number_is_free_after_a_truncation,
    truncating::writes_are_carried_out_in_their_order,
    truncating::a_truncation_is_undone_by_a_conflict,
    rows::a_row_comes_back_as_it_was,
    rows::a_row_takes_the_place_of_the_one_before,
    rows::each_condition_is_kept_alone_and_with_others,
    rows::rows_come_in_the_order_of_their_starts,
    rows::rows_come_in_pages,
    rows::a_limit_is_kept,
    extremes::a_large_body_comes_back,
    extremes::any_byte_comes_back,
    extremes::names_may_be_in_any_script,
    extremes::any_number_comes_back,
    extremes::any_time_has_its_place,
    extremes::a_large_commit_is_written,
    storage::a_deleted_run_is_gone,
    storage::deleting_counts_the_runs_that_were_there,
    storage::sizes_are_counted,
    storage::a_vacuum_keeps_everything,
    agreement::it_agrees_with_a_journal_in_memory,
];

/// Runs every check over a journal of its own, and names all that failed.
pub async fn check_all(fresh: impl Fn() -> Fresh) {
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        let (subject, alive) = fresh().await;
        // In a task of its own: a check that panics does not keep the others from running.
        if let Err(error) = tokio::spawn(check(subject)).await {
            failed.push(format!("{name}: {error}"));
        }
        drop(alive);
    }
    assert!(failed.is_empty(), "{} of {}: {failed:#?}", failed.len(), CHECKS.len());
}
