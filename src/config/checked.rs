// SPDX-License-Identifier: Apache-2.0
//! Whether each setting is known, of the right kind and in range: the second stage.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use snapscan_cloud::AccountId;

use super::effective::SecretFrom;
use super::keys::{KEYS, Kind, find};
use super::layers::Surroundings;
use super::suggest::suggest;
use super::value::{Value, read};
use super::written::{Origin, Raw, Written};
use super::{contradictions, keys::Key};
use crate::error::Failure;

/// Where each value comes from, for a person.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins {
    /// Each setting that has a value.
    pub(crate) rows: Vec<Row>,
}

/// One setting, for a person.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) name: String,
    /// Its value as it may be shown.
    pub(crate) value: String,
    /// Where it was written.
    pub(crate) origin: Origin,
    /// Where its value is fetched, if it is a secret.
    pub(crate) secret: Option<SecretFrom>,
}

/// Settings that are each as they should be, defaults filled in.
pub(crate) struct Checked {
    /// Values by name.
    pub(crate) values: BTreeMap<String, (Value, Origin)>,
    /// Accounts that something is written about.
    pub(crate) accounts: BTreeSet<AccountId>,
    /// Sinks that something is written about.
    pub(crate) sinks: BTreeSet<String>,
}

impl Checked {
    /// Checks what was written.
    ///
    /// # Errors
    /// All that is wrong, each with its place.
    pub(crate) fn check(written: Written, around: &Surroundings) -> Result<Self, Failure> {
        let mut problems = written.problems;
        let mut checked =
            Checked { values: BTreeMap::new(), accounts: BTreeSet::new(), sinks: BTreeSet::new() };
        for (name, setting) in &written.settings {
            let told = match find(name) {
                None => Err(unknown(name)),
                Some(key) => checked.take(key, name, &setting.raw, &setting.origin),
            };
            if let Err(problem) = told {
                problems.push(format!("{}: {problem}", setting.origin));
            }
        }
        checked.defaults(around);
        contradictions::find(&checked, &mut problems);
        if problems.is_empty() {
            return Ok(checked);
        }
        let what = match problems.len() {
            1 => "the configuration is not in order".to_owned(),
            many => format!("the configuration is not in order in {many} places"),
        };
        let help = "correct it; `snapscan doctor` shows each setting with the place that it comes from";
        Err(Failure { details: problems, ..Failure::usage(what, help) })
    }

    fn take(&mut self, key: &Key, name: &str, raw: &Raw, origin: &Origin) -> Result<(), String> {
        if let Some(middle) = key.middle(name) {
            if key.name.starts_with("accounts.") {
                let account = AccountId::parse(middle);
                self.accounts
                    .insert(account.ok_or_else(|| format!("{middle:?} is no account: twelve digits"))?);
            } else if is_name(middle) {
                self.sinks.insert(middle.to_owned());
            } else {
                return Err(format!(
                    "{middle:?} is no name of a sink: up to 32 small letters, digits and dashes"
                ));
            }
        }
        let value = read(key.kind, raw).map_err(|problem| format!("{name} {problem}"))?;
        self.values.insert(name.to_owned(), (value, origin.clone()));
        Ok(())
    }

    fn defaults(&mut self, around: &Surroundings) {
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            let names = match key.name.split_once('*') {
                None => vec![key.name.to_owned()],
                Some(_) => {
                    let csam =
                        |sink: &&String| self.text(&format!("sinks.{sink}.kind")).as_deref() == Some("csam");
                    self.sinks.iter().filter(csam).map(|sink| key.name.replace('*', sink)).collect()
                }
            };
            for name in names {
                // A default that its own kind refuses would be found by the first test.
                if let Ok(value) = read(key.kind, &Raw::Loose(key.default.to_owned())) {
                    self.default(&name, value);
                }
            }
        }
        self.default("state", Value::Text(around.state().display().to_string()));
        let state = PathBuf::from(self.text("state").unwrap_or_default());
        if self.text("cloud.kind").as_deref() == Some("local") {
            self.default("cloud.folder", Value::Text(state.join("cloud").display().to_string()));
            if self.sinks.is_empty() {
                self.sinks.insert("findings".to_owned());
                self.default("sinks.findings.kind", Value::Text("dir".to_owned()));
                self.default(
                    "sinks.findings.folder",
                    Value::Text(state.join("findings").display().to_string()),
                );
            }
        }
        if self.text("cloud.kind").as_deref() != Some("aws") {
            self.default("key", Value::Secret(SecretFrom::File(state.join("deployment.key"))));
        }
    }

    fn default(&mut self, name: &str, value: Value) {
        self.values.entry(name.to_owned()).or_insert((value, Origin::Default));
    }

    /// Where each value comes from.
    pub(crate) fn origins(&self) -> Origins {
        let row = |(name, (value, origin)): (&String, &(Value, Origin))| Row {
            name: name.clone(),
            value: shown(name, value),
            origin: origin.clone(),
            secret: if let Value::Secret(secret) = value { Some(secret.clone()) } else { None },
        };
        Origins { rows: self.values.iter().map(row).collect() }
    }

    /// Where a value was written; the default if nowhere.
    pub(crate) fn origin(&self, name: &str) -> Origin {
        self.values.get(name).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.values.get(name)? {
            (Value::Text(text), _) => Some(text.clone()),
            _ => None,
        }
    }

    /// A path.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// A number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        match self.values.get(name)? {
            (Value::Number(number), _) => Some(*number),
            _ => None,
        }
    }

    /// A duration.
    pub(crate) fn duration(&self, name: &str) -> Option<Duration> {
        match self.values.get(name)? {
            (Value::Duration(duration), _) => Some(*duration),
            _ => None,
        }
    }

    /// Yes or no; no if it is not written.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.values.get(name), Some((Value::Flag(true), _)))
    }

    /// Several words.
    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        match self.values.get(name) {
            Some((Value::Words(words), _)) => words.clone(),
            _ => Vec::new(),
        }
    }

    /// Where a secret is.
    pub(crate) fn secret(&self, name: &str) -> Option<SecretFrom> {
        match self.values.get(name)? {
            (Value::Secret(secret), _) => Some(secret.clone()),
            _ => None,
        }
    }
}

fn unknown(name: &str) -> String {
    let guess = suggest(name).map(|key| format!("; did you mean {key}?")).unwrap_or_default();
    format!("{name} is no setting{guess}")
}

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A value as a person may see it.
fn shown(name: &str, value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Flag(flag) => flag.to_string(),
        Value::Number(number) if name.starts_with("prices.") || name.ends_with("dollars_a_day") => {
            format!("{}.{:06} $", number / 1_000_000, number % 1_000_000)
        }
        Value::Number(number) if matches!(find(name).map(|key| key.kind), Some(Kind::Bytes(..))) => {
            match number {
                whole if whole % (1 << 20) == 0 => format!("{}MiB", whole >> 20),
                odd => format!("{odd}B"),
            }
        }
        Value::Number(number) => number.to_string(),
        Value::Duration(duration) => format!("{}s", duration.as_secs()),
        Value::Words(words) => words.join(", "),
        Value::Secret(secret) => format!("from {secret}"),
    }
}
