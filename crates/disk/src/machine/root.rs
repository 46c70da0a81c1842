// SPDX-License-Identifier: Apache-2.0
//! Which filesystem is the machine's root, by what lies in it.

use std::sync::Arc;

use crate::error::Result;
use crate::fs::FileSystem;
use crate::fs::path::MachinePath;
use crate::source::rounds::Rounds;

use super::glob::Match;
use super::resolve::Follow;
use super::tree::{Location, Tree};

/// Paths that mark the root of a system, with their weight. A link counts even if it leads nowhere yet: `/usr` may lie
/// on another filesystem.
const MARKS: &[(&str, u32)] = &[
    ("etc/os-release", 4),
    ("usr/lib/os-release", 4),
    ("etc/debian_version", 3),
    ("etc/redhat-release", 3),
    ("etc/fstab", 2),
    ("etc/passwd", 2),
    ("sbin/init", 2),
    ("bin/sh", 2),
    ("usr/bin/sh", 1),
    ("var/lib/dpkg/status", 1),
    ("var/lib/dpkg/status.d", 1),
    ("var/lib/rpm", 1),
    ("usr/lib/sysimage/rpm", 1),
    ("lib/apk/db/installed", 1),
];

/// The sum from which on a filesystem is taken for a system's root.
const ENOUGH: u32 = 4;

/// One filesystem that was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The sum of its marks.
    pub score: u32,
    /// The folder that is the root, where it is not the filesystem's own: an ostree deployment.
    pub deployment: Option<MachinePath>,
    /// Other deployments on it, that do not boot.
    pub spare: Vec<MachinePath>,
}

impl Candidate {
    /// True if it has the marks of a system.
    pub fn is_system(&self) -> bool {
        self.score >= ENOUGH
    }
}

/// Looks for the marks in the roots of filesystems, all together. On the way `hints` are brought into the caches:
/// patterns of what will be asked for once the root is known. `enter` is told the number of a filesystem before it is
/// looked at. `also` is called in each attempt, for what else can be
/// waited for meanwhile.
pub fn candidates(
    filesystems: &[Arc<dyn FileSystem>],
    hints: &[&[u8]],
    rounds: &Rounds,
    enter: &dyn Fn(usize),
    also: &mut dyn FnMut(),
) -> Vec<Candidate> {
    let mut hinted: Vec<Vec<&[u8]>> = filesystems.iter().map(|_| hints.to_vec()).collect();
    let trees: Vec<Tree> = filesystems.iter().map(|fs| Tree::new(Arc::clone(fs), b"".as_slice())).collect();
    let mut candidates: Vec<Option<Candidate>> = vec![None; trees.len()];
    let mut look = |last: bool| {
        for (number, (tree, candidate)) in trees.iter().zip(&mut candidates).enumerate() {
            if candidate.is_none() {
                enter(number);
                *candidate = match marks(tree) {
                    Ok(found) => Some(found),
                    Err(error) if error.is_not_resident() && !last => None,
                    // A root folder that cannot be read marks nothing; its own line says what is wrong.
                    Err(_) => Some(Candidate::default()),
                };
            }
        }
    };
    rounds.run(|| {
        look(false);
        for (number, (tree, hints)) in
            trees.iter().zip(&mut hinted).enumerate().filter(|(_, (_, hints))| !hints.is_empty())
        {
            enter(number);
            hints.retain(|hint| !tree.touch(hint));
        }
        also();
    });
    look(true);
    candidates.into_iter().map(Option::unwrap_or_default).collect()
}

fn marks(tree: &Tree) -> Result<Candidate> {
    let mut candidate = Candidate::default();
    let mut missing = None;
    for (path, weight) in MARKS {
        match tree.resolve(&MachinePath::from(*path), Follow::NotLast) {
            Ok(Some(_)) => candidate.score = candidate.score.saturating_add(*weight),
            Ok(None) => {}
            // Let every path miss what it misses before giving up, so that all of it is fetched at once.
            Err(error) => missing = Some(error),
        }
    }
    let deployments = deployments(tree)?;
    if let Some(error) = missing.filter(crate::Error::is_not_resident) {
        return Err(error);
    }
    if let Some((first, spare)) = deployments.split_first() {
        candidate.score = candidate.score.max(ENOUGH);
        candidate.deployment = Some(first.clone());
        candidate.spare = spare.to_vec();
    }
    Ok(candidate)
}

/// The deployments of an ostree system, the one that boots first.
///
/// Source: ostree's documentation, "Deployments": `/ostree/deploy/OS/deploy/CHECKSUM.SERIAL`; the boot loader's entry
/// names `/ostree/boot.N/OS/BOOTCHECKSUM/INDEX`, a link to the deployment.
fn deployments(tree: &Tree) -> Result<Vec<MachinePath>> {
    let found = glob(tree, "ostree/deploy/*/deploy/*.*")?;
    let is_folder = |kind| kind == crate::fs::FileType::Directory;
    let mut all: Vec<MachinePath> =
        found.into_iter().filter(|one| is_folder(one.at.metadata.kind)).map(|one| one.at.path).collect();
    if all.len() > 1 {
        let boots = booted(tree)?;
        all.sort_by_key(|path| (boots.as_ref() != Some(path), path.clone()));
    }
    Ok(all)
}

/// What a pattern finds; what is damaged finds nothing.
///
/// # Errors
/// Only that something is not there yet and is to be fetched first.
fn glob(tree: &Tree, pattern: &str) -> Result<Vec<Match>> {
    let globbed = tree.glob(pattern.as_bytes());
    match globbed.problems.into_iter().find(|(_, error)| error.is_not_resident()) {
        Some((_, error)) => Err(error),
        None => Ok(globbed.found),
    }
}

/// The deployment that the newest boot loader entry names.
fn booted(tree: &Tree) -> Result<Option<MachinePath>> {
    for pattern in ["boot/loader/entries/*.conf", "loader/entries/*.conf"] {
        for entry in glob(tree, pattern)?.iter().rev() {
            let content = tree.read_resolved(entry.at.clone(), 64 << 10)?;
            let text = String::from_utf8_lossy(&content.bytes).into_owned();
            let named = text.split_whitespace().find_map(|word| word.strip_prefix("ostree="));
            if let Some(at) = named.map(MachinePath::from)
                && let Some(folder) = tree.resolve(&at, Follow::Links)?
            {
                return Ok(Some(folder.path));
            }
        }
    }
    Ok(None)
}

/// Where the root folder of a chosen candidate lies.
///
/// # Errors
/// What resolving the deployment met.
pub fn location(tree: &Tree, candidate: &Candidate) -> Result<Location> {
    match &candidate.deployment {
        Some(path) => match tree.resolve(path, Follow::Links)? {
            Some(at) => Ok(at.location),
            None => Ok(tree.root()),
        },
        None => Ok(tree.root()),
    }
}
