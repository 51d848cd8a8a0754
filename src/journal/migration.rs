//! The steps from one format of a store to the next one, whatever the database.

use super::error::JournalError;

/// One step from an earlier format to the next one; its number is its place, from 1.
pub(super) struct Migration {
    pub name: &'static str,
    pub sql: &'static str,
}

impl Migration {
    pub(super) fn checksum(&self) -> String {
        blake3::hash(self.sql.as_bytes()).to_hex().to_string()
    }
}

/// Refuses a store of which this library cannot say what is in it; gives back how many of the
/// migrations were applied to it, of which the numbers and checksums are known.
pub(super) fn verify(
    migrations: &[Migration],
    applied: &[(i64, String)],
) -> Result<usize, JournalError> {
    if applied.len() > migrations.len() {
        let (found, known) = (applied.len() as u64, migrations.len() as u64);
        return Err(JournalError::Format { found, known });
    }
    for (place, ((number, checksum), migration)) in applied.iter().zip(migrations).enumerate() {
        if *number != place as i64 + 1 || *checksum != migration.checksum() {
            let name = migration.name;
            let why = format!("what was applied to it as migration {name} is another one");
            return Err(JournalError::Unusable(why));
        }
    }
    Ok(applied.len())
}
