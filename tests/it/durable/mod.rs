//! Runs with a journal: what a crash leaves behind, and how they go on.

mod crash_points;
mod cut;
mod fencing;
mod graphs;
mod scenarios;
mod seen;
mod storage;
mod storm;
mod versions;
mod wide;
