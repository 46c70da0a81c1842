// SPDX-License-Identifier: Apache-2.0
//! What came of a round, told from the cloud's own log, its things and its outbox. Knows neither ledger nor ownership.

use std::collections::BTreeSet;
use std::fs;
use std::sync::PoisonError;

use anyhow::{Context, Result};
use serde_json::Value;
use snapscan_cloud::ec2::{DescribeShares, DescribeSnapshots, DescribeVolumes, Find};
use snapscan_cloud::local::{EventKind, events, spans};
use snapscan_cloud::{Cloud, Purpose, SnapshotId, VolumeId};

use super::delivery;
use super::serve::{Book, ask};
use super::world::{DECOYS, World, id, scope};

/// What is wrong after a round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Things that were made and are not gone, and files in which a secret stands.
    pub(super) leaked: Vec<String>,
    /// Messages that went before their report was safe, and reports that are missing or differ, in the outbox or where
    /// they are delivered to.
    pub(super) lost: Vec<String>,
    /// Decoys that changed, and calls that would have changed one.
    pub(super) foreign: Vec<String>,
}

impl Verdict {
    /// True if nothing is wrong.
    pub(super) fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

/// How the decoys look.
pub(super) fn decoys(world: &World) -> Result<Vec<String>> {
    let cloud = world.open()?;
    DECOYS.iter().map(|(id, account)| describe(world, &cloud, id, account)).collect()
}

/// Everything that the cloud says of a thing.
fn describe(world: &World, cloud: &Cloud, name: &str, account: &str) -> Result<String> {
    let scope = scope(account, Purpose::Release, "judge")?;
    let image = |folder: &str| {
        let file = fs::metadata(world.cloud_path().join(folder).join(format!("{name}.img")));
        file.map_or_else(
            |error| error.to_string(),
            |file| format!("{} {:?}", file.len(), file.modified().ok()),
        )
    };
    if name.starts_with("vol-") {
        let find = Find::Ids(vec![id::<VolumeId>(name)?]);
        let page = ask(world, cloud, &scope, DescribeVolumes { find, token: None })?;
        return Ok(format!("{name}: {:?} {}", page.items, image("volumes")));
    }
    let snapshot: SnapshotId = id(name)?;
    let find = Find::Ids(vec![snapshot.clone()]);
    let page = ask(world, cloud, &scope, DescribeSnapshots { find, token: None })?;
    let shares = ask(world, cloud, &scope, DescribeShares { snapshot });
    Ok(format!("{name}: {:?} {shares:?} {}", page.items, image("snapshots")))
}

/// Judges a round after all windows have passed. `before` are the decoys at its beginning; without a reference each
/// report will do.
pub(super) fn judge(
    world: &World,
    book: &Book,
    before: &[String],
    reference: Option<&Value>,
) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let log = events(&world.cloud_path())?;
    let is_decoy = |job: &str| job == "decoy";
    let mine = spans(&log).into_iter().filter(|span| !is_decoy(&span.job));
    verdict.leaked = mine.filter(|span| span.gone.is_none()).map(|span| span.id).collect();
    let mut messages: BTreeSet<&str> = BTreeSet::new();
    let mut is_safe = false;
    for event in &log {
        for name in &event.ids {
            match (event.action.as_str(), event.kind) {
                ("sqs:SendMessage", EventKind::Made) if name.starts_with("message-") => {
                    messages.insert(name);
                }
                ("sqs:DeleteMessage", EventKind::Gone) => {
                    messages.remove(name.as_str());
                    if messages.is_empty() && !is_safe {
                        verdict.lost.push(format!("{name} was deleted before a report was in the outbox"));
                    }
                }
                ("s3:PutObject", EventKind::Made) if name.starts_with("reports/") => {
                    match differs(world, name, reference)? {
                        None => is_safe = true,
                        Some(how) => verdict.lost.push(format!("{name} {how}")),
                    }
                }
                _ => {}
            }
        }
    }
    if !is_safe {
        verdict.lost.push("there is no report at the end".to_owned());
    }
    verdict.leaked.extend(delivery::told(world));
    verdict.lost.extend(delivery::wrong(world, &parcels(world)?));
    let after = decoys(world)?;
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
    verdict.foreign = changed.map(|(before, after)| format!("{before} became {after}")).collect();
    let cloud = world.open()?;
    let seen = book.lock().unwrap_or_else(PoisonError::into_inner);
    verdict.foreign.extend(seen.attempts.iter().cloned());
    for (name, account) in &seen.decoys {
        let shown = describe(world, &cloud, name, account)?;
        if !shown.contains("snapscan:intent") {
            verdict.foreign.push(format!("{name} is gone, or its tags are: {shown}"));
        }
    }
    Ok(verdict)
}

/// How a report in the outbox differs from the reference.
fn differs(world: &World, key: &str, reference: Option<&Value>) -> Result<Option<String>> {
    let Ok(bytes) = fs::read(world.cloud_path().join("outbox").join(key)) else {
        return Ok(Some("is not there any more".to_owned()));
    };
    let Ok(report) = report(&bytes) else { return Ok(Some("is no parcel".to_owned())) };
    Ok(reference.filter(|reference| **reference != report).map(|_| "is not the reference".to_owned()))
}

/// The report of a parcel, without what each run has of its own.
pub(super) fn report(parcel: &[u8]) -> Result<Value> {
    let mut parcel: Value = serde_json::from_slice(parcel)?;
    let report = parcel.get_mut("report").context("a parcel without a report")?;
    if let Some(header) = report.get_mut("header").and_then(Value::as_object_mut) {
        header.remove("run");
    }
    Ok(report.take())
}

/// The parcels in the outbox.
pub(super) fn parcels(world: &World) -> Result<Vec<Vec<u8>>> {
    let folder = world.cloud_path().join("outbox/reports");
    let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    files.filter(|file| file.file_type().is_file()).map(|file| Ok(fs::read(file.path())?)).collect()
}
