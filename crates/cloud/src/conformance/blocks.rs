// SPDX-License-Identifier: Apache-2.0
//! How blocks are listed and read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::case::{Cases, Failure, ensure, refused, same};
use super::stage::{Set, Stage};
use crate::ebs::{BLOCK_BYTES, GetSnapshotBlock, ListSnapshotBlocks};
use crate::{Class, Purpose, SnapshotId};

/// Pages of a list that are looked at.
const MOST_PAGES: usize = 10_000;

pub(super) async fn run(stage: &Stage<'_>, cases: &mut Cases, set: &Set) {
    let listed = cases.add("blocks are listed once each, ascending", "1.3", listed(stage, set).await);
    cases.add("blocks of an unknown snapshot are not found", "1.3", unknown(stage).await);
    let Some(listed) = listed else { return };
    cases.add("a list begins where it is told to", "1.3", from_the_middle(stage, set, &listed).await);
    cases.add("a block is 512 KiB with its SHA-256", "1.3", block(stage, set, &listed).await);
    cases.add("a wrong block token is told as such", "1.3", wrong_token(stage, set, &listed).await);
}

async fn all_blocks(stage: &Stage<'_>, set: &Set, start: u64) -> Result<Vec<(u64, String)>, Failure> {
    let scope = stage.target(Purpose::Read);
    let (mut all, mut token) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let list = ListSnapshotBlocks { snapshot: set.root.clone(), start, token, most: 100 };
        let page = stage.ask_patiently(&scope, list).await?;
        ensure(page.size_gib > 0, || "the volume has no size".to_owned())?;
        let now = stage.cloud.clock.now().0;
        ensure(page.expires > now, || format!("tokens expire at {}, before {now}", page.expires))?;
        all.extend(page.blocks);
        token = page.token;
        if token.is_none() {
            return Ok(all);
        }
    }
    Err(Failure(format!("the list has more than {MOST_PAGES} pages")))
}

async fn listed(stage: &Stage<'_>, set: &Set) -> Result<Vec<(u64, String)>, Failure> {
    let all = all_blocks(stage, set, 0).await?;
    ensure(!all.is_empty(), || "no block is listed".to_owned())?;
    let ascends = all.windows(2).all(|two| matches!(two, [(one, _), (next, _)] if one < next));
    ensure(ascends, || "not ascending".to_owned())?;
    Ok(all)
}

async fn from_the_middle(stage: &Stage<'_>, set: &Set, all: &[(u64, String)]) -> Result<(), Failure> {
    let Some((start, _)) = all.get(all.len() / 2) else { return Err(Failure("no block".to_owned())) };
    let rest = all_blocks(stage, set, *start).await?;
    let indexes = |blocks: &[(u64, String)]| blocks.iter().map(|(index, _)| *index).collect::<Vec<_>>();
    same(indexes(&rest), indexes(all.get(all.len() / 2..).unwrap_or_default()))
}

async fn block(stage: &Stage<'_>, set: &Set, all: &[(u64, String)]) -> Result<(), Failure> {
    for (index, token) in all.iter().take(3) {
        let get = GetSnapshotBlock { snapshot: set.root.clone(), index: *index, token: token.clone() };
        let block = stage.ask_patiently(&stage.target(Purpose::Read), get).await?;
        same(block.bytes.len(), BLOCK_BYTES)?;
        same(block.checksum, STANDARD.encode(Sha256::digest(&block.bytes)))?;
    }
    Ok(())
}

async fn wrong_token(stage: &Stage<'_>, set: &Set, all: &[(u64, String)]) -> Result<(), Failure> {
    let Some((index, _)) = all.first() else { return Err(Failure("no block".to_owned())) };
    let token = "AAABAVahm9SO60Dyi0ORySzn2ZjGjW".to_owned();
    let get = GetSnapshotBlock { snapshot: set.root.clone(), index: *index, token };
    let answer = stage.ask_patiently(&stage.target(Purpose::Read), get).await;
    refused(answer, Class::State, Some("ValidationException/INVALID_BLOCK_TOKEN"))
}

async fn unknown(stage: &Stage<'_>) -> Result<(), Failure> {
    let id = SnapshotId::parse("snap-0aaaaaaaaaaaaaaaa");
    let snapshot = id.ok_or_else(|| Failure("no id of a snapshot can be made".to_owned()))?;
    let list = ListSnapshotBlocks { snapshot, start: 0, token: None, most: 100 };
    refused(stage.ask_patiently(&stage.target(Purpose::Read), list).await, Class::NotFound, None)
}
