//! A disk that keeps what was synced, and of the rest whatever it likes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::trace::Act;

/// What is written at once, or not.
const SECTOR: usize = 512;

/// What a disk has of a change that was not synced.
#[derive(Clone, Debug)]
pub enum Fate {
    Kept,
    Lost,
    /// The file has its length, and of its sectors those that are named here.
    Torn(Vec<bool>),
}

/// Which syncs a disk carries out, by what they are of.
pub type Heeds = fn(&str) -> bool;

/// A file, whatever its name is by now.
type FileId = usize;

#[derive(Clone, Debug)]
enum Change {
    Name(String, Option<FileId>),
    Bytes { file: FileId, at: usize, bytes: Vec<u8> },
    Length { file: FileId, length: usize },
}

/// Names, and files.
#[derive(Clone, Debug, Default)]
pub struct Image {
    names: BTreeMap<String, FileId>,
    files: BTreeMap<FileId, Vec<u8>>,
}

/// A folder on a disk.
#[derive(Debug)]
pub struct Disk {
    folder: String,
    heeds: Heeds,
    /// What a power loss leaves in any case.
    durable: Image,
    /// What came since, in its order.
    pending: Vec<Change>,
    /// What the process sees.
    names: BTreeMap<String, FileId>,
    made: FileId,
}

impl Disk {
    pub fn new(folder: &Path, heeds: Heeds) -> Self {
        let folder = folder.to_str().unwrap().to_owned();
        let (durable, names) = (Image::default(), BTreeMap::new());
        Self { folder, heeds, durable, pending: Vec::new(), names, made: 0 }
    }

    /// Carries out what a process did, if it is about the store.
    pub fn carry_out(&mut self, act: &Act) {
        match act {
            Act::Opened(path) => self.make(path),
            Act::Wrote { file, at, bytes } => {
                self.change(file, |file| Change::Bytes { file, at: *at, bytes: bytes.clone() })
            }
            Act::Cut { file, length } => {
                self.change(file, |file| Change::Length { file, length: *length })
            }
            Act::Removed(path) => {
                if let Some(name) = self.name(path).filter(|name| self.names.remove(name).is_some())
                {
                    self.pending.push(Change::Name(name, None));
                }
            }
            Act::Synced(path) if (self.heeds)(path) => self.sync(path),
            Act::Synced(_) | Act::Said(_) => {}
        }
    }

    /// The name of a file whose content counts: locks and shared memory are made anew.
    fn name(&self, path: &str) -> Option<String> {
        let name = path.strip_prefix(&self.folder)?.strip_prefix('/')?;
        let counts = !name.ends_with("-lock") && !name.ends_with("-shm");
        counts.then(|| name.to_owned())
    }

    fn make(&mut self, path: &str) {
        let Some(name) = self.name(path).filter(|name| !self.names.contains_key(name)) else {
            return;
        };
        self.made += 1;
        self.names.insert(name.clone(), self.made);
        self.durable.files.insert(self.made, Vec::new());
        self.pending.push(Change::Name(name, Some(self.made)));
    }

    fn change(&mut self, path: &str, change: impl FnOnce(FileId) -> Change) {
        let file = self.name(path).and_then(|name| self.names.get(&name));
        self.pending.extend(file.copied().map(change));
    }

    fn sync(&mut self, path: &str) {
        let file = self.name(path).and_then(|name| self.names.get(&name).copied());
        let is_folder = path == self.folder;
        let is_synced = |change: &mut Change| match change {
            Change::Name(..) => is_folder,
            Change::Bytes { file: of, .. } | Change::Length { file: of, .. } => Some(*of) == file,
        };
        for change in self.pending.extract_if(.., is_synced) {
            self.durable.apply(&change, Fate::Kept);
        }
    }

    /// What is there after a power loss; the changes that were not synced are told from the last
    /// one backwards.
    pub fn lose_power(&self, mut fate: impl FnMut(usize) -> Fate) -> Image {
        let mut image = self.durable.clone();
        for (place, change) in self.pending.iter().enumerate() {
            image.apply(change, fate(self.pending.len() - 1 - place));
        }
        image
    }
}

impl Image {
    fn apply(&mut self, change: &Change, fate: Fate) {
        match (change, fate) {
            (_, Fate::Lost) => {}
            (Change::Name(name, Some(file)), _) => drop(self.names.insert(name.clone(), *file)),
            (Change::Name(name, None), _) => drop(self.names.remove(name)),
            (Change::Length { file, length }, _) => self.file(*file).resize(*length, 0),
            (Change::Bytes { file, at, bytes }, Fate::Kept) => {
                write(self.file(*file), *at, bytes, |_| true)
            }
            (Change::Bytes { file, at, bytes }, Fate::Torn(sectors)) => {
                let first = at / SECTOR;
                let is_kept = |sector: usize| sectors.get(sector - first) == Some(&true);
                write(self.file(*file), *at, bytes, is_kept);
            }
        }
    }

    fn file(&mut self, file: FileId) -> &mut Vec<u8> {
        self.files.get_mut(&file).expect("it was made")
    }

    /// Puts the files into an empty folder.
    pub fn put(&self, folder: &Path) {
        for (name, file) in &self.names {
            fs::write(folder.join(name), &self.files[file]).unwrap();
        }
    }
}

/// Writes those sectors of some bytes that are kept.
fn write(file: &mut Vec<u8>, at: usize, bytes: &[u8], is_kept: impl Fn(usize) -> bool) {
    let end = at + bytes.len();
    file.resize(file.len().max(end), 0);
    let mut from = at;
    while from < end {
        let sector = from / SECTOR;
        let to = end.min((sector + 1) * SECTOR);
        if is_kept(sector) {
            file[from..to].copy_from_slice(&bytes[from - at..to - at]);
        }
        from = to;
    }
}
