// SPDX-License-Identifier: Apache-2.0
//! Where findings go in a round, and what is wrong with how they came there: a stand-in for Qualys and a folder.
//!
//! Told from the requests as they came and from the folder's files alone: nothing of the outbox's marks is believed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::standin::{PASSWORD, Reply, SYNC, StandIn};
use super::world::World;

/// The call that gives a token.
const AUTH: &str = "/auth";
/// What Qualys may answer instead of the usual, by word: each passes, if the same is sent again.
const WEATHER: [&str; 9] = [
    "sync:reset",
    "sync:reset-after",
    "sync:cut",
    "sync:500",
    "sync:503",
    "sync:429",
    "sync:401",
    "auth:reset",
    "auth:503",
];
/// What every delivered folder has, in the order of its manifest.
const FILES: [&str; 4] = ["report.json", "findings.jsonl", "sbom.cdx.json", "delivery.json"];

/// Words of [`WEATHER`], one after the other, by chance.
pub(super) fn weather(mut chance: impl FnMut() -> u64) -> Vec<String> {
    let words = u64::try_from(WEATHER.len()).unwrap_or(1);
    let one = |drawn: u64| WEATHER.get(usize::try_from(drawn % words).unwrap_or(0)).copied();
    (0..chance() % 4).filter_map(|_| one(chance())).map(str::to_owned).collect()
}

/// Lets the stand-in answer so.
///
/// # Errors
/// A word that is none.
pub(super) fn script(standin: &StandIn, words: &[String]) -> Result<()> {
    for word in words {
        let (call, how) = word.split_once(':').context("weather is CALL:HOW, such as sync:503")?;
        let reply = match how {
            "reset" => Reply::Reset(false),
            "reset-after" => Reply::Reset(true),
            "cut" => Reply::Cut,
            "429" => Reply::Answer(429, vec![("X-RateLimit-ToWait-Sec", "7".to_owned())], String::new()),
            status => {
                Reply::Answer(status.parse().context("a status is a number")?, Vec::new(), String::new())
            }
        };
        standin.script(if call == "auth" { AUTH } else { SYNC }, [reply]);
    }
    Ok(())
}

/// What is wrong with folders that are there under their own name: each must be whole at any time.
pub(super) fn torn(findings: &Path) -> Vec<String> {
    let wrong = |folder: PathBuf| Some(format!("{} {}", folder.display(), is_torn(&folder)?));
    folders(findings).into_iter().filter(|folder| !is_unfinished(folder)).filter_map(wrong).collect()
}

/// What is wrong at the end: each report that was acked is at both places, once, and nothing half done is left.
pub(super) fn wrong(world: &World, parcels: &[Vec<u8>]) -> Vec<String> {
    let digests: BTreeSet<String> = parcels.iter().filter_map(|parcel| digest_of(parcel)).collect();
    let mut wrong = torn(&world.findings());
    wrong.extend(folder(&world.findings(), &digests));
    wrong.extend(requests(&world.standin, &digests));
    wrong
}

/// The folder's part of [`wrong`].
fn folder(findings: &Path, digests: &BTreeSet<String>) -> Vec<String> {
    let (unfinished, there): (Vec<PathBuf>, Vec<PathBuf>) =
        folders(findings).into_iter().partition(|folder| is_unfinished(folder));
    let mut wrong: Vec<String> =
        unfinished.iter().map(|folder| format!("{} is left half done", folder.display())).collect();
    if there.len() != 1 {
        wrong.push(format!("{} reports are in the folder and not one", there.len()));
    }
    for folder in there {
        let report = fs::read(folder.join("report.json")).unwrap_or_default();
        if !digests.contains(&sha256(&report)) {
            wrong.push(format!("{} holds what is not in the outbox", folder.display()));
        }
    }
    wrong
}

/// The stand-in's part of [`wrong`].
fn requests(standin: &StandIn, digests: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for seen in standin.seen(SYNC) {
        let Ok(body) = serde_json::from_str::<Value>(&seen.body) else {
            wrong.push("a request to Qualys has no JSON".to_owned());
            continue;
        };
        let id = text(&body, "/connectorMetaData/requestId");
        let first = bodies.entry(id.clone()).or_insert_with(|| seen.body.clone());
        if *first != seen.body {
            wrong.push(format!("request {id} came with other bytes than before"));
        }
        for asset in body["assetData"].as_array().into_iter().flatten() {
            let delivery = text(asset, "/coreAttributes/customConnectorAttributes/reportId");
            ids.entry(delivery).or_default().insert(id.clone());
            let digest = text(asset, "/coreAttributes/customConnectorAttributes/reportSha256");
            if !digests.contains(&digest) {
                wrong.push(format!("request {id} speaks of a report that is not in the outbox: {digest}"));
            }
        }
    }
    // One job of one machine is one delivery, and the stand-in keeps what it took.
    if ids.len() != 1 || standin.assets().len() != 1 {
        wrong.push(format!("Qualys was told of {} deliveries and took {:?}", ids.len(), standin.assets()));
    }
    let twice = ids.into_iter().filter(|(_, ids)| ids.len() > 1);
    wrong.extend(
        twice.map(|(delivery, ids)| format!("delivery {delivery} went in several requests: {ids:?}")),
    );
    wrong
}

/// Files in which a secret of the stand-in stands in the clear.
pub(super) fn told(world: &World) -> Vec<String> {
    let mut secrets = vec![PASSWORD.to_owned()];
    // A token's last part is its own; the others are the same for all.
    secrets
        .extend(world.standin.tokens().iter().filter_map(|token| Some(token.rsplit_once('.')?.1.to_owned())));
    let mut told = Vec::new();
    for file in walkdir::WalkDir::new(world.path()).into_iter().filter_map(Result::ok) {
        // Images are large, and nobody writes to them.
        if !file.file_type().is_file() || file.path().extension().is_some_and(|ending| ending == "img") {
            continue;
        }
        let Ok(bytes) = fs::read(file.path()) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        if secrets.iter().any(|secret| text.contains(secret)) {
            told.push(format!("a secret stands in {}", file.path().display()));
        }
    }
    told
}

/// What is wrong inside one folder.
fn is_torn(folder: &Path) -> Option<String> {
    let manifest = fs::read_to_string(folder.join("SHA256SUMS")).unwrap_or_default();
    let line = |name: &&str| {
        let bytes = fs::read(folder.join(name)).unwrap_or_default();
        format!("{}  {name}\n", sha256(&bytes))
    };
    let wanted: String = FILES.iter().map(line).collect();
    if manifest != wanted {
        return Some("does not agree with its manifest".to_owned());
    }
    let count = fs::read_dir(folder).map_or(0, Iterator::count);
    (count != FILES.len() + 1).then(|| format!("has {count} files"))
}

/// Folders of reports, below one folder a day.
fn folders(findings: &Path) -> Vec<PathBuf> {
    let below = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    below(findings).iter().flat_map(|day| below(day)).collect()
}

fn is_unfinished(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// The digest that a parcel gives for its report.
fn digest_of(parcel: &[u8]) -> Option<String> {
    let parcel: Value = serde_json::from_slice(parcel).ok()?;
    Some(text(&parcel, "/delivery/report_sha256"))
}

fn text(value: &Value, at: &str) -> String {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
