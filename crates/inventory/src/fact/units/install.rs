// SPDX-License-Identifier: Apache-2.0
//! The [Install] section of a unit file.
//!
//! Source: systemd.unit(5), systemd.syntax(7).

use super::super::lines::{continued, words};

/// What a unit says of its installation.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Install {
    /// Other names that it gets.
    aliases: Vec<Vec<u8>>,
    /// The instance of a template that is meant if none is named.
    default_instance: Vec<u8>,
    /// Something would be linked if it were enabled.
    pub(super) has_rules: bool,
    /// Other units would be enabled with it.
    pub(super) has_also: bool,
}

impl Install {
    /// Reads a unit file.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut install = Install::default();
        let (mut wanted, mut also) = (0_usize, 0_usize);
        let mut inside = false;
        for (_, line) in continued(text) {
            let line = line.trim_ascii();
            if line.starts_with(b"[") {
                inside = line == b"[Install]";
                continue;
            }
            if !inside || matches!(line.first(), None | Some(b'#' | b';')) {
                continue;
            }
            let Some(equals) = line.iter().position(|&byte| byte == b'=') else { continue };
            let Some((key, value)) = line.split_at_checked(equals) else { continue };
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            let count = words(value).count();
            // An empty value takes back what was said before.
            let sum = |before: usize| if count == 0 { 0 } else { before.saturating_add(count) };
            match key.trim_ascii() {
                b"Alias" if count == 0 => install.aliases.clear(),
                b"Alias" => install.aliases.extend(words(value).map(<[u8]>::to_vec)),
                b"WantedBy" | b"RequiredBy" | b"UpheldBy" => wanted = sum(wanted),
                b"Also" => also = sum(also),
                b"DefaultInstance" => install.default_instance = value.to_vec(),
                _ => {}
            }
        }
        install.has_rules = wanted > 0 || !install.aliases.is_empty();
        install.has_also = also > 0;
        install
    }

    /// True if enabling the unit makes a link of this name.
    pub(super) fn knows(&self, unit: &[u8], link: &[u8]) -> bool {
        let instance = || {
            let at = unit.windows(2).position(|two| two == b"@.")?.saturating_add(1);
            Some([unit.get(..at)?, &self.default_instance, unit.get(at..)?].concat())
        };
        self.aliases.iter().any(|alias| alias == link)
            || !self.default_instance.is_empty() && instance().is_some_and(|name| name == link)
    }
}
