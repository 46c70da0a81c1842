// SPDX-License-Identifier: Apache-2.0
//! Blocks of snapshots, by the EBS direct interface.

use snapscan_cloud::ebs::{BLOCK_BYTES, Block, BlockPage, GetSnapshotBlock, ListSnapshotBlocks};
use snapscan_cloud::{Error, Scope};

use crate::{Aws, classify};

impl Aws {
    pub(crate) async fn list_blocks(
        &self,
        scope: &Scope,
        request: ListSnapshotBlocks,
    ) -> Result<BlockPage, Error> {
        let action = "ebs:ListSnapshotBlocks";
        let client = aws_sdk_ebs::Client::new(&self.session_on(scope, Some(&request.snapshot)).await?);
        let most = i32::try_from(request.most.clamp(100, 10_000)).unwrap_or(10_000);
        let mut ask = client.list_snapshot_blocks().snapshot_id(request.snapshot.as_str()).max_results(most);
        ask = match request.token {
            Some(token) => ask.next_token(token),
            None => ask.starting_block_index(i32::try_from(request.start).unwrap_or(i32::MAX)),
        };
        let page = ask.send().await.map_err(|error| classify::ebs(action, &error))?;
        let block = |block: &aws_sdk_ebs::types::Block| {
            let index = block.block_index().and_then(|index| u64::try_from(index).ok());
            index
                .zip(block.block_token().map(str::to_owned))
                .ok_or_else(|| classify::missing(action, "index or token"))
        };
        Ok(BlockPage {
            blocks: page.blocks().iter().map(block).collect::<Result<_, _>>()?,
            token: page.next_token().map(str::to_owned),
            size_gib: page.volume_size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
            expires: page.expiry_time().map_or(0, |time| time.secs()),
        })
    }

    pub(crate) async fn get_block(&self, scope: &Scope, request: GetSnapshotBlock) -> Result<Block, Error> {
        let action = "ebs:GetSnapshotBlock";
        let index = i32::try_from(request.index);
        let index = index
            .map_err(|_| Error::of(action, "ValidationException/INVALID_BLOCK", request.index.to_string()))?;
        let client = aws_sdk_ebs::Client::new(&self.session_on(scope, Some(&request.snapshot)).await?);
        let ask = client.get_snapshot_block().snapshot_id(request.snapshot.as_str());
        let block = ask.block_index(index).block_token(request.token).send().await;
        let block = block.map_err(|error| classify::ebs(action, &error))?;
        let checksum = block.checksum().unwrap_or_default().to_owned();
        if block
            .data_length()
            .is_some_and(|length| usize::try_from(length).map_or(true, |length| length > BLOCK_BYTES))
        {
            return Err(classify::missing(action, "length that a block can have"));
        }
        let bytes = block.block_data.collect().await;
        let bytes = bytes
            .map_err(|error| Error::of(action, "Unreachable", format!("the answer was cut: {error}")))?;
        Ok(Block { bytes: bytes.to_vec(), checksum })
    }
}
