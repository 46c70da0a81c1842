// SPDX-License-Identifier: Apache-2.0
//! Names and content of a machine, in this process.

use std::collections::HashSet;
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use snapscan_disk::fs::{FileType, Metadata};
use snapscan_disk::machine::{Follow, Location, Machine, Resolved, Tree};
use snapscan_disk::{Error as DiskError, MachinePath, limits};
use snapscan_schema::Time;

use super::course::Course;
use super::open::Source;
use crate::Error;
use crate::look::{Listing, Problems, shown, tsv};

/// Bytes of a file that are read at once.
const CHUNK: usize = 1 << 20;
/// Bytes of names that are held at once, to sort them: some 600,000 names of folders within each other.
const MOST_HELD: usize = 48 << 20;
/// Folders that are listed: to know them again takes 17 bytes of each.
const MOST_FOLDERS: usize = 1_800_000;
/// Problems that are kept.
const MOST_PROBLEMS: usize = 10_000;

/// Lists what is under `path` in the target's machine, or in one of its filesystems if `volume` names its place.
///
/// # Errors
/// What opening the target met; `NoSuchPath`, `NoSuchVolume`; `Output`.
pub(crate) fn list(
    source: Source,
    volume: Option<&[u8]>,
    path: &[u8],
    listing: Listing,
    course: &Course,
    out: &mut dyn Write,
) -> Result<Problems, Error> {
    let machine = source.open(&[], course)?;
    let tree = choose(machine, volume)?;
    let at = find(&tree, path, Follow::NotLast)?;
    let mut lister =
        Lister { tree: &tree, listing, out, problems: Vec::new(), seen: HashSet::new(), held: 0 };
    if listing.tsv {
        lister.out.write_all(b"path\ttype\tmode\tuid\tgid\tsize\tmtime\tsha256\ttarget\n")?;
    }
    // A link to a folder is looked through when it is what was asked for.
    let folder = if at.metadata.kind == FileType::Symlink {
        find(&tree, path, Follow::Links).unwrap_or(at)
    } else {
        at
    };
    if folder.metadata.kind == FileType::Directory {
        lister.folder(folder.location, folder.path.relative().to_vec(), 0)?;
    } else {
        lister.row(folder.path.relative(), folder.location, &folder.metadata)?;
    }
    Ok(lister.problems)
}

/// Writes the content of the file at `path`, links followed.
///
/// # Errors
/// What opening the target met; `NoSuchPath`, `NoSuchVolume`, `Path` if it is no file or cannot be read; `Output`.
pub(crate) fn cat(
    source: Source,
    volume: Option<&[u8]>,
    path: &[u8],
    course: &Course,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let machine = source.open(&[], course)?;
    let tree = choose(machine, volume)?;
    let at = find(&tree, path, Follow::Links)?;
    let failed =
        |error: DiskError| Error::Path { path: path.escape_ascii().to_string(), why: error.to_string() };
    if at.metadata.kind != FileType::File {
        return Err(failed(DiskError::WrongType("regular file")));
    }
    let file = tree.open(at.location).map_err(failed)?;
    let mut offset = 0;
    let mut chunk = vec![0; CHUNK];
    while offset < file.size() {
        let read = file.read_at(offset, &mut chunk).map_err(failed)?;
        if read == 0 {
            break;
        }
        out.write_all(&chunk[..read])?;
        offset += read as u64;
    }
    Ok(())
}

/// The machine's tree, or that of the filesystem at one place.
fn choose(machine: Machine, volume: Option<&[u8]>) -> Result<Tree, Error> {
    let Some(wanted) = volume else { return machine.tree.ok_or(Error::NoFilesystem) };
    let mut known = Vec::new();
    for (index, place) in machine.places.0.iter().enumerate() {
        let Some(fs) = &place.fs else { continue };
        // `disk.img/2/ext4` may be called `disk.img/2`.
        let whole = machine.places.path(index);
        let parent = place.parent.map(|parent| machine.places.path(parent));
        if whole == wanted || parent.as_deref() == Some(wanted) {
            return Ok(Tree::new(Arc::clone(fs), machine.places.volume(index)));
        }
        known.push(parent.unwrap_or(whole).escape_ascii().to_string());
    }
    Err(Error::NoSuchVolume { name: wanted.escape_ascii().to_string(), known: known.join(", ") })
}

fn find(tree: &Tree, path: &[u8], follow: Follow) -> Result<Resolved, Error> {
    let shown = || path.escape_ascii().to_string();
    let found = tree.resolve(&MachinePath::new(path), follow);
    let found = found.map_err(|error| Error::Path { path: shown(), why: error.to_string() })?;
    found.ok_or_else(|| Error::NoSuchPath { path: shown() })
}

struct Lister<'a> {
    tree: &'a Tree,
    listing: Listing,
    out: &'a mut dyn Write,
    problems: Problems,
    /// Folders that were listed: on a damaged disk one can lie in itself.
    seen: HashSet<Location>,
    /// Bytes of the names that wait to be shown.
    held: usize,
}

impl Lister<'_> {
    /// Lists one folder sorted by name, and those in it.
    fn folder(&mut self, folder: Location, path: Vec<u8>, depth: usize) -> Result<(), Error> {
        if depth > limits::WALK_DEPTH {
            self.problem(
                &path,
                &DiskError::Limit { what: "depth of folders", limit: limits::WALK_DEPTH as u64 },
            );
            return Ok(());
        }
        if path.len() > limits::PATH_BYTES || self.seen.len() >= MOST_FOLDERS {
            let limit = limits::PATH_BYTES as u64;
            self.problem(&path, &DiskError::Limit { what: "bytes of a path, or folders", limit });
            return Ok(());
        }
        if !self.seen.insert(folder) {
            self.problem(&path, &DiskError::node("folder", "it has two names: a loop"));
            return Ok(());
        }
        let held = self.held;
        let mut names: Vec<(Vec<u8>, Location, bool)> = Vec::new();
        let mut bad = Vec::new();
        let read = self.tree.entries(folder, &mut |entry| {
            match entry {
                Ok((entry, location)) => {
                    self.held += entry.name.len() + size_of::<(Vec<u8>, Location, bool)>();
                    let again = self.tree.is_again(folder, entry.node);
                    names.push((entry.name, location, again));
                }
                Err(error) if bad.len() < MOST_PROBLEMS => bad.push(error),
                Err(_) => {}
            }
            if self.held > MOST_HELD {
                bad.push(DiskError::Limit { what: "bytes of names held at once", limit: MOST_HELD as u64 });
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        bad.extend(read.err());
        bad.iter().for_each(|error| self.problem(&path, error));
        names.sort();
        let nodes: Vec<_> = names.iter().map(|(_, location, _)| location.node).collect();
        if let Ok(fs) = self.tree.filesystem(folder.fs) {
            fs.advise(&nodes);
        }
        for (name, location, again) in names {
            let mut below = path.clone();
            if !below.is_empty() {
                below.push(b'/');
            }
            below.extend_from_slice(&name);
            match self.tree.metadata(location) {
                Ok(metadata) => {
                    self.row(&below, location, &metadata)?;
                    // What is mounted here is listed where it was mounted first.
                    if self.listing.recursive && metadata.kind == FileType::Directory && !again {
                        self.folder(location, below, depth + 1)?;
                    }
                }
                Err(error) => self.problem(&below, &error),
            }
        }
        self.held = held;
        Ok(())
    }

    fn row(&mut self, path: &[u8], location: Location, metadata: &Metadata) -> Result<(), Error> {
        let target = match metadata.kind {
            FileType::Symlink => self.tree.link_target(location).unwrap_or_else(|error| {
                self.problem(path, &error);
                Vec::new()
            }),
            _ => Vec::new(),
        };
        let digest = match metadata.kind {
            FileType::File if self.listing.digest => self.digest(path, location),
            _ => String::new(),
        };
        let time = Time(metadata.mtime.seconds).rfc3339_nanos(metadata.mtime.nanos);
        let kind = metadata.kind.letter();
        let line = if self.listing.tsv {
            let size =
                if metadata.kind == FileType::Directory { String::new() } else { metadata.size.to_string() };
            format!(
                "{}\t{kind}\t{:o}\t{}\t{}\t{size}\t{time}\t{digest}\t{}\n",
                tsv(path),
                metadata.mode,
                metadata.uid,
                metadata.gid,
                tsv(&target)
            )
        } else {
            let name = if self.listing.recursive {
                path
            } else {
                path.rsplit(|&b| b == b'/').next().unwrap_or(path)
            };
            let arrow = if target.is_empty() { String::new() } else { format!(" -> {}", shown(&target)) };
            let digest = if digest.is_empty() { digest } else { format!("{digest}  ") };
            if self.listing.long {
                format!(
                    "{kind}{:04o} {:>5} {:>5} {:>12} {} {digest}{}{arrow}\n",
                    metadata.mode,
                    metadata.uid,
                    metadata.gid,
                    metadata.size,
                    &time,
                    shown(name)
                )
            } else {
                format!("{digest}{}\n", shown(name))
            }
        };
        self.out.write_all(line.as_bytes())?;
        Ok(())
    }

    /// The SHA-256 of a file in hexadecimal; `unreadable` if it cannot be read whole.
    fn digest(&mut self, path: &[u8], location: Location) -> String {
        let hashed = self.tree.open(location).and_then(|file| {
            let mut hash = Sha256::new();
            let mut chunk = vec![0; CHUNK];
            let mut offset = 0;
            while offset < file.size() {
                let read = file.read_at(offset, &mut chunk)?;
                if read == 0 {
                    return Err(DiskError::node(
                        "file",
                        format!("it ends at byte {offset} of {}", file.size()),
                    ));
                }
                hash.update(&chunk[..read]);
                offset += read as u64;
            }
            Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
        });
        hashed.unwrap_or_else(|error| {
            self.problem(path, &error);
            "unreadable".to_owned()
        })
    }

    fn problem(&mut self, path: &[u8], error: &DiskError) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(format!("{}: {error}", shown(path)));
        }
    }
}
