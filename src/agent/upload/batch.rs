// SPDX-License-Identifier: Apache-2.0
//! A batch: fixed and written down before it is sent, so that a repeat is the same request.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use snapscan_cloud::Timestamp;
use uuid::Uuid;

use crate::agent::boundary;

use super::Error;
use super::mark::{Member, NAMESPACE};
use super::store::Store;

/// What is sent in one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Batch {
    schema_version: u32,
    /// Its name: when its first ancestor was made, and the request id; so older ones are sent first.
    pub(super) id: String,
    /// The request id in the body.
    pub(super) request: String,
    /// The batch that it is half of.
    parent: Option<String>,
    /// Whom it speaks of, in the order of the body.
    pub(super) members: Vec<Member>,
    /// The exact bytes.
    pub(super) body: String,
}

impl Batch {
    /// Fixes a batch of machines, each with its JSON.
    pub(super) fn fix(sink: &str, connector: &str, at: Timestamp, machines: Vec<(Member, Value)>) -> Self {
        Self::made(sink, connector, &format!("{:012}", at.0.max(0)), None, machines)
    }

    fn made(
        sink: &str,
        connector: &str,
        age: &str,
        parent: Option<String>,
        machines: Vec<(Member, Value)>,
    ) -> Self {
        let (members, assets): (Vec<Member>, Vec<Value>) = machines.into_iter().unzip();
        let mut digest = Sha256::new();
        digest.update(format!("request\n{sink}\n{}\n", members.len()));
        members.iter().for_each(|member| digest.update(format!("{}\n", member.delivery)));
        assets.iter().for_each(|asset| digest.update(format!("{asset}\n")));
        let request = Uuid::new_v5(&NAMESPACE, &digest.finalize()).to_string();
        let body = json!({
            "connectorMetaData": {
                "requestId": request,
                "assetCount": assets.len(),
                "source": "WEBHOOK",
                "connectorUuid": connector,
            },
            "assetData": assets,
        });
        Self {
            schema_version: 1,
            id: format!("{age}-{request}"),
            request,
            parent,
            members,
            body: body.to_string(),
        }
    }

    /// Two halves of a batch of more than one; the same whenever it is asked.
    pub(super) fn halves(&self, sink: &str) -> Option<[Batch; 2]> {
        let body: Value = serde_json::from_str(&self.body).ok()?;
        let connector = body.pointer("/connectorMetaData/connectorUuid")?.as_str()?;
        let assets = body.get("assetData")?.as_array()?;
        let (age, _) = self.id.split_once('-')?;
        if assets.len() != self.members.len() || assets.len() < 2 {
            return None;
        }
        let mut first: Vec<_> = self.members.iter().cloned().zip(assets.iter().cloned()).collect();
        let second = first.split_off(first.len() / 2);
        let half = |machines| Self::made(sink, connector, age, Some(self.id.clone()), machines);
        Some([half(first), half(second)])
    }

    /// Writes it down.
    ///
    /// # Errors
    /// What the outbox answers.
    pub(super) async fn keep(&self, store: &Store, sink: &str) -> Result<(), Error> {
        store.write(&key(sink, &self.id), self).await
    }

    /// Writes its halves down, then forgets it; they are waiting from then on.
    ///
    /// # Errors
    /// What the outbox answers.
    pub(super) async fn split(&self, store: &Store, sink: &str, halves: &[Batch; 2]) -> Result<(), Error> {
        for half in halves {
            half.keep(store, sink).await?;
        }
        self.forget(store, sink).await
    }

    /// Removes it, once all its members have ended.
    ///
    /// # Errors
    /// What the outbox answers.
    pub(super) async fn forget(&self, store: &Store, sink: &str) -> Result<(), Error> {
        store.delete(&key(sink, &self.id)).await
    }
}

/// The batches of a sink that wait, the oldest first. One whose halving was cut off by a crash is halved to the end.
///
/// # Errors
/// What the outbox answers; `Broken` for one that cannot be read back.
pub(super) async fn waiting(store: &Store, sink: &str) -> Result<Vec<Batch>, Error> {
    let mut batches: Vec<Batch> = Vec::new();
    for name in store.list(&format!("batches/{sink}/")).await? {
        batches.extend(store.read::<Batch>(&name).await?);
    }
    let parents: Vec<String> = batches.iter().filter_map(|batch| batch.parent.clone()).collect();
    let (halved, mut whole): (Vec<_>, Vec<_>) =
        batches.into_iter().partition(|batch| parents.contains(&batch.id));
    for batch in &halved {
        let Some(halves) = batch.halves(sink) else { continue };
        batch.split(store, sink, &halves).await?;
        for half in halves {
            if whole.iter().all(|known| known.id != half.id) {
                whole.push(half);
            }
        }
    }
    if boundary::sabotaged("new-request-id-on-repeat") {
        for batch in &mut whole {
            batch.body = batch.body.replace(&batch.request, &Uuid::new_v4().to_string());
        }
    }
    whole.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(whole)
}

fn key(sink: &str, id: &str) -> String {
    format!("batches/{sink}/{id}.json")
}
