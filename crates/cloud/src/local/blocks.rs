// SPDX-License-Identifier: Apache-2.0
//! How the EBS direct interface answers: which blocks there are, and their bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::bytes::next_data;
use super::call::{Said, Turn, refuse};
use super::records::SnapshotRecord;
use super::store;
use super::world::GIB;
use crate::SnapshotId;
use crate::ebs::{BLOCK_BYTES, Block, BlockPage, GetSnapshotBlock, ListSnapshotBlocks};

/// Bytes of a block.
const BLOCK: u64 = 512 * 1024;

impl Turn<'_> {
    /// A token names the next index, with `+` before it if an empty page was given since, and the time of its end.
    pub(super) fn list_blocks(&self, call: &ListSnapshotBlocks) -> Said<BlockPage> {
        let snapshot = self.block_source(&call.snapshot)?;
        let latency = self.world.settings.latency;
        let (start, gave_empty) = match &call.token {
            None => (call.start, false),
            Some(token) => self.page_token(&call.snapshot, token)?,
        };
        let expires = self.after(latency.block_token);
        let mut page = BlockPage {
            size_gib: snapshot.size_gib,
            expires: store::signed(expires / 1000),
            ..BlockPage::default()
        };
        let ends = self.after(latency.page_token);
        let paging = self.world.settings.paging;
        if paging.empty && !gave_empty {
            page.token = Some(page_token(&call.snapshot, start, true, ends));
            return Ok(page);
        }
        let asked = call.most.clamp(100, 10_000) as usize;
        let most = if paging.blocks == 0 { asked } else { paging.blocks.min(asked) };
        let mut indices = written(&self.snapshot_path(&call.snapshot), start, snapshot.size_gib, most + 1)?;
        if indices.len() > most {
            let next = indices.pop().unwrap_or_default();
            page.token = Some(page_token(&call.snapshot, next, false, ends));
        }
        let token = |index| (index, block_token(&call.snapshot, index, expires));
        page.blocks = indices.into_iter().map(token).collect();
        Ok(page)
    }

    /// Whether the block may be read; its bytes are read after the transaction.
    pub(super) fn grant_block(&self, call: &GetSnapshotBlock) -> Said<Block> {
        self.block_source(&call.snapshot)?;
        let expires = call.token.split('.').next().and_then(|text| u64::from_str_radix(text, 16).ok());
        let good = expires.is_some_and(|expires| {
            expires > self.now && call.token == block_token(&call.snapshot, call.index, expires)
        });
        if !good {
            return refuse(
                "ValidationException/INVALID_BLOCK_TOKEN",
                format!("the token is not good for block {} of {}", call.index, call.snapshot),
            );
        }
        Ok(Block { bytes: Vec::new(), checksum: String::new() })
    }

    /// The snapshot, if its blocks may be read.
    fn block_source(&self, id: &SnapshotId) -> Said<SnapshotRecord> {
        let known: Option<SnapshotRecord> = store::get(self.tx, self.world, id.as_str())?;
        let Some(snapshot) = known.filter(|it| self.sees(it, it.visible)) else {
            return refuse(
                "ResourceNotFoundException/SNAPSHOT_NOT_FOUND",
                format!("The snapshot '{id}' does not exist."),
            );
        };
        if !self.is_shown(&snapshot) {
            return refuse(
                "AccessDeniedException/UNAUTHORIZED_ACCOUNT",
                format!("{id} belongs to another account"),
            );
        }
        if self.state(&snapshot) != "completed" || snapshot.tier != "standard" {
            let state = self.state(&snapshot);
            return refuse(
                "ValidationException/INVALID_SNAPSHOT_ID",
                format!("{id} is {state} ({})", snapshot.tier),
            );
        }
        let Some(arn) = &snapshot.key else { return Ok(snapshot) };
        if self.world.may_use(Some(arn), &self.scope.account) {
            return Ok(snapshot);
        }
        match self.world.keys.get(arn) {
            Some(key) if key.lets(&self.scope.account) => {
                refuse("ValidationException/INVALID_CUSTOMER_KEY", format!("{arn} is {}", key.state))
            }
            _ => refuse("AccessDeniedException/DEPENDENCY_ACCESS_DENIED", format!("{arn} may not be used")),
        }
    }

    /// The next index that a page's token names, and whether an empty page was given before it.
    fn page_token(&self, snapshot: &SnapshotId, token: &str) -> Said<(u64, bool)> {
        let mut parts = token.split('.');
        let mut number = || parts.next().and_then(|text| u64::from_str_radix(text, 16).ok());
        if let (Some(index), Some(empty), Some(ends)) = (number(), number(), number()) {
            let empty = empty == 1;
            if ends > self.now && page_token(snapshot, index, empty, ends) == token {
                return Ok((index, empty));
            }
        }
        refuse(
            "ValidationException/INVALID_PAGE_TOKEN",
            format!("the page token is not good for {snapshot} now"),
        )
    }

    /// Bytes of all blocks that a snapshot has.
    pub(super) fn written_bytes(&self, id: &SnapshotId) -> Option<u64> {
        let blocks = written(&self.snapshot_path(id), 0, u64::MAX / GIB, usize::MAX).ok()?;
        Some(u64::try_from(blocks.len()).unwrap_or(u64::MAX).saturating_mul(BLOCK))
    }
}

fn page_token(snapshot: &SnapshotId, index: u64, empty: bool, ends: u64) -> String {
    let text = format!("{index:x}.{}.{ends:x}", u8::from(empty));
    format!("{text}.{}", seal(&format!("{snapshot} page {text}")))
}

fn block_token(snapshot: &SnapshotId, index: u64, expires: u64) -> String {
    format!("{expires:x}.{}", seal(&format!("{snapshot} block {index} {expires}")))
}

/// What only this cloud would write after a token.
fn seal(text: &str) -> String {
    let digest = Sha256::digest(format!("a token of the local cloud: {text}"));
    URL_SAFE_NO_PAD.encode(digest.get(..15).unwrap_or_default())
}

/// Indices of blocks with data in them, from `start` on, at most so many.
fn written(path: &Path, start: u64, size_gib: u64, most: usize) -> io::Result<Vec<u64>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let all = size_gib.saturating_mul(GIB / BLOCK);
    let mut indices = Vec::new();
    let mut next = start;
    while let Some((data, hole)) = next_data(&file, next.saturating_mul(BLOCK))? {
        let end = hole.div_ceil(BLOCK).min(all);
        next = next.max(data / BLOCK);
        if next >= end {
            break;
        }
        while next < end {
            indices.push(next);
            next += 1;
            if indices.len() >= most {
                return Ok(indices);
            }
        }
    }
    Ok(indices)
}

/// The bytes of a block; what lies beyond the file is zero.
pub(super) fn read(folder: &Path, get: &GetSnapshotBlock) -> Said<Block> {
    let path = folder.join("snapshots").join(format!("{}.img", get.snapshot));
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return refuse(
                "ResourceNotFoundException/SNAPSHOT_NOT_FOUND",
                format!("{} is gone", get.snapshot),
            );
        }
        Err(error) => return Err(error.into()),
    };
    let mut bytes = vec![0; BLOCK_BYTES];
    let mut filled = 0;
    let start = get.index.saturating_mul(BLOCK);
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, start + store::unsigned(filled as i64))? {
            0 => break,
            some => filled += some,
        }
    }
    let checksum = STANDARD.encode(Sha256::digest(&bytes));
    Ok(Block { bytes, checksum })
}
