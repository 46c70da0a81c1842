// SPDX-License-Identifier: Apache-2.0
//! What a call is about: the things that it names, for the log.

use crate::Call;

/// The ids of the things that a call would change, or make something of.
pub(super) fn subjects(call: &Call) -> Vec<String> {
    let one = |id: &str| vec![id.to_owned()];
    match call {
        Call::CreateSnapshots(call) => one(call.instance.as_str()),
        Call::CreateSnapshot(call) => one(call.volume.as_str()),
        Call::CopySnapshot(call) => one(call.source.as_str()),
        Call::CreateVolume(call) => one(call.snapshot.as_str()),
        Call::ShareSnapshot(call) => one(call.snapshot.id().as_str()),
        Call::UnshareSnapshot(call) => one(call.snapshot.id().as_str()),
        Call::DeleteSnapshot(call) => one(call.snapshot.id().as_str()),
        Call::AttachVolume(call) => one(call.volume.id().as_str()),
        Call::DetachVolume(call) => one(call.attachment.id().volume.as_str()),
        Call::DeleteVolume(call) => one(call.volume.id().as_str()),
        Call::ExtendLease(call) => message(&call.receipt),
        Call::DeleteMessage(call) => message(&call.receipt),
        Call::PutObject(call) => one(&call.key),
        Call::DeleteObject(call) => one(&call.key),
        Call::PutRow(call) => one(&call.key),
        Call::DeleteRow(call) => one(&call.key),
        Call::Protect(call) => one(call.instance.as_str()),
        _ => Vec::new(),
    }
}

/// The message of a receipt, as the log names it.
pub(super) fn message(receipt: &str) -> Vec<String> {
    receipt.split('.').next().map(|id| vec![id.to_owned()]).unwrap_or_default()
}
