// SPDX-License-Identifier: Apache-2.0
//! Which settings there are: the one table, with kind, range and default of each.

/// What a setting's value is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A text that is not empty.
    Text,
    /// An absolute path.
    Path,
    /// True or false.
    Flag,
    /// A whole number, from and to.
    Count(u64, u64),
    /// A duration, from and to in seconds.
    Duration(u64, u64),
    /// A size, from and to in bytes.
    Bytes(u64, u64),
    /// Dollars.
    Dollars,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    Words,
    /// Where a secret is.
    Secret,
}

/// One setting.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its name; `*` stands for an account or a sink's name.
    pub(crate) name: &'static str,
    /// What its value is.
    pub(crate) kind: Kind,
    /// Its default as it would be written; empty if there is none.
    pub(crate) default: &'static str,
}

const fn key(name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key { name, kind, default }
}

const HOUR: u64 = 3600;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// All settings.
pub(crate) const KEYS: &[Key] = &[
    key("deployment", Kind::Text, "snapscan"),
    // Defaults of these depend on who runs the program: see `Surroundings`.
    key("state", Kind::Path, ""),
    key("key", Kind::Secret, ""),
    key("cloud.kind", Kind::Choice(&["local", "remote", "aws"]), "local"),
    key("cloud.folder", Kind::Path, ""),
    key("cloud.socket", Kind::Path, ""),
    key("cloud.region", Kind::Text, ""),
    key("cloud.endpoint", Kind::Text, ""),
    key("cloud.queue", Kind::Text, ""),
    key("cloud.dead", Kind::Text, ""),
    key("cloud.bucket", Kind::Text, ""),
    key("cloud.table", Kind::Text, ""),
    // For a stand-in behind cloud.endpoint, never for AWS itself.
    key("cloud.speed", Kind::Count(1, 10_000), ""),
    key("cloud.devices", Kind::Path, ""),
    key("accounts.*.role", Kind::Text, ""),
    key("accounts.*.external_id", Kind::Secret, ""),
    key("accounts.*.copy_key", Kind::Text, ""),
    key("agent.pending", Kind::Count(1, 10_000), "200"),
    key("agent.inspect", Kind::Count(1, 256), "2"),
    // SQS hides a message for at most 12 hours in all; below 30 s a heartbeat has no room for one retry.
    key("agent.lease", Kind::Duration(30, 12 * HOUR), "300s"),
    key("agent.margin", Kind::Duration(1, HOUR), "30s"),
    key("agent.drain", Kind::Duration(0, HOUR), "90s"),
    key("agent.deadline", Kind::Duration(60, 12 * HOUR - 600), "11h"),
    key("agent.report_room", Kind::Bytes(MIB, 64 * GIB), "256MiB"),
    key("agent.method", Kind::Choice(&["auto", "direct", "attach"]), "auto"),
    key("agent.reader", Kind::Choice(&["own", "kernel"]), "own"),
    key("agent.kernel_fallback", Kind::Flag, "false"),
    key("agent.local_root", Kind::Path, ""),
    key("agent.exclude_tags", Kind::Words, "snapscan:exclude"),
    key("agent.metrics", Kind::Path, ""),
    key("agent.scanners", Kind::Count(1, 10_000), "1"),
    key("sandbox.require", Kind::Choice(&["full", "possible"]), "full"),
    key("sandbox.memory", Kind::Bytes(64 * MIB, 64 * GIB), "256MiB"),
    key("sandbox.threads", Kind::Count(0, 256), "0"),
    key("limits.blocks_os", Kind::Count(1, 1 << 32), "4000"),
    key("limits.blocks_full", Kind::Count(1, 1 << 32), ""),
    key("limits.dollars_a_day", Kind::Dollars, "10"),
    key("sinks.*.kind", Kind::Choice(&["dir", "csam"]), ""),
    key("sinks.*.folder", Kind::Path, ""),
    key("sinks.*.subscription", Kind::Text, ""),
    key("sinks.*.pod", Kind::Text, ""),
    key("sinks.*.gateway", Kind::Text, ""),
    key("sinks.*.connector", Kind::Text, ""),
    key("sinks.*.user", Kind::Secret, ""),
    key("sinks.*.password", Kind::Secret, ""),
    key("sinks.*.client_id", Kind::Secret, ""),
    key("sinks.*.client_secret", Kind::Secret, ""),
    key("sinks.*.token", Kind::Secret, ""),
    // Nothing is documented; others send 50 to 100 assets in a call.
    key("sinks.*.batch_assets", Kind::Count(1, 1000), "50"),
    key("sinks.*.batch_bytes", Kind::Bytes(64 << 10, 64 * MIB), "4MiB"),
    // A message, and so a repeat of its report, may come for 14 days; its marks must still be there then.
    key("outbox.keep", Kind::Duration(15 * 24 * HOUR, 10 * 366 * 24 * HOUR), "30d"),
    key("prices.dated", Kind::Text, "2026-11-21"),
    key("prices.get_block_1000", Kind::Dollars, "0.003"),
    key("prices.list_blocks_1000", Kind::Dollars, "0.0006"),
    key("prices.snapshot_gib_month", Kind::Dollars, "0.05"),
    key("prices.volume_gib_month", Kind::Dollars, "0.08"),
];

/// The gateways of the public platforms, by name.
/// Source: the platform list of Qualys's SDKs; any other https URL is accepted as `gateway`.
pub(crate) const PODS: &[(&str, &str)] = &[
    ("US1", "https://gateway.qg1.apps.qualys.com"),
    ("US2", "https://gateway.qg2.apps.qualys.com"),
    ("US3", "https://gateway.qg3.apps.qualys.com"),
    ("US4", "https://gateway.qg4.apps.qualys.com"),
    ("EU1", "https://gateway.qg1.apps.qualys.eu"),
    ("EU2", "https://gateway.qg2.apps.qualys.eu"),
    ("EU3", "https://gateway.qg3.apps.qualys.it"),
    ("IN1", "https://gateway.qg1.apps.qualys.in"),
    ("CA1", "https://gateway.qg1.apps.qualys.ca"),
    ("AE1", "https://gateway.qg1.apps.qualys.ae"),
    ("UK1", "https://gateway.qg1.apps.qualys.co.uk"),
    ("AU1", "https://gateway.qg1.apps.qualys.com.au"),
    ("KSA1", "https://gateway.qg1.apps.qualysksa.com"),
];

impl Key {
    /// True if `name` is this setting, whatever stands for its `*`.
    pub(crate) fn is(&self, name: &str) -> bool {
        match self.name.split_once('*') {
            None => self.name == name,
            Some((before, after)) => name
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(after))
                .is_some_and(|middle| !middle.is_empty() && !middle.contains('.')),
        }
    }

    /// What stands for the `*` in `name`.
    pub(crate) fn middle<'a>(&self, name: &'a str) -> Option<&'a str> {
        let (before, after) = self.name.split_once('*')?;
        name.strip_prefix(before)?.strip_suffix(after)
    }
}

/// The setting of this name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.is(name))
}
