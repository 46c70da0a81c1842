// SPDX-License-Identifier: Apache-2.0
//! Files that lend somebody else's rights, or that everybody may change: SUID, SGID, capabilities, world-writable.
//!
//! Source: inode(7) for mode bits, capabilities(7) for the attribute `security.capability`.

use std::collections::BTreeMap;

use snapscan_disk::fs::FileType;
use snapscan_schema::{Evidence, Fact, Value};

use crate::{Extractor, Profile, Sink, Walk, sink::reason_of};

/// SUID and SGID files, file capabilities, world-writable files, of the whole tree.
pub const MODES: Extractor = Extractor {
    name: "modes",
    ecosystem: None,
    title: "SUID and SGID files, file capabilities, world-writable files",
    profile: Profile::Full,
    wants: &[],
    max_bytes: 0,
    run: |_, _, _| {},
    walk: Some(walk),
};

/// Set user id on execution.
const SUID: u32 = 0o4000;
/// Set group id on execution.
const SGID: u32 = 0o2000;
/// Only the owner may remove names from this folder.
const STICKY: u32 = 0o1000;
/// Everybody may write.
const WORLD_WRITE: u32 = 0o0002;
/// Somebody may execute.
const EXECUTE: u32 = 0o0111;

fn walk(met: &Walk<'_>, sink: &mut Sink<'_>) {
    let mode = met.metadata.mode;
    let mut kinds = Vec::new();
    let mut capability = None;
    match met.metadata.kind {
        FileType::File => {
            if mode & SUID != 0 {
                kinds.push("suid");
            }
            // Without the group's execute bit the SGID bit asks for mandatory locking.
            if mode & SGID != 0 && mode & 0o010 != 0 {
                kinds.push("sgid");
            }
            if mode & WORLD_WRITE != 0 {
                kinds.push("world-writable");
            }
            if mode & EXECUTE != 0 {
                capability = capability_of(met, sink);
                if capability.is_some() {
                    kinds.push("capability");
                }
            }
        }
        FileType::Directory if mode & WORLD_WRITE != 0 => {
            kinds.push(if mode & STICKY != 0 { "world-writable-sticky" } else { "world-writable" });
        }
        _ => {}
    }
    if kinds.is_empty() {
        return;
    }
    let mut values = BTreeMap::from([
        ("kinds".to_owned(), Value::List(kinds.into_iter().map(Into::into).collect())),
        ("mode".to_owned(), Value::Text(format!("{mode:04o}").into())),
        ("uid".to_owned(), Value::Number(met.metadata.uid.into())),
        ("gid".to_owned(), Value::Number(met.metadata.gid.into())),
        ("type".to_owned(), Value::Text(met.metadata.kind.letter().to_string().into())),
        ("links".to_owned(), Value::Number(met.metadata.links.into())),
    ]);
    values.extend(capability.map(|value| ("capability".to_owned(), value)));
    sink.fact(Fact {
        topic: "mode".into(),
        subject: met.path.into(),
        values,
        evidence: Evidence {
            volume: met.tree.volume(met.location.fs).into(),
            path: met.path.into(),
            ..Evidence::default()
        },
        escaped: Vec::new(),
    });
}

/// The permitted capabilities that the file grants, as the kernel numbers them.
fn capability_of(met: &Walk<'_>, sink: &mut Sink<'_>) -> Option<Value> {
    let xattrs = match met.tree.xattrs(met.location) {
        Ok(xattrs) => xattrs,
        Err(error) => {
            sink.problem(reason_of(&error), met.path, error.to_string());
            return None;
        }
    };
    let value = xattrs.into_iter().find(|xattr| xattr.name == b"security.capability")?.value;
    let word = |at: usize| value.get(at..)?.first_chunk().copied().map(u32::from_le_bytes);
    // vfs_cap_data: a revision with the effective bit, then pairs of permitted and inheritable words.
    let permitted = u64::from(word(4)?) | word(12).map_or(0, |high| u64::from(high).wrapping_shl(32));
    let set = (0_u32..64).filter(|bit| permitted & 1_u64.wrapping_shl(*bit) != 0);
    Some(Value::List(set.map(|bit| name(bit).into()).collect()))
}

/// Names of capabilities in the order of their numbers (linux/capability.h).
const NAMES: [&str; 41] = [
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];

fn name(bit: u32) -> String {
    let known = usize::try_from(bit).ok().and_then(|bit| NAMES.get(bit));
    known.map_or_else(|| format!("cap_{bit}"), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests;
