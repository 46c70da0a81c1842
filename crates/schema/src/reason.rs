// SPDX-License-Identifier: Apache-2.0
//! Every reason code that a report can carry, with its text: the one table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::coverage::{Status, Weight};

/// What one code means, for people.
#[derive(Debug, Clone, Copy)]
pub struct Explanation {
    /// The code, as it stands in reports.
    pub code: &'static str,
    /// The status that a coverage line with this code has; `None` for notes, which leave the status alone.
    pub status: Option<Status>,
    /// Whether such a line counts for the status of its parent and for the exit code, unless it says otherwise.
    pub weight: Weight,
    /// One sentence fragment, lower case.
    pub text: &'static str,
    /// What that means for the report.
    pub meaning: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $code:literal $status:ident $weight:ident $text:literal $meaning:literal $remedy:literal;)*) => {
        /// Why a part of a machine was not read whole, or what is to be known about how it was read.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[expect(missing_docs, reason = "the table below is the documentation: `snapscan explain CODE` prints it")]
        pub enum Reason { $(#[serde(rename = $code)] $name,)* }

        impl Reason {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// The table's row of this code.
            pub fn explain(self) -> Explanation {
                match self {
                    $(Reason::$name => Explanation {
                        code: $code, status: status!($status), weight: Weight::$weight,
                        text: $text, meaning: $meaning, remedy: $remedy,
                    },)*
                }
            }
        }
    };
}

macro_rules! status {
    (Note) => {
        None
    };
    ($status:ident) => {
        Some(Status::$status)
    };
}

reasons! {
    // Notes: the status stays what it is.
    Absent "ABSENT" Note Neutral "looked for, not there"
        "The extractor looked in every place it knows and the machine has no such thing." "Nothing.";
    BackupGptUsed "BACKUP_GPT_USED" Note Neutral "the backup partition table was used"
        "The first GPT header or its entries are damaged; the copy at the end of the disk is whole and was used."
        "Repair the table on the machine (sgdisk --verify, then w).";
    BackupSuperblockUsed "BACKUP_SUPERBLOCK_USED" Note Neutral "a copy of the superblock was used"
        "The filesystem's first superblock is damaged; one of its copies was used." "Check the filesystem on the machine.";
    HybridTable "HYBRID_TABLE" Note Neutral "GPT and MBR name the same partitions"
        "The MBR beside the GPT lists some of its partitions. The GPT was used." "Nothing.";
    JournalReplayed "JOURNAL_REPLAYED" Note Neutral "the journal was replayed in memory"
        "The filesystem was in use when the image was taken. What its journal held was applied while reading, nothing was written."
        "Nothing.";
    RootChosen "ROOT_CHOSEN" Note Neutral "how the root was chosen among several"
        "The disks offer more than one folder or filesystem as the machine's root; the detail says which was taken." "Nothing.";
    GroupNoted "GROUP_NOTED" Note Neutral "something odd in a volume group"
        "Duplicate ids or older metadata were met and the newest was used." "Look at the group with vgs and pvs on the machine.";
    NotMounted "NOT_MOUNTED" Note Neutral "no entry of fstab names this filesystem"
        "The filesystem was readable, but the machine does not mount it by fstab, so it is not part of its tree."
        "With --profile full it is walked as a tree of its own.";
    IndexIgnored "INDEX_IGNORED" Note Neutral "a folder's index did not agree with its entries"
        "The hashed index of a folder missed an entry that a scan of the folder found. The scan was used."
        "Check the filesystem on the machine (e2fsck -D, xfs_repair -n).";
    ChecksumMismatch "CHECKSUM_MISMATCH" Note Neutral "a metadata checksum does not match, the content was plausible"
        "A block's checksum is wrong although its content could be read." "Check the filesystem on the machine.";
    TotalsStale "TOTALS_STALE" Note Neutral "a stored total differs from what was counted"
        "Writers of this format leave their totals stale; every record that the structure promises was reached." "Nothing.";
    SecondDatabase "SECOND_DATABASE" Note Neutral "another database of the same tool lies beside the live one"
        "An older database format was left in the same folder. The live one was read, the other was not merged into it."
        "Nothing; remove the old one if it is in the way.";
    ForeignTool "FOREIGN_TOOL" Note Neutral "a package tool that is not the distribution's own has no database"
        "Traces of a foreign package tool exist, but nothing was installed with it." "Nothing.";
    NotInstalled "NOT_INSTALLED" Note Neutral "packages that are known but not installed were left out"
        "Removed but not purged packages, or ones only selected, are no findings; the line says how many." "Nothing.";
    UnknownField "UNKNOWN_FIELD" Note Neutral "a field this version does not know was ignored"
        "The document was written by a newer program of the same format version." "Update this program if the field matters.";

    // Read in part.
    JournalNotReplayed "JOURNAL_NOT_REPLAYED" Partial Matters "the journal holds changes that were not applied"
        "The filesystem was in use when the image was taken and its journal could not be applied (or, on a kernel mount, was not). What was read may be older than the machine's own view, or damaged."
        "Take the snapshot again, or stop the machine before it; the report's detail names what stood in the way.";
    SubtreeDamaged "SUBTREE_DAMAGED" Partial Matters "a part of the filesystem is damaged"
        "Some files or folders could not be read because their metadata is not valid. The rest was." "Check the filesystem on the machine.";
    ImageTruncated "IMAGE_TRUNCATED" Partial Matters "the image ends before its content does"
        "The partition table or filesystem is larger than the file. What lies within was read."
        "Copy the image again; compare its size with the disk's.";
    LimitReached "LIMIT_REACHED" Partial Matters "a limit on bytes, entries or steps was reached"
        "Something was larger than this program reads from an untrusted disk. What was read up to there is in the report."
        "The detail names the limit.";
    BudgetExhausted "BUDGET_EXHAUSTED" Partial Matters "the budget of blocks for this target is used up"
        "The scan asked for more blocks than its profile allows." "Scan with a larger budget, or by the attach method.";
    PermissionDenied "PERMISSION_DENIED" Partial Matters "the scanning user may not read this"
        "The host's kernel refused a file or folder of a directory target." "Run as a user that may read it.";
    MountMissing "MOUNT_MISSING" Partial Matters "fstab names a filesystem that is on none of the given disks"
        "A part of the machine's tree lies on a disk that was not given." "Give all disks of the machine in one scan.";
    Ambiguous "AMBIGUOUS" Partial Matters "two live layouts contradict each other"
        "The disk carries two valid tables or signatures that do not describe the same content." "Look at the disk with blkid and sfdisk; remove the stale one.";
    DatabaseIncomplete "DATABASE_INCOMPLETE" Partial Matters "a package database was not reached whole"
        "A bucket, chain, slot, leaf or record that the database's own structure promises is missing or damaged. The packages that were reached are in the report."
        "Check the database on the machine (rpm --verifydb, dpkg --audit).";
    RecordMalformed "RECORD_MALFORMED" Partial Matters "a record could not be understood"
        "One or more records are not in the format of their file; the others are in the report. The detail says where."
        "Look at the file at that place.";
    InodeStale "INODE_STALE" Partial Matters "files whose last change the journal only announces"
        "The journal holds an announced but unfinished change of these files; they were read as they stood before it." "Take the snapshot again if these files matter.";
    EncryptedNames "ENCRYPTED_NAMES" Partial Matters "a folder is encrypted"
        "Names and content of an encrypted folder are shown as the kernel shows them without the key." "Nothing can be done from outside the machine.";

    // Tried, nothing usable.
    SourceUnreadable "SOURCE_UNREADABLE" Failed Matters "the bytes could not be read"
        "The operating system or the block service answered with an error." "Try again; the detail has the error.";
    ImageEmpty "IMAGE_EMPTY" Failed Matters "the image has no bytes"
        "The file is empty." "Copy the image again.";
    FilesystemDamaged "FILESYSTEM_DAMAGED" Failed Matters "the filesystem cannot be opened"
        "Its superblock or root folder is not valid." "Check the filesystem on the machine.";
    UnsupportedFeature "UNSUPPORTED_FEATURE" Failed Matters "the filesystem uses a feature that this program does not know"
        "Reading on could give wrong content, so it was not tried." "The detail names the feature.";
    PvMissing "PV_MISSING" Failed Matters "a logical volume lies on a disk that was not given"
        "The volume group names a physical volume that is on none of the given disks." "Give all disks of the machine in one scan.";
    LvmOrphaned "LVM_ORPHANED" Failed Matters "a physical volume in use belongs to no group that could be put together"
        "Its label or metadata says that a volume group uses it, but the group's metadata is not there or not valid, does not list it, or it was given twice."
        "Give all disks of the machine, each once; look at the group with vgs and pvs on the machine.";
    DatabaseMissing "DATABASE_MISSING" Failed Matters "the distribution's own package database is not there"
        "This kind of system has a package database, but none was found: the list of packages is unknown, not empty."
        "Check whether it lies on a disk that was not given, or was removed on purpose.";
    DatabaseUnreadable "DATABASE_UNREADABLE" Failed Matters "a package database could not be read at all"
        "The file exists, but nothing in it could be understood; the list of packages is unknown, not empty." "The detail says what was found.";
    NoOperatingSystem "NO_OPERATING_SYSTEM" Failed Matters "no operating system was found"
        "No readable filesystem has the marks of a system's root." "If this is a data disk, scan it together with the machine's other disks.";
    ExtractorFailed "EXTRACTOR_FAILED" Failed Matters "an extractor failed"
        "A fault of this program, contained to one extractor; the others went on." "Please report it, with the detail.";
    WorkerCrashed "WORKER_CRASHED" Failed Matters "the confined reader died here"
        "The process that reads the disk ended while it was at this place; the place was left out." "Please report it, with the detail.";

    // Not tried.
    ByKind "BY_KIND" Skipped Neutral "holds nothing to inventory by its nature"
        "Boot code, swap, reserved space, or a mount of the kernel's or the network's." "Nothing.";
    Blank "BLANK" Skipped Neutral "never written"
        "The first mebibyte, the end, and every place of a known signature are zero." "Nothing.";
    UnknownContent "UNKNOWN_CONTENT" Skipped Matters "bytes without a known signature"
        "Something is written there, but no known signature says what." "Find out what it is; it may be encrypted without a header, or raw data.";
    BootFiles "BOOT_FILES" Skipped Neutral "a boot partition for the firmware"
        "An EFI system partition or what fstab mounts at /boot/efi or /efi." "Nothing.";
    UnsupportedVfat "UNSUPPORTED_VFAT" Skipped Matters "a FAT filesystem that is no boot partition"
        "This program does not read FAT." "Copy what matters to the machine's root.";
    UnsupportedLuks "UNSUPPORTED_LUKS" Skipped Matters "encrypted with LUKS"
        "Without the key nothing can be read." "Scan from inside the machine, or use the cloud's own volume encryption.";
    UnsupportedBtrfs "UNSUPPORTED_BTRFS" Skipped Matters "a btrfs filesystem"
        "This program does not read btrfs yet." "None yet.";
    UnsupportedNtfs "UNSUPPORTED_NTFS" Skipped Matters "an NTFS filesystem"
        "This program does not read NTFS yet." "None yet.";
    UnsupportedZfs "UNSUPPORTED_ZFS" Skipped Matters "a member of a ZFS pool"
        "This program does not read ZFS." "None yet.";
    UnsupportedMd "UNSUPPORTED_MD" Skipped Matters "a member of a software RAID"
        "This program does not assemble md arrays." "None yet.";
    UnsupportedBcache "UNSUPPORTED_BCACHE" Skipped Matters "a bcache device"
        "This program does not read through bcache." "None yet.";
    UnsupportedVdo "UNSUPPORTED_VDO" Skipped Matters "a VDO device"
        "This program does not read VDO." "None yet.";
    UnsupportedFilesystem "UNSUPPORTED_FILESYSTEM" Skipped Matters "a known filesystem or container that this program does not read"
        "Its signature is known, its content was not read." "The detail names the kind.";
    UnsupportedLvm "UNSUPPORTED_LVM" Skipped Matters "a kind of logical volume that this program does not map"
        "Thin, cached, snapshot and RAID volumes are named, not read." "None yet.";
    LvmUnused "LVM_UNUSED" Skipped Neutral "a physical volume without volumes"
        "The physical volume belongs to no group, or its group has no logical volumes." "Nothing.";
    OtherSystem "OTHER_SYSTEM" Skipped Matters "the root of another system"
        "The disks hold a second system beside the one that was read." "Scan that disk on its own.";
    ByChoice "BY_CHOICE" Skipped Neutral "left out on request"
        "The profile, a tag or a flag excludes it." "Use --profile full to have it read.";

    // A job that ends without a report: the world will not change by itself.
    TargetGone "TARGET_GONE" Failed Matters "the target is not there (any more)"
        "The account has no instance, volume, snapshot, image, file or folder of that name, or it is being terminated."
        "Nothing if it was removed on purpose; else check account, region and id of the job.";
    TagExcluded "TAG_EXCLUDED" Skipped Neutral "a tag excludes the target"
        "The instance, or each of its volumes, carries a tag that the configuration or the job leaves out." "Remove the tag to have it scanned.";
    AccessDenied "ACCESS_DENIED" Failed Matters "the cloud refused access"
        "The role of the target account may not be assumed, or may not do what the detail names."
        "Update the target account's stack; `snapscan doctor` asks for each permission by name.";
    KmsDenied "KMS_DENIED" Failed Matters "the key may not be used"
        "The volume is encrypted, and the key's policy or the role's does not allow to decrypt with it."
        "Allow the role that the detail names in the key's policy, with the rights that it names.";
    KmsKeyUnusable "KMS_KEY_UNUSABLE" Failed Matters "the key cannot be used by anybody"
        "The key is disabled, waits for its deletion or import, or its store is away; the detail has its ARN and state." "Enable the key.";
    KmsKeyNotShareable "KMS_KEY_NOT_SHAREABLE" Failed Matters "the key cannot be shared, and no copy key is configured"
        "Snapshots under the account's default key aws/ebs cannot be shared; attaching needs a copy under a customer key of the target account."
        "Use the direct method, or configure the account's `copy_key`.";
    MarketplaceCode "MARKETPLACE_CODE" Skipped Matters "the volume carries a marketplace product code"
        "AWS attaches such volumes only to stopped instances, so the attach method cannot read them." "Use the direct method.";
    NoEbs "NO_EBS" Skipped Matters "the instance has no EBS volume"
        "Its disks are of the instance store, of which no snapshot can be made." "None from outside the machine.";
    CloudRefused "CLOUD_REFUSED" Failed Matters "the cloud refused a call for good"
        "A call was answered with an error that will not pass by itself; the detail has the call and the code." "See the detail.";

    // A job that is tried again: the world may change.
    Throttled "THROTTLED" Failed Matters "the cloud asks to slow down"
        "Requests come faster than the account's rate allows." "Nothing: the job comes again. If it stays, lower `agent.pending`.";
    Quota "QUOTA" Failed Matters "a quota of the account is used up"
        "Too many snapshots, copies or volumes are in progress." "Nothing: the job comes again. If it stays, ask AWS for more.";
    NotYet "NOT_YET" Failed Matters "something is in a state that does not allow this yet"
        "A snapshot or volume changes its state, or a condition did not hold." "Nothing: the job comes again.";
    CloudUnreachable "CLOUD_UNREACHABLE" Failed Matters "the cloud did not answer, or failed"
        "No answer came in time, or one that says that the service has a fault; what was called may have taken effect." "Nothing: the job comes again.";
    SnapshotFailed "SNAPSHOT_FAILED" Failed Matters "a snapshot ended in error"
        "The cloud could not complete a snapshot; the detail has its words." "Nothing: the job comes again. If it stays, look at the volume.";
    NoSlot "NO_SLOT" Failed Matters "no volume could be attached"
        "The scanner has no free attachment, or a volume did not appear." "Nothing: the job comes again.";
    LeaseLost "LEASE_LOST" Failed Matters "the queue took the message back"
        "The lease could not be extended in time; another scanner may have the job." "Nothing: the job comes again.";
    Drained "DRAINED" Failed Matters "the scanner stops"
        "The scanner was asked to stop, or is about to be taken away, and the job was put back." "Nothing: the job comes again.";
    DeadlineReached "DEADLINE_REACHED" Failed Matters "the job took too long"
        "The job's time in all is used up; everything that it made was released." "Nothing: the job comes again. If it stays, give it fewer volumes or the other method.";
    ScannerFault "SCANNER_FAULT" Failed Matters "the scanner itself failed"
        "Its disk, its ledger or its worker did not do what was asked; the detail has the error."
        "`snapscan doctor` on the scanner says what is wrong.";
}

impl Reason {
    /// The code as it stands in reports.
    pub fn code(self) -> &'static str {
        self.explain().code
    }

    /// Finds a code, whatever its case.
    pub fn find(code: &str) -> Option<Reason> {
        Reason::ALL.iter().copied().find(|reason| reason.code().eq_ignore_ascii_case(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_name_and_serialized_under_it() {
        for &reason in Reason::ALL {
            let row = reason.explain();
            assert_eq!(Reason::find(&row.code.to_lowercase()), Some(reason));
            assert_eq!(serde_json::to_string(&reason).ok(), Some(format!("\"{}\"", row.code)));
            assert!(row.code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{}", row.code);
            assert!(!row.meaning.is_empty() && !row.remedy.is_empty(), "{}", row.code);
        }
    }
}
