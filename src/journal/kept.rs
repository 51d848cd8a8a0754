//! How values are kept in a database, whose integers have a sign.

use smallvec::SmallVec;

use super::record::Stream;
use crate::clock::Timestamp;
use crate::id::RunId;

/// The key of a stream: nothing for the versions, a byte for their count, else those of the run.
pub(super) fn key(stream: Stream) -> SmallVec<[u8; 16]> {
    match stream {
        Stream::Versions => SmallVec::new(),
        Stream::Run(run) => SmallVec::from_buf(run.0.to_be_bytes()),
        Stream::Count => SmallVec::from_slice(&[0]),
    }
}

/// The run of a key; where that is damaged and too short, the rest is 0.
pub(super) fn run(key: &[u8]) -> RunId {
    let mut id = [0; 16];
    let length = key.len().min(id.len());
    id[..length].copy_from_slice(&key[..length]);
    RunId(u128::from_be_bytes(id))
}

/// A number, bit by bit: small ones look as they are, and take few bytes.
pub(super) const fn number(number: u64) -> i64 {
    number.cast_signed()
}

/// A time, moved so that the database has the order of the times: the earliest is the smallest
/// integer.
pub(super) const fn time(at: Timestamp) -> i64 {
    (at.0 ^ (1 << 63)).cast_signed()
}

/// The time that is kept as that number.
pub(super) const fn timestamp(kept: i64) -> Timestamp {
    Timestamp(kept.cast_unsigned() ^ (1 << 63))
}

/// A limit; there are never more rows than the largest one.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The numbers after one, as ranges of what is kept: those above `i64::MAX` have a sign.
pub(super) fn after(after: u64) -> impl Iterator<Item = (i64, i64)> {
    let top = i64::MAX.cast_unsigned();
    let small = (after < top).then(|| (number(after + 1), i64::MAX));
    let first_large = after.checked_add(1).map(|first| first.max(top + 1));
    small.into_iter().chain(first_large.map(|first| (number(first), -1)))
}
