// SPDX-License-Identifier: Apache-2.0
//! The times that the kernel's recovery writes by itself.
//!
//! A file with names on the orphan list was being cut off; ext4 finishes that when it mounts (`ext4_process_orphan` in
//! `fs/ext4/orphan.c`), and `ext4_truncate` then sets modification and change time to now. The size was on the disk
//! before, the times are the mount's and were never the machine's: a reader that writes nothing cannot have them.

use rustix::time::{ClockId, clock_gettime};
use snapscan_disk::fs::Timestamp;

use crate::compare::{Difference, Tree};

/// The clock by which the kernel stamps files; read it before a mount to know what the mount stamped.
pub(super) fn clock() -> Timestamp {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    Timestamp { seconds: now.tv_sec, nanos: u32::try_from(now.tv_nsec).unwrap_or(0) }
}

/// True if this is a time that the kernel wrote while it recovered, `mounting` being the clock before.
pub(super) fn is_by_recovery(difference: &Difference, kernel: &Tree, mounting: Timestamp) -> bool {
    matches!(difference.field, "mtime" | "ctime")
        && kernel
            .get(&difference.path)
            .is_some_and(|record| record.mtime == record.ctime && record.mtime >= mounting)
}

#[cfg(test)]
mod tests {
    use crate::compare::{Depth, differences, mounted};

    use super::*;

    /// Fields of `f` that differ and are not the recovery's, if the kernel shows these times and ours an hour before.
    fn left(mtime: i64, ctime: i64, mounting: i64) -> Vec<&'static str> {
        let at = |seconds| Timestamp { seconds, nanos: 5 };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("f"), "abc").unwrap();
        let mut kernel = mounted::read(folder.path(), Depth::Content).unwrap();
        let mut ours = kernel.clone();
        let (shown, read) =
            (kernel.get_mut(b"f".as_slice()).unwrap(), ours.get_mut(b"f".as_slice()).unwrap());
        (shown.mtime, shown.ctime) = (at(mtime), at(ctime));
        (read.mtime, read.ctime, read.size) = (at(mtime - 3600), at(ctime - 3600), 2);
        let all = differences(&kernel, &ours);
        let own = all.iter().filter(|difference| !is_by_recovery(difference, &kernel, at(mounting)));
        own.map(|difference| difference.field).collect()
    }

    #[test]
    fn only_equal_times_since_the_mount_are_the_recoverys_own() {
        assert_eq!(left(7000, 7000, 7000), ["size"]);
        assert_eq!(left(7000, 7000, 7001), ["ctime", "mtime", "size"]);
        assert_eq!(left(7000, 7002, 7000), ["ctime", "mtime", "size"]);
    }
}
