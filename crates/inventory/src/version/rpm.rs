// SPDX-License-Identifier: Apache-2.0
//! The order of rpm's versions.
//!
//! Source: rpm-version(7).

use std::cmp::Ordering;

use super::deb::number;

/// Compares two versions, or two releases: runs of digits and of letters, all else only separates them. A tilde sorts
/// before the end, a caret behind it and before anything else.
pub fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        a = after_separators(a);
        b = after_separators(b);
        match (a.first(), b.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                (a, b) = (rest(a), rest(b));
                continue;
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), _) => return Ordering::Less,
            (_, Some(b'^')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            _ => {}
        }
        let digits = a.first().is_some_and(u8::is_ascii_digit);
        let (run_a, run_b) = (run(&mut a, digits), run(&mut b, digits));
        // A number is newer than letters.
        let order = match (run_b.is_empty(), digits) {
            (true, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, true) => number(run_a, run_b),
            (false, false) => run_a.cmp(run_b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn rest(text: &[u8]) -> &[u8] {
    text.get(1..).unwrap_or_default()
}

fn after_separators(text: &[u8]) -> &[u8] {
    let is_separator = |byte: &u8| !byte.is_ascii_alphanumeric() && !matches!(byte, b'~' | b'^');
    let end = text.iter().take_while(|byte| is_separator(byte)).count();
    text.get(end..).unwrap_or_default()
}

/// Takes the digits, or the letters, at the start.
fn run<'a>(text: &mut &'a [u8], digits: bool) -> &'a [u8] {
    let belongs = |byte: &u8| if digits { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
    let end = text.iter().take_while(|byte| belongs(byte)).count();
    let (taken, left) = text.split_at_checked(end).unwrap_or((text, b""));
    *text = left;
    taken
}

#[cfg(test)]
mod tests {
    use super::compare;
    use std::cmp::Ordering;

    /// Pairs of rpm-version(7) and of rpm's own documentation.
    #[test]
    fn versions_compare_as_rpm_documents_it() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, expected) in [
            ("1.0", "1.0", Equal),
            ("1.0", "2.0", Less),
            ("2.0.1", "2.0", Greater),
            ("2.0.1a", "2.0.1", Greater),
            ("5.5p1", "5.5p10", Less),
            ("10xyz", "10.1xyz", Less),
            ("xyz10", "xyz10.1", Less),
            ("xyz.4", "8", Less),
            ("5.5p2", "5.6p1", Less),
            ("6.0.rc1", "6.0", Greater),
            ("10b2", "10a1", Greater),
            ("1.0010", "1.9", Greater),
            ("1.05", "1.5", Equal),
            ("2_0", "2.0", Equal),
            ("a+", "a_", Equal),
            ("+", "_", Equal),
            ("1.0~rc1", "1.0", Less),
            ("1.0~rc1~git123", "1.0~rc1", Less),
            ("1.0^", "1.0", Greater),
            ("1.0^git1", "1.0.1", Less),
            ("1.0^git1", "1.01", Less),
            ("1.0~rc1^git1", "1.0~rc1", Greater),
            ("1.0^git1~pre", "1.0^git1", Less),
            ("20101121", "20101122", Less),
        ] {
            assert_eq!(compare(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
            assert_eq!(compare(b.as_bytes(), a.as_bytes()), expected.reverse(), "{b} {a}");
        }
    }

    /// rpm itself compares all pairs; none has a dash, since its function also splits off a release.
    #[test]
    fn every_pair_compares_as_rpm_compares_it() {
        const VERSIONS: &[&str] = &[
            "1",
            "1.0",
            "1.0.1",
            "1.0a",
            "1.0~rc1",
            "1.0~",
            "1.0^",
            "1.0^git1",
            "1.0^git1~x",
            "1.01",
            "01",
            "a",
            "a1",
            "1a",
            "1.a",
            "1..1",
            "~",
            "^",
            "~~",
            "^^",
            "2.36",
            "10",
            "9",
            "A",
            "Z",
            "z",
            "1.0~~",
            "1.0^^",
            "1.0~^",
            "99999999999999999999",
            "99999999999999999998",
        ];
        let mut lua = String::from("%{lua:");
        for a in VERSIONS {
            for b in VERSIONS {
                lua.push_str(&format!(
                    "print('{a} ' .. rpm.vercmp('{a}','{b}') .. ' {b}' .. string.char(10)) "
                ));
            }
        }
        lua.push('}');
        let Ok(rpm) = std::process::Command::new("rpm").args(["--eval", &lua]).output() else {
            return eprintln!("there is no rpm to compare with");
        };
        let answers = String::from_utf8(rpm.stdout).unwrap();
        let answers: Vec<&str> = answers.lines().filter(|line| !line.trim().is_empty()).collect();
        assert_eq!(answers.len(), VERSIONS.len() * VERSIONS.len());
        for line in answers {
            let [a, sign, b] = line.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{line}") };
            let ours = match compare(a.as_bytes(), b.as_bytes()) {
                Ordering::Less => "-1",
                Ordering::Equal => "0",
                Ordering::Greater => "1",
            };
            assert_eq!(ours, sign, "{a} {b}");
        }
    }
}
