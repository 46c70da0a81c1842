// SPDX-License-Identifier: Apache-2.0
//! Sizes of files: one idea a file, and maps that stay maps (INV-17).

use super::Source;

/// Lines of a file without its tests.
const MOST_LINES: usize = 400;
/// Lines of a `lib.rs`, which is a map.
const MOST_LINES_OF_A_MAP: usize = 120;

/// Files that may be longer, each with its reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Names that say nothing of an idea.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helpers", "common", "imp", "misc"];

pub(super) fn check(sources: &[Source], problems: &mut Vec<String>) {
    for source in sources {
        let path = source.path.display().to_string();
        let stem = source.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if EMPTY_NAMES.contains(&stem) {
            problems.push(format!("{path}: the name says nothing of the idea"));
        }
        if !source.text.starts_with("// SPDX-License-Identifier: Apache-2.0\n") {
            problems.push(format!("{path}: does not begin with its SPDX line"));
        }
        if source.is_test() || EXCEPTIONS.iter().any(|(name, _)| path == *name) {
            continue;
        }
        let lines = source.code().count();
        if lines > MOST_LINES {
            problems.push(format!("{path}: {lines} lines, the cap is {MOST_LINES}: split it by idea"));
        }
        if stem == "lib" && lines > MOST_LINES_OF_A_MAP {
            problems.push(format!("{path}: {lines} lines, a map has at most {MOST_LINES_OF_A_MAP}"));
        }
        if !source.text.lines().nth(1).is_some_and(|line| line.starts_with("//! ") || line.starts_with("#!"))
        {
            problems.push(format!("{path}: does not say in its second line what it is"));
        }
    }
}
