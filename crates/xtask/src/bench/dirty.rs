// SPDX-License-Identifier: Apache-2.0
//! Dirty copies of the bench images: what a snapshot of a busy machine looks like.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::steps::run;

/// Makes `debian-KIND-dirty.img` from `debian-KIND-gpt.img`: its root is mounted, written to by many small changes
/// that reach the log, and stopped before they reach their places.
pub(super) fn make(folder: &Path, kind: &str) -> Result<()> {
    // The root partition begins here in the bench images (sector 208896).
    const OFFSET: u64 = 208_896 * 512;
    let clean = folder.join(format!("debian-{kind}-gpt.img"));
    let dirty = folder.join(format!("debian-{kind}-dirty.img"));
    let options = if kind == "ext4" { ",commit=3600" } else { "" };
    let script = format!(
        r#"
        work=$(mktemp -d); mount=$(mktemp -d)
        trap 'umount "$mount" 2>/dev/null || true; rm -rf "$work"; rmdir "$mount"' EXIT
        cp --sparse=always '{clean}' '{dirty}.busy'
        mount -o loop,offset={OFFSET}{options} '{dirty}.busy' "$mount"
        mkdir "$mount/srv/load"
        for round in $(seq 20); do
          for n in $(seq 400); do echo "$round $n" >"$mount/srv/load/$round-$n"; done
          xfs_io -c fsync "$mount/srv/load/$round-1"
          rm -f "$mount/srv/load/$((round - 5))"-*
        done
        chmod 600 "$mount/etc/hostname"; mv "$mount/etc/issue" "$mount/etc/issue.moved"
        xfs_io -c fsync "$mount/etc/hostname"
        xfs_io -x -c 'shutdown -f' "$mount"
        cp --sparse=always '{dirty}.busy' '{dirty}'
        # A filesystem that was shut down may answer its unmount with an error.
        umount "$mount" || umount --lazy "$mount" || true
        rm '{dirty}.busy'
        "#,
        clean = clean.display(),
        dirty = dirty.display(),
    );
    run(Command::new("bash").args(["-euo", "pipefail", "-c", &script]))
}
