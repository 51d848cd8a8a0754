//! Runs with a journal: what a crash leaves behind, and how they go on.

mod crash_points;
mod cut;
mod scenarios;
mod storage;
mod versions;
mod wide;
