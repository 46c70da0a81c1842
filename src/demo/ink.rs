// SPDX-License-Identifier: Apache-2.0
//! Colour, where somebody sees it: on a terminal that can, and not against `NO_COLOR`.

use std::ffi::OsString;
use std::io::IsTerminal;

/// How something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// A heading.
    Bold,
    /// Not important now.
    Dim,
    /// Under way.
    Blue,
    /// Something that waits for somebody.
    Yellow,
    /// As it should be.
    Green,
    /// As it should not be.
    Red,
}

/// What one of the two outputs takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink {
    /// Lines may be drawn over.
    pub(super) is_live: bool,
    /// Words may have a colour.
    pub(super) is_coloured: bool,
    /// Signs beyond ASCII are shown.
    pub(super) is_unicode: bool,
}

impl Ink {
    /// What this output takes, as the environment says.
    pub(super) fn of(output: &impl IsTerminal) -> Self {
        Self::when(output.is_terminal(), |name| std::env::var_os(name))
    }

    /// Sources: no-color.org: any value but an empty one forbids colour; terminfo(5): `dumb` cannot move its cursor;
    /// locale(7): the first of the three that is set counts.
    fn when(is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let is_live = is_terminal && set("TERM").is_some_and(|term| term != "dumb");
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let locale = locale.to_string_lossy().to_lowercase();
        Self {
            is_live,
            is_coloured: is_live && set("NO_COLOR").is_none(),
            is_unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    /// The text in this tone.
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.is_coloured {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Bold => "1",
            Tone::Dim => "2",
            Tone::Blue => "34",
            Tone::Yellow => "33",
            Tone::Green => "32",
            Tone::Red => "1;31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ink(is_terminal: bool, variables: &[(&str, &str)]) -> Ink {
        Ink::when(is_terminal, |name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn colour_is_for_a_terminal_that_can_and_was_not_told_otherwise() {
        let term = ("TERM", "xterm");
        assert_eq!(ink(true, &[term]).paint(Tone::Green, "yes"), "\x1b[32myes\x1b[0m");
        for plain in [
            ink(false, &[term]),
            ink(true, &[]),
            ink(true, &[("TERM", "dumb")]),
            ink(true, &[term, ("NO_COLOR", "1")]),
        ] {
            assert_eq!(plain.paint(Tone::Green, "no"), "no", "{plain:?}");
        }
        // An empty one says nothing; and who wants no colour may still want a picture that moves.
        assert!(ink(true, &[term, ("NO_COLOR", "")]).is_coloured);
        assert!(ink(true, &[term, ("NO_COLOR", "1")]).is_live);
    }

    #[test]
    fn signs_beyond_ascii_are_for_a_locale_that_has_them() {
        assert!(ink(true, &[("LANG", "C.UTF-8")]).is_unicode);
        assert!(!ink(true, &[("LANG", "C.UTF-8"), ("LC_ALL", "C")]).is_unicode);
        assert!(!ink(true, &[]).is_unicode);
    }
}
