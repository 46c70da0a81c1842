// SPDX-License-Identifier: Apache-2.0
//! The order of Alpine's versions.
//!
//! Source: apk-package(5), "Package version": numbers with dots, a letter, suffixes, a commit, a revision.

use std::cmp::Ordering;

use super::deb::number;

/// Compares two versions `1.2.3a_rc1~0123abc-r4`. Parts that are not valid make a version older than one with a valid part
/// there.
pub fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (Parts { rest: a, first: true }, Parts { rest: b, first: true });
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) => order(x.as_ref(), y.as_ref()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// One part of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    /// Not valid.
    Invalid,
    /// The number before the first dot.
    First(&'a [u8]),
    /// A number behind a dot.
    Number(&'a [u8]),
    Letter(u8),
    /// How it is ranked, and its number: negative ones make the version older than one without them.
    Suffix(i32, &'a [u8]),
    Commit(&'a [u8]),
    Revision(&'a [u8]),
}

impl Part<'_> {
    /// The order of kinds: where one version has a number and the other a letter, the number is newer.
    fn rank(&self) -> u8 {
        match self {
            Part::Invalid => 0,
            Part::Revision(_) => 1,
            Part::Commit(_) => 2,
            Part::Suffix(..) => 3,
            Part::Letter(_) => 4,
            Part::Number(_) => 5,
            Part::First(_) => 6,
        }
    }

    /// True for `_rc1` and others that come before the version itself.
    fn is_before(&self) -> bool {
        matches!(self, Part::Suffix(rank, _) if *rank < 0)
    }
}

fn order(a: Option<&Part<'_>>, b: Option<&Part<'_>>) -> Ordering {
    match (a, b) {
        (Some(Part::First(x)), Some(Part::First(y))) | (Some(Part::Revision(x)), Some(Part::Revision(y))) => {
            number(x, y)
        }
        // Behind a dot a number with a zero in front is a fraction.
        (Some(Part::Number(x)), Some(Part::Number(y))) if x.starts_with(b"0") || y.starts_with(b"0") => {
            x.cmp(y)
        }
        (Some(Part::Number(x)), Some(Part::Number(y))) => number(x, y),
        (Some(Part::Letter(x)), Some(Part::Letter(y))) => x.cmp(y),
        (Some(Part::Suffix(x, n)), Some(Part::Suffix(y, m))) => x.cmp(y).then_with(|| number(n, m)),
        (Some(Part::Commit(x)), Some(Part::Commit(y))) => x.cmp(y),
        (Some(x), _) if x.is_before() => Ordering::Less,
        (_, Some(y)) if y.is_before() => Ordering::Greater,
        (x, y) => x.map(Part::rank).cmp(&y.map(Part::rank)),
    }
}

/// Cuts a version into its parts.
struct Parts<'a> {
    rest: &'a [u8],
    first: bool,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if std::mem::take(&mut self.first) {
            return Some(match self.digits() {
                b"" => Part::Invalid,
                digits => Part::First(digits),
            });
        }
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(match byte {
            b'.' => match self.digits() {
                b"" => self.invalid(),
                digits => Part::Number(digits),
            },
            b'a'..=b'z' => Part::Letter(byte),
            b'_' => self.suffix(),
            b'~' => {
                let end = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                Part::Commit(self.take(end))
            }
            b'-' if rest.first() == Some(&b'r') => {
                self.take(1);
                Part::Revision(self.digits())
            }
            _ => self.invalid(),
        })
    }
}

impl<'a> Parts<'a> {
    /// The known suffixes with their ranks.
    const SUFFIXES: [(&'static [u8], i32); 9] = [
        (b"alpha", -4),
        (b"beta", -3),
        (b"pre", -2),
        (b"rc", -1),
        (b"cvs", 1),
        (b"svn", 2),
        (b"git", 3),
        (b"hg", 4),
        (b"p", 5),
    ];

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, b""));
        self.rest = rest;
        taken
    }

    fn digits(&mut self) -> &'a [u8] {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.take(count)
    }

    fn suffix(&mut self) -> Part<'a> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        let word = self.take(count);
        match Self::SUFFIXES.iter().find(|(name, _)| *name == word) {
            Some((_, rank)) => Part::Suffix(*rank, self.digits()),
            None => self.invalid(),
        }
    }

    /// Nothing behind a part that is not valid is compared.
    fn invalid(&mut self) -> Part<'a> {
        self.rest = b"";
        Part::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::compare;
    use std::cmp::Ordering::{Equal, Greater, Less};

    /// By the rules of apk-package(5); each pair both ways.
    #[test]
    fn versions_compare_as_alpine_documents_it() {
        for (a, b, expected) in [
            ("1.0", "1.0", Equal),
            ("2.34", "0.1.0_alpha", Greater),
            ("1.0-r1", "1.0-r2", Less),
            ("1.0-r9", "1.0-r10", Less),
            ("1.0", "1.0-r1", Less),
            ("1.0_alpha", "1.0_beta", Less),
            ("1.0_beta", "1.0_pre", Less),
            ("1.0_pre", "1.0_rc", Less),
            ("1.0_rc1", "1.0", Less),
            ("1.0_rc1", "1.0_rc2", Less),
            ("1.0", "1.0_git20200101", Less),
            ("1.0_cvs", "1.0_svn", Less),
            ("1.0_git1", "1.0_p1", Less),
            ("1.0_p1", "1.0_p2", Less),
            ("1.0_p1", "1.0.1", Less),
            ("1.0a", "1.0b", Less),
            ("1.0", "1.0a", Less),
            ("1.0z", "1.0.1", Less),
            ("1.9", "1.10", Less),
            ("1.01", "1.1", Less),
            ("1.2", "1.2.0", Less),
            ("3.2.0-r16", "3.2.0-r22", Less),
            ("1.0_rc1-r5", "1.0-r0", Less),
        ] {
            assert_eq!(compare(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
            assert_eq!(compare(b.as_bytes(), a.as_bytes()), expected.reverse(), "{b} {a}");
        }
    }
}
