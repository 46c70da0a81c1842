// SPDX-License-Identifier: Apache-2.0
//! What a partition's name and type add where content alone does not tell.

use super::place::{Level, Place};

/// Types of partitions that hold code for the firmware or boot loader and no filesystem.
///
/// Source: UEFI specification 5.3.3; the Linux "Discoverable Partitions Specification"; GRUB's manual, "BIOS
/// installation"; IBM PReP.
const WITHOUT_CONTENT: &[(&str, &str)] = &[
    ("21686148-6449-6e6f-744e-656564454649", "BIOS boot"),
    ("9e1a2d38-c612-4316-aa26-8b49521e5a8b", "PReP boot"),
    ("e3c9e316-0b5c-4db8-817d-f92df00215ae", "Microsoft reserved"),
    ("8da63339-0007-60c0-c436-083ac8230908", "Linux reserved"),
    ("fe3a2a5d-4f32-41a7-b725-accc3285a309", "ChromeOS kernel"),
    ("2e0a753d-9e48-43b0-8337-b15192cb1b5e", "ChromeOS reserved"),
    ("cab6e88e-abf3-4102-a07a-d4bb9be3c1d3", "ChromeOS firmware"),
    ("0x41", "PReP boot"),
];

/// The type of an EFI system partition, by either table.
const ESP: &[&str] = &["c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "0xef"];

/// What a partition's type says it is for, if that is something without a filesystem.
pub(super) fn kind_without_content(partition: &Place) -> Option<&'static str> {
    let kind = type_of(partition)?;
    WITHOUT_CONTENT.iter().find(|(guid, _)| *guid == kind).map(|(_, name)| *name)
}

/// True if a partition's type says that the firmware boots from it.
pub(super) fn is_esp(partition: &Place) -> bool {
    type_of(partition).is_some_and(|kind| ESP.contains(&kind))
}

fn type_of(partition: &Place) -> Option<&str> {
    if partition.level != Level::Partition {
        return None;
    }
    partition.type_id.as_deref()
}

/// True if two partition names are the halves of an A/B scheme: alike but for a last `A` or `B` (`ROOT-A`, `root_b`),
/// as ChromeOS, Flatcar (`USR-A`) and Bottlerocket (`BOTTLEROCKET-ROOT-A`) name theirs.
pub(super) fn is_pair(one: Option<&str>, other: Option<&str>) -> bool {
    let half = |name: &str| {
        let lower = name.to_ascii_lowercase();
        let stem = lower.strip_suffix(['a', 'b'])?;
        stem.ends_with(['-', '_']).then(|| (stem.to_owned(), lower.ends_with('a')))
    };
    match (one.and_then(half), other.and_then(half)) {
        (Some((stem, first)), Some((other_stem, second))) => stem == other_stem && first != second,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_pair;

    #[test]
    fn halves_of_an_ab_scheme_differ_in_their_last_letter_only() {
        assert!(is_pair(Some("BOTTLEROCKET-ROOT-A"), Some("BOTTLEROCKET-ROOT-B")));
        assert!(is_pair(Some("root_b"), Some("root_a")));
        for (one, other) in [("ROOT-A", "ROOT-A"), ("ROOT-A", "USR-B"), ("data", "datb"), ("a", "b")] {
            assert!(!is_pair(Some(one), Some(other)), "{one} {other}");
        }
        assert!(!is_pair(None, Some("ROOT-A")));
    }
}
