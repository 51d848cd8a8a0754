//! A folder of its own for every store.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of its own, removed when the test ends.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        Self::below(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    /// A folder that no disk is waited for in, where the system has such.
    #[cfg(all(feature = "sqlite", target_os = "linux"))]
    pub fn in_memory() -> Self {
        match Path::new("/dev/shm") {
            memory if memory.is_dir() => Self::below(memory),
            _ => Self::new(),
        }
    }

    fn below(folder: &Path) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        // Relaxed: all that counts is that no two get the same number.
        let name = format!("hotgraph-{}-{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let path = folder.join(name);
        // It is there only if an earlier process of that number was cut off.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is small, and where it is looked for.
        let _ = fs::remove_dir_all(&self.0);
    }
}
