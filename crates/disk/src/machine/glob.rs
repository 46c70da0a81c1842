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

/// What a pattern found, and what kept it from finding all.
#[derive(Debug, Default)]
pub struct Globbed {
    /// What matched and exists, links followed, sorted by the name that matched.
    pub found: Vec<Match>,
    /// Folders or names that could not be read, with the path as far as it was known.
    pub problems: Vec<(Vec<u8>, crate::Error)>,
    /// Names followed so far.
    names: usize,
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
            globbed.found.push(Match { name, at: here });
            return;
        };
        if here.metadata.kind != FileType::Directory {
            return;
        }
        let names = if component.contains(&b'*') {
            match self.names_in(here.location, component) {
                Ok(names) => names,
                Err(error) => {
                    globbed.problems.push((name, error));
                    return;
                }
            }
        } else {
            vec![component.to_vec()]
        };
        for one in names {
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

    /// Names in a folder that match one component, sorted.
    fn names_in(&self, folder: Location, component: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        let mut seen = 0_usize;
        self.entries(folder, &mut |entry: Result<(Entry, Location)>| {
            seen = seen.saturating_add(1);
            if let Ok((entry, location)) = entry
                && matches(component, &entry.name)
            {
                self.keep_name(folder, &entry.name, Some(location));
                names.push(entry.name);
            }
            if seen >= MOST_ENTRIES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if seen >= MOST_ENTRIES {
            return Err(crate::Error::Limit {
                what: "entries of a folder that a pattern looks at",
                limit: crate::bytes::wide(MOST_ENTRIES),
            });
        }
        names.sort();
        Ok(names)
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
    use super::matches;

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
