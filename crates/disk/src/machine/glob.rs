// SPDX-License-Identifier: Apache-2.0
//! Patterns of paths in which a star stands for a part of one name.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::fs::{Entry, FileType};

use super::resolve::{Follow, Resolved};
use super::tree::{Location, Tree};

/// Entries of one folder that a pattern looks at.
const MOST_ENTRIES: usize = 100_000;
/// Names that one pattern follows in all: folders of a damaged disk may hold each other.
const MOST_NAMES: usize = 1_000_000;
/// Paths that one pattern finds, about 500 bytes each: the largest real folder of packages seen has 3,000.
const MOST_FOUND: usize = 20_000;

/// Entries of one folder whose problems are kept.
const MOST_PROBLEMS: usize = 100;

/// What a pattern found, and what kept it from finding all.
#[derive(Debug, Default)]
pub struct Globbed {
    /// What matched and exists, links followed, sorted by the name that matched.
    pub found: Vec<Match>,
    /// Folders or names that could not be read, with the path as far as it was known.
    pub problems: Vec<(Vec<u8>, crate::Error)>,
    /// Names followed so far.
    names: usize,
    /// True once there is no room for what is found.
    is_full: bool,
}

/// One path that matched.
#[derive(Debug, Clone)]
pub struct Match {
    /// The path as it matched: links on the way are in it by their own names.
    pub name: Vec<u8>,
    /// What it leads to.
    pub at: Resolved,
}

impl Tree {
    /// All existing paths that match `pattern`: components from the root, in each of which `*` stands for any bytes but
    /// a slash. Names that begin with a dot match only a component that does.
    pub fn glob(&self, pattern: &[u8]) -> Globbed {
        let mut globbed = Globbed::default();
        let components: Vec<&[u8]> =
            pattern.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).collect();
        match self.start() {
            Ok(root) => self.descend(root, Vec::new(), &components, &mut globbed),
            Err(error) => globbed.problems.push((b"/".to_vec(), error)),
        }
        globbed
    }

    fn descend(&self, here: Resolved, name: Vec<u8>, left: &[&[u8]], globbed: &mut Globbed) {
        let Some((component, rest)) = left.split_first() else {
            if globbed.found.len() < MOST_FOUND {
                globbed.found.push(Match { name, at: here });
            } else if !globbed.is_full {
                globbed.is_full = true;
                let limit = crate::bytes::wide(MOST_FOUND);
                let error = crate::Error::Limit { what: "paths that one pattern finds", limit };
                globbed.problems.push((name, error));
            }
            return;
        };
        if here.metadata.kind != FileType::Directory {
            return;
        }
        let names = if component.contains(&b'*') {
            let (names, problems) = self.names_in(here.location, component);
            globbed.problems.extend(problems.into_iter().map(|error| (name.clone(), error)));
            names
        } else {
            vec![component.to_vec()]
        };
        for one in names {
            if globbed.is_full {
                return;
            }
            globbed.names = globbed.names.saturating_add(1);
            if globbed.names > MOST_NAMES {
                if globbed.names == MOST_NAMES.saturating_add(1) {
                    let limit = crate::bytes::wide(MOST_NAMES);
                    let error = crate::Error::Limit { what: "names that one pattern follows", limit };
                    globbed.problems.push((name, error));
                }
                return;
            }
            let mut path = name.clone();
            path.push(b'/');
            path.extend_from_slice(&one);
            match self.resolve_from(here.clone(), &one, Follow::Links) {
                Ok(Some(next)) => self.descend(next, path, rest, globbed),
                Ok(None) => {}
                Err(error) => globbed.problems.push((path, error)),
            }
        }
    }

    /// Names in a folder that match one component, sorted, with what kept others from being seen.
    fn names_in(&self, folder: Location, component: &[u8]) -> (Vec<Vec<u8>>, Vec<crate::Error>) {
        let mut names = Vec::new();
        let mut problems = Vec::new();
        let mut seen = 0_usize;
        let read = self.entries(folder, &mut |entry: Result<(Entry, Location)>| {
            seen = seen.saturating_add(1);
            match entry {
                Ok((entry, location)) if matches(component, &entry.name) => {
                    self.keep_name(folder, &entry.name, Some(location));
                    names.push(entry.name);
                }
                Ok(_) => {}
                Err(error) if problems.len() < MOST_PROBLEMS => problems.push(error),
                Err(_) => {}
            }
            if seen >= MOST_ENTRIES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        problems.extend(read.err());
        if seen >= MOST_ENTRIES {
            problems.push(crate::Error::Limit {
                what: "entries of a folder that a pattern looks at",
                limit: crate::bytes::wide(MOST_ENTRIES),
            });
        }
        names.sort();
        (names, problems)
    }
}

/// True if `name` matches a component with stars.
pub fn matches(component: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && component.first() != Some(&b'.') {
        return false;
    }
    let mut parts = component.split(|&byte| byte == b'*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    let mut ended = true;
    while let Some(part) = parts.next() {
        ended = false;
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let found = rest.windows(part.len().max(1)).position(|window| part.is_empty() || window == part);
        match found {
            Some(at) => rest = rest.get(at.saturating_add(part.len())..).unwrap_or_default(),
            None if part.is_empty() => {}
            None => return false,
        }
    }
    !ended || rest.is_empty()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{MOST_ENTRIES, MOST_FOUND, matches};
    use crate::Error;
    use crate::fs::mem::MemTree;
    use crate::machine::Tree;

    #[test]
    fn a_folder_of_200_000_names_is_looked_at_as_far_as_the_limits_go_and_says_so() {
        let mut tree = MemTree::builder();
        for number in 0..200_000 {
            tree = tree.file(format!("etc/many/{number:06}"), "");
        }
        let tree = Tree::new(Arc::new(tree.build().unwrap()), "disk");
        let globbed = tree.glob(b"etc/many/*");
        assert_eq!(globbed.found.len(), MOST_FOUND);
        let mut limits: Vec<u64> = globbed
            .problems
            .iter()
            .map(|(_, error)| match error {
                Error::Limit { limit, .. } => *limit,
                other => panic!("{other}"),
            })
            .collect();
        limits.sort_unstable();
        assert_eq!(limits, [MOST_FOUND as u64, MOST_ENTRIES as u64]);
    }

    #[test]
    fn a_star_stands_for_any_bytes_of_one_name() {
        for (pattern, name, is) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".conf", false),
            ("*.conf", "a.conf~", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("*", "", true),
            ("plain", "plain", true),
            ("plain", "plainer", false),
            ("a*a", "a", false),
            ("**x", "yx", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), is, "{pattern} {name}");
        }
    }
}
