// SPDX-License-Identifier: Apache-2.0
//! Which files, variables and flags are read, and which of them wins.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::checked::{Checked, Origins};
use super::effective::Config;
use super::keys::KEYS;
use super::suggest::suggest;
use super::written::{Origin, Raw, Written};
use crate::error::Failure;

/// The folders, the weakest first: of files with equal names the later hides the earlier.
const FOLDERS: [&str; 3] = ["/usr/lib/snapscan/config.d", "/run/snapscan/config.d", "/etc/snapscan/config.d"];

/// Variables of ours that are no settings: what names one of these sections must be one.
const SECTIONS: [&str; 7] = ["CLOUD_", "ACCOUNTS_", "AGENT_", "SANDBOX_", "LIMITS_", "SINKS_", "PRICES_"];

/// What the command line says about configuration.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Flags {
    /// Read settings from *.toml in DIR and not from /usr/lib, /run and /etc; may be given again
    #[arg(long = "config", value_name = "DIR")]
    pub(crate) config: Vec<PathBuf>,
    /// Set one setting, such as agent.inspect=4; wins over files and environment
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

/// What is around the program: everything that the configuration depends on beside files and flags.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// The environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// True for root.
    pub(crate) root: bool,
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn here() -> Self {
        let text =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self {
            environment: std::env::vars_os().filter_map(text).collect(),
            root: nix::unistd::geteuid().is_root(),
        }
    }

    /// The folder of ledger, spool and key where none is configured.
    pub(crate) fn state(&self) -> PathBuf {
        let of = |name: &str| self.environment.get(name).filter(|path| path.starts_with('/'));
        // systemd may name several; the first is the unit's own.
        if let Some(folder) = of("STATE_DIRECTORY").and_then(|all| all.split(':').next()) {
            return PathBuf::from(folder);
        }
        if self.root {
            return PathBuf::from("/var/lib/snapscan");
        }
        match (of("XDG_STATE_HOME"), of("HOME")) {
            (Some(state), _) => Path::new(state).join("snapscan"),
            (None, Some(home)) => Path::new(home).join(".local/state/snapscan"),
            (None, None) => PathBuf::from("/var/lib/snapscan"),
        }
    }
}

impl Config {
    /// Reads, checks and settles the configuration.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place, in one failure.
    pub(crate) fn load(flags: &Flags) -> Result<(Config, Origins), Failure> {
        Self::load_in(flags, &Surroundings::here())
    }

    /// The same with other surroundings than those of this process.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place, in one failure.
    pub(crate) fn load_in(flags: &Flags, around: &Surroundings) -> Result<(Config, Origins), Failure> {
        Checked::check(written(flags, around), around).map(Checked::resolve)
    }
}

/// Everything that was written, the winning value of each setting.
fn written(flags: &Flags, around: &Surroundings) -> Written {
    let mut written = Written::default();
    let own: Vec<PathBuf> = FOLDERS.iter().map(PathBuf::from).collect();
    let folders = if flags.config.is_empty() { &own } else { &flags.config };
    let mut files = BTreeMap::new();
    for folder in folders {
        list(folder, !flags.config.is_empty(), &mut files, &mut written.problems);
    }
    for path in files.values() {
        match fs::read_to_string(path) {
            Ok(text) => written.document(path, &text),
            Err(error) => written.problems.push(format!("{}: {error}", path.display())),
        }
    }
    environment(&around.environment, &mut written);
    for set in &flags.set {
        match set.split_once('=') {
            Some((key, value)) => written.set(key, Raw::Loose(value.to_owned()), Origin::Flag),
            None => written.problems.push("--set takes KEY=VALUE, such as agent.inspect=4".to_owned()),
        }
    }
    written
}

/// Adds a folder's files by name; a later folder's hides an earlier one's.
fn list(folder: &Path, must: bool, files: &mut BTreeMap<OsString, PathBuf>, problems: &mut Vec<String>) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must => return,
        Err(error) => return problems.push(format!("{}: {error}", folder.display())),
    };
    for entry in entries {
        match entry {
            Ok(entry) if entry.path().extension().is_some_and(|end| end == "toml") => {
                files.insert(entry.file_name(), entry.path());
            }
            Ok(_) => {}
            Err(error) => problems.push(format!("{}: {error}", folder.display())),
        }
    }
}

fn environment(variables: &BTreeMap<String, String>, written: &mut Written) {
    for (variable, value) in variables {
        let Some(name) = variable.strip_prefix("SNAPSCAN_") else { continue };
        match setting(name) {
            Some(key) => {
                written.set(&key, Raw::Loose(value.clone()), Origin::Environment(variable.clone()));
            }
            None if SECTIONS.iter().any(|section| name.starts_with(section)) => {
                let guess = suggest(&name.to_ascii_lowercase().replacen('_', ".", 1));
                let guess =
                    guess.map(|key| format!("; did you mean {}?", variable_of(&key))).unwrap_or_default();
                written.problems.push(format!("environment: {variable} is no setting{guess}"));
            }
            None => {}
        }
    }
}

/// The variable that sets a setting.
fn variable_of(key: &str) -> String {
    format!("SNAPSCAN_{}", key.to_ascii_uppercase().replace('.', "_"))
}

/// The setting that a variable's name (without its prefix) sets.
fn setting(name: &str) -> Option<String> {
    KEYS.iter().find_map(|key| {
        let pattern = key.name.to_ascii_uppercase().replace('.', "_");
        let Some((before, after)) = pattern.split_once('*') else {
            return (pattern == name).then(|| key.name.to_owned());
        };
        let middle = name.strip_prefix(before)?.strip_suffix(after)?;
        // `_` in a variable stands for the `-` that a sink's name may have.
        let middle = middle.to_ascii_lowercase().replace('_', "-");
        (!middle.is_empty()).then(|| key.name.replace('*', &middle))
    })
}
