// SPDX-License-Identifier: Apache-2.0
//! What was read, and what was not, as a tree beside the findings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Reason, Text};

/// How far a part of the machine was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All that the profile wants was read.
    Complete,
    /// Some of it was.
    Partial,
    /// It was tried, and nothing was usable.
    Failed,
    /// It was not tried.
    Skipped,
}

/// Whether a line counts for its parent and for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Something that could hold findings.
    Matters,
    /// Something that holds none by its nature, or that somebody chose to leave out.
    Neutral,
}

/// What a line of coverage speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The whole target.
    Machine,
    /// One disk, image, or directory.
    Volume,
    /// One entry of a partition table.
    Partition,
    /// One LVM volume group.
    VolumeGroup,
    /// One logical volume.
    LogicalVolume,
    /// One filesystem, or what lies in its place.
    Filesystem,
    /// A line of fstab.
    Mount,
    /// One extractor's work.
    Extractor,
}

/// Something to know about a line that does not change its status.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// Which, from the table of reasons.
    pub code: Reason,
    /// The particulars.
    pub detail: Text,
}

/// One line of coverage with what lies beneath it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// What kind of thing.
    pub level: Level,
    /// Which one: `web-03.img`, `2`, `vg0/root`, `ext4`, `dpkg`.
    pub name: Text,
    /// How far it was read.
    pub status: Status,
    /// Why not whole; absent if complete, or if only its children are at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Reason>,
    /// The particulars of the code, or what this is (`ext4, uuid …, label root, mounted at /`).
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub detail: Text,
    /// Whether it counts.
    pub weight: Weight,
    /// What else is to be known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Names of fields that are percent-escaped (`name`, `detail`, `notes`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escaped: Vec<String>,
    /// The lines beneath.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Coverage>,
}

impl Coverage {
    /// A line that is complete and has no children yet.
    pub fn complete(level: Level, name: impl Into<Text>, detail: impl Into<Text>) -> Self {
        Coverage {
            level,
            name: name.into(),
            status: Status::Complete,
            code: None,
            detail: detail.into(),
            weight: Weight::Matters,
            notes: Vec::new(),
            escaped: Vec::new(),
            children: Vec::new(),
        }
    }

    /// A line with the status and weight that the table gives to `code`; a note's code leaves it complete.
    pub fn because(level: Level, name: impl Into<Text>, code: Reason, detail: impl Into<Text>) -> Self {
        let row = code.explain();
        let mut line = Coverage::complete(level, name, detail);
        match row.status {
            Some(status) => {
                line.status = status;
                line.code = Some(code);
                line.weight = row.weight;
            }
            None => {
                let detail = std::mem::take(&mut line.detail);
                line.notes.push(Note { code, detail });
            }
        }
        line
    }

    /// The same line, counted as neutral.
    pub fn neutral(mut self) -> Self {
        self.weight = Weight::Neutral;
        self
    }

    /// Sets the status of every line with children from what counts beneath it: complete if all of that is, failed if
    /// none of it could be read, else partial. A code of the line's own stays, and its status is never improved.
    pub fn settle(&mut self) {
        for child in &mut self.children {
            child.settle();
        }
        let counted = || self.children.iter().filter(|child| child.weight == Weight::Matters);
        let from_children = if counted().all(|child| child.status == Status::Complete) {
            Status::Complete
        } else if counted().all(|child| matches!(child.status, Status::Failed | Status::Skipped)) {
            Status::Failed
        } else {
            Status::Partial
        };
        // A filesystem that was opened has been read, even if nothing useful was found in it.
        let opened = self.level == Level::Filesystem && self.status != Status::Failed;
        let from_children =
            if opened && from_children == Status::Failed { Status::Partial } else { from_children };
        if self.status < from_children && !self.children.is_empty() {
            self.status = from_children;
        }
    }

    /// This line and all beneath it, depth first.
    pub fn lines(&self) -> Vec<&Coverage> {
        let mut lines = vec![self];
        for child in &self.children {
            lines.extend(child.lines());
        }
        lines
    }

    /// True if some line that matters is not complete: the exit code is then 3.
    pub fn is_incomplete(&self) -> bool {
        self.weight == Weight::Matters
            && (self.status != Status::Complete || self.children.iter().any(Coverage::is_incomplete))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(children: Vec<Coverage>) -> Coverage {
        let mut line = Coverage { children, ..Coverage::complete(Level::Volume, "disk", "") };
        line.settle();
        line
    }

    fn child(code: Option<Reason>) -> Coverage {
        match code {
            Some(code) => Coverage::because(Level::Partition, "1", code, ""),
            None => Coverage::complete(Level::Partition, "1", ""),
        }
    }

    #[test]
    fn a_parent_is_what_the_children_that_matter_are() {
        let cases: [(&[Option<Reason>], Status); 6] = [
            (&[None, None], Status::Complete),
            (&[None, Some(Reason::Blank)], Status::Complete),
            (&[None, Some(Reason::UnsupportedLuks)], Status::Partial),
            (&[Some(Reason::FilesystemDamaged), Some(Reason::UnsupportedLuks)], Status::Failed),
            (&[Some(Reason::ImageTruncated)], Status::Partial),
            (&[Some(Reason::Absent)], Status::Complete),
        ];
        for (codes, status) in cases {
            assert_eq!(parent(codes.iter().map(|&code| child(code)).collect()).status, status, "{codes:?}");
        }
    }

    #[test]
    fn a_neutral_line_never_makes_the_exit_code_3() {
        assert!(!parent(vec![child(None), child(Some(Reason::ByKind))]).is_incomplete());
        assert!(parent(vec![child(None), child(Some(Reason::UnknownContent))]).is_incomplete());
    }
}
