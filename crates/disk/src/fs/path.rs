// SPDX-License-Identifier: Apache-2.0
//! Paths inside a machine: bytes, never a path of the scanning host.

use std::fmt;

/// An absolute path inside a machine, without `.`, `..`, doubled or trailing slashes. The root is `/`.
///
/// It is bytes and not `std::path::Path`, so that a host path cannot be passed by mistake and a name that is not UTF-8
/// survives.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachinePath(Vec<u8>);

impl MachinePath {
    /// The root folder.
    pub fn root() -> Self {
        MachinePath(b"/".to_vec())
    }

    /// Reads a path, absolute or taken from the root; `.` and empty components vanish, `..` goes up and stops at the
    /// root. This is text only: symbolic links are the resolver's matter.
    pub fn new(path: impl AsRef<[u8]>) -> Self {
        let mut clean = MachinePath::root();
        for component in path.as_ref().split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => clean = clean.parent(),
                name => clean = clean.join(name),
            }
        }
        clean
    }

    /// The path of `name` in this folder. The name is taken as it stands.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        let mut path = self.0.clone();
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        MachinePath(path)
    }

    /// The folder that holds this; the root's is the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        let cut = self.0.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        MachinePath(self.0.get(..cut.max(1)).unwrap_or(b"/").to_vec())
    }

    /// The last component; empty for the root.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }

    /// The components from the root.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|component| !component.is_empty())
    }

    /// The bytes, with the leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes without the leading slash; empty for the root.
    pub fn relative(&self) -> &[u8] {
        self.0.get(1..).unwrap_or_default()
    }

    /// True if this is `other` or lies beneath it.
    pub fn is_at_or_below(&self, other: &MachinePath) -> bool {
        match self.0.strip_prefix(other.as_bytes()) {
            Some(rest) => rest.is_empty() || rest.first() == Some(&b'/') || other.0 == b"/",
            None => false,
        }
    }
}

impl fmt::Debug for MachinePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl From<&str> for MachinePath {
    fn from(path: &str) -> Self {
        MachinePath::new(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_slashes_are_cleaned_and_never_leave_the_root() {
        for (from, to) in [("", "/"), ("a//b/./c/", "/a/b/c"), ("/a/../../../etc", "/etc"), ("/..", "/")] {
            assert_eq!(MachinePath::new(from).as_bytes(), to.as_bytes());
        }
    }

    #[test]
    fn below_means_whole_components() {
        let usr = MachinePath::from("/usr");
        assert!(MachinePath::from("/usr/lib").is_at_or_below(&usr));
        assert!(!MachinePath::from("/usrlocal").is_at_or_below(&usr));
        assert!(usr.is_at_or_below(&MachinePath::root()));
    }
}
