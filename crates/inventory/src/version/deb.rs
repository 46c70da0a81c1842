// SPDX-License-Identifier: Apache-2.0
//! The order of Debian's versions.
//!
//! Source: deb-version(7).

use std::cmp::Ordering;

/// Compares two versions `[epoch:]upstream[-revision]`; one that is not valid is compared as far as the same rules go.
pub fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let ((epoch_a, upstream_a, revision_a), (epoch_b, upstream_b, revision_b)) = (split(a), split(b));
    let epochs = number(epoch_a, epoch_b);
    epochs.then_with(|| part(upstream_a, upstream_b)).then_with(|| part(revision_a, revision_b))
}

/// Epoch, upstream version and revision; what is not there is empty, which compares as `0`.
fn split(version: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let (epoch, rest) = match memchr::memchr(b':', version) {
        Some(at) => (version.get(..at), version.get(at.saturating_add(1)..)),
        None => (None, Some(version)),
    };
    let rest = rest.unwrap_or_default();
    let (upstream, revision) = match memchr::memrchr(b'-', rest) {
        Some(at) => (rest.get(..at), rest.get(at.saturating_add(1)..)),
        None => (Some(rest), None),
    };
    (epoch.unwrap_or_default(), upstream.unwrap_or_default(), revision.unwrap_or_default())
}

/// Compares an upstream version or a revision: by turns what is no digit, then a number.
fn part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (words, numbers) =
            ((take(&mut a, false), take(&mut b, false)), (take(&mut a, true), take(&mut b, true)));
        let order = word(words.0, words.1).then_with(|| number(numbers.0, numbers.1));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// Takes the digits at the start, or all before them.
fn take<'a>(text: &mut &'a [u8], digits: bool) -> &'a [u8] {
    let end = text.iter().position(|byte| byte.is_ascii_digit() != digits).unwrap_or(text.len());
    let (taken, rest) = text.split_at_checked(end).unwrap_or((text, b""));
    *text = rest;
    taken
}

/// Letters sort before all else, and a tilde before everything, even the end.
fn word(a: &[u8], b: &[u8]) -> Ordering {
    let weight = |text: &[u8], at: usize| match text.get(at) {
        Some(b'~') => -1,
        None => 0,
        Some(&byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(&byte) => i32::from(byte).saturating_add(256),
    };
    let orders = (0..a.len().max(b.len())).map(|at| weight(a, at).cmp(&weight(b, at)));
    orders.into_iter().find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
}

/// Compares digits of any length as numbers.
pub(super) fn number(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (without_zeros(a), without_zeros(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|&&byte| byte == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::compare;

    const VERSIONS: &[&str] = &[
        "0",
        "1",
        "1.0",
        "1.0-0",
        "1.0-1",
        "1.0~rc1-1",
        "1.0~~",
        "1.0~",
        "1.0a",
        "1.0+b1",
        "1.0.1",
        "1.00",
        "01.0",
        "1:0",
        "0:1.0",
        "1.0-1+deb11u1",
        "1.0-1~bpo10+1",
        "1.10",
        "1.9",
        "1.0-a",
        "1.0-A",
        "7.6p2-4",
        "1.0-1ubuntu0.1",
        "2.36-9+deb12u14",
        "99999999999999999999",
        "99999999999999999998",
        "1-2-3",
        "1+",
        "1.",
    ];

    /// dpkg itself compares all pairs.
    #[test]
    fn every_pair_compares_as_dpkg_compares_it() {
        if std::process::Command::new("dpkg").arg("--version").output().is_err() {
            return eprintln!("there is no dpkg to compare with");
        }
        let mut script = String::new();
        for (at, a) in VERSIONS.iter().enumerate() {
            for b in &VERSIONS[at..] {
                script.push_str(&format!(
                    "if dpkg --compare-versions '{a}' lt '{b}'; then echo '{a} < {b}'; \
                     elif dpkg --compare-versions '{a}' eq '{b}'; then echo '{a} = {b}'; else echo '{a} > {b}'; fi\n"
                ));
            }
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), script).unwrap();
        let shell = std::process::Command::new("sh").arg(file.path()).output().unwrap();
        let answers = String::from_utf8(shell.stdout).unwrap();
        assert_eq!(answers.lines().count(), VERSIONS.len() * (VERSIONS.len() + 1) / 2);
        for line in answers.lines() {
            let [a, sign, b] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let ours = match compare(a.as_bytes(), b.as_bytes()) {
                std::cmp::Ordering::Less => "<",
                std::cmp::Ordering::Equal => "=",
                std::cmp::Ordering::Greater => ">",
            };
            assert_eq!(ours, sign, "{a} {b}");
            assert_eq!(
                compare(b.as_bytes(), a.as_bytes()),
                compare(a.as_bytes(), b.as_bytes()).reverse(),
                "{b} {a}"
            );
        }
    }
}
