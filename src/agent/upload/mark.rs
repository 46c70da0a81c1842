// SPDX-License-Identifier: Apache-2.0
//! Which delivery is which, and how it ended.
//!
//! | name | says |
//! |---|---|
//! | `delivered/SINK/DELIVERY` | taken, or left out since a newer one was taken |
//! | `refused/SINK/DELIVERY` | put aside, with the answer |
//! | `done/SINK/REPORT` | this report needs no second look |
//! | row `latest/SINK/TARGET` | when the newest delivered snapshot of a target was begun |

use serde::{Deserialize, Serialize};
use snapscan_schema::outcome::Delivery;
use uuid::Uuid;

use super::Error;
use super::store::Store;

/// The namespace of our names (RFC 9562, version 5); drawn once.
pub(super) const NAMESPACE: Uuid = Uuid::from_u128(0x7b1f_52a4_93de_4c0b_a6a1_0d5e_7c28_e93f);

/// One delivery of one report to one sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    /// UUIDv5 of job, target and sink.
    pub(super) delivery: String,
    /// The report's name in the outbox.
    pub(super) report: String,
    /// UUIDv5 of the target.
    pub(super) target: String,
    /// By which the sink names the asset.
    pub(super) native: String,
    /// When its snapshot was begun, in seconds since 1970.
    pub(super) snapshot: Option<i64>,
}

/// How a delivery ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Mark {
    schema_version: u32,
    report: String,
    outcome: String,
    detail: String,
    at: i64,
}

/// How a delivery ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The sink took it, in this request.
    Delivered(String),
    /// Something newer of the same target was delivered before.
    Superseded,
    /// The sink refused it, with this answer.
    Refused(String),
}

impl Member {
    /// The delivery of a parcel to a sink.
    pub(super) fn new(sink: &str, report: &str, delivery: &Delivery, native: String) -> Self {
        let target = target(delivery);
        let text = format!("delivery\n{}\n{target}\n{sink}", delivery.job);
        Self {
            delivery: Uuid::new_v5(&NAMESPACE, text.as_bytes()).to_string(),
            report: report.to_owned(),
            target,
            native,
            snapshot: delivery.snapshot_started.map(|time| time.0),
        }
    }

    /// A delivery of what cannot be read, named by its report alone.
    pub(super) fn unreadable(report: &str) -> Self {
        let id = Uuid::new_v5(&NAMESPACE, format!("unreadable\n{report}").as_bytes()).to_string();
        Self {
            delivery: id.clone(),
            report: report.to_owned(),
            target: id,
            native: String::new(),
            snapshot: None,
        }
    }
}

fn target(delivery: &Delivery) -> String {
    // A target serializes to text without fail: strings and an enum.
    let target = serde_json::to_string(&delivery.target).unwrap_or_default();
    let place = |part: &Option<String>| part.clone().unwrap_or_default();
    let text = format!("target\n{}\n{}\n{target}", place(&delivery.account), place(&delivery.region));
    Uuid::new_v5(&NAMESPACE, text.as_bytes()).to_string()
}

/// The name of the mark that a report needs no second look.
pub(super) fn done(sink: &str, report: &str) -> String {
    format!("done/{sink}/{}", report.strip_prefix("reports/").unwrap_or(report))
}

/// Writes down how a delivery ended: first the end itself, then that its report is done.
///
/// # Errors
/// What outbox and table answer.
pub(super) async fn end(store: &Store, sink: &str, member: &Member, end: &End) -> Result<(), Error> {
    let (folder, outcome, detail) = match end {
        End::Delivered(request) => ("delivered", "delivered", request.clone()),
        End::Superseded => ("delivered", "superseded", String::new()),
        End::Refused(answer) => ("refused", "refused", answer.clone()),
    };
    if let (End::Delivered(_), Some(snapshot)) = (end, member.snapshot) {
        raise(store, sink, &member.target, snapshot).await?;
    }
    let mark = Mark {
        schema_version: 1,
        report: member.report.clone(),
        outcome: outcome.to_owned(),
        detail,
        at: store.now().0,
    };
    store.write(&format!("{folder}/{sink}/{}", member.delivery), &mark).await?;
    store.write(&done(sink, &member.report), &member.delivery).await
}

/// True if this delivery has ended already, whatever report it was made of.
///
/// # Errors
/// What the outbox answers.
pub(super) async fn has_ended(store: &Store, sink: &str, member: &Member) -> Result<bool, Error> {
    for folder in ["delivered", "refused"] {
        if store.get(&format!("{folder}/{sink}/{}", member.delivery)).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// When the newest delivered snapshot of a target was begun.
///
/// # Errors
/// What the table answers.
pub(super) async fn latest(store: &Store, sink: &str, target: &str) -> Result<Option<i64>, Error> {
    let row = store.row(&format!("latest/{sink}/{target}")).await?;
    Ok(row.and_then(|row| row.value.parse().ok()))
}

/// Notes a delivered snapshot, unless a newer one is noted.
async fn raise(store: &Store, sink: &str, target: &str, snapshot: i64) -> Result<(), Error> {
    let key = format!("latest/{sink}/{target}");
    let row = store.row(&key).await?;
    if row.as_ref().and_then(|row| row.value.parse::<i64>().ok()).is_some_and(|known| known >= snapshot) {
        return Ok(());
    }
    // Only the uploader writes here: a lost race means a lost lease, which ends the round.
    store.put_row(&key, snapshot.to_string(), row.map(|row| row.version), None).await?;
    Ok(())
}
