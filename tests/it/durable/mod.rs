//! Runs with a journal: what a crash leaves behind, and how they go on.

mod altered;
mod away;
pub mod before;
mod boundaries;
mod called;
mod counted;
mod crash_points;
pub mod cut;
mod deep;
mod doubtful;
mod drawn_again;
mod failing;
mod failing_commands;
pub mod faulty;
mod fencing;
mod flips;
mod forgotten;
mod given_up;
mod graphs;
mod kept_versions;
#[cfg(feature = "sqlite")]
mod kills;
#[cfg(feature = "sqlite")]
mod known_keys;
mod live_retries;
mod mergers_anywhere;
mod orphans;
mod random;
mod recalled;
mod refused;
#[cfg(feature = "postgres")]
mod restarts;
mod resumable;
mod retries_anywhere;
mod rollouts;
pub mod scenarios;
mod secrets;
pub mod seen;
mod shared_commits;
pub mod shut_down_anywhere;
mod shutdown;
mod storage;
mod stories;
mod storm;
mod stranded;
mod unsaved_retries;
mod versions;
mod wide;
