// SPDX-License-Identifier: Apache-2.0
//! The tree of coverage as lines with a depth, and a tree again.

use serde::{Deserialize, Serialize};
use snapscan_schema::{Coverage, Level, Note, Reason, Status, Text, Weight};

use super::record::Record;

/// Levels of a tree of coverage: machine, volume, partition, filesystem, extractor are five.
pub const MOST_DEPTH: usize = 16;

/// One line of coverage without those beneath it and without its notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the schema")]
pub struct Line {
    /// Lines above it: 0 is the machine.
    pub depth: u8,
    pub level: Level,
    pub name: Text,
    pub status: Status,
    pub code: Option<Reason>,
    pub detail: Text,
    pub weight: Weight,
}

/// Says a tree line by line, each followed by its notes.
///
/// # Errors
/// What `say` answers.
pub fn flatten<E>(top: Coverage, depth: u8, say: &mut dyn FnMut(Record) -> Result<(), E>) -> Result<(), E> {
    let Coverage { level, name, status, code, detail, weight, notes, children, escaped: _ } = top;
    say(Record::Line(Line { depth, level, name, status, code, detail, weight }))?;
    for note in notes {
        say(Record::Note(note.into()))?;
    }
    for child in children {
        flatten(child, depth.saturating_add(1), say)?;
    }
    Ok(())
}

/// A tree that grows line by line.
#[derive(Debug, Default)]
pub struct Growing {
    /// The last line with those above it, the machine first; each holds its children that are whole.
    open: Vec<Coverage>,
}

impl Growing {
    /// Adds a line.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn line(&mut self, line: Line) -> Result<(), &'static str> {
        let depth = usize::from(line.depth);
        if depth > MOST_DEPTH {
            return Err("a line of coverage that is too deep");
        }
        if depth > self.open.len() || (depth == 0 && !self.open.is_empty()) {
            return Err("a line of coverage beneath none, or a second machine");
        }
        self.close(depth);
        let Line { level, name, status, code, detail, weight, depth: _ } = line;
        self.open.push(Coverage { status, code, weight, ..Coverage::complete(level, name, detail) });
        Ok(())
    }

    /// Adds a note to the last line.
    ///
    /// # Errors
    /// If there is no line.
    pub fn note(&mut self, note: Note) -> Result<(), &'static str> {
        self.open.last_mut().ok_or("a note on no line of coverage")?.notes.push(note);
        Ok(())
    }

    /// The whole tree, if there is one.
    pub fn finish(mut self) -> Option<Coverage> {
        self.close(1);
        self.open.pop()
    }

    /// Puts lines into their parents until only `depth` are open.
    fn close(&mut self, depth: usize) {
        while self.open.len() > depth {
            let Some(line) = self.open.pop() else { return };
            match self.open.last_mut() {
                Some(parent) => parent.children.push(line),
                None => return self.open.push(line),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_taken_apart_is_the_same_when_put_together() {
        let leaf = |name: &str| Coverage::because(Level::Extractor, name, Reason::Absent, "nothing");
        let branch = |name: &str, children| Coverage {
            children,
            ..Coverage::because(Level::Filesystem, name, Reason::ImageTruncated, "cut")
        };
        let top = Coverage {
            children: vec![
                branch("a", vec![leaf("b"), leaf("c")]),
                branch("d", vec![]),
                branch("e", vec![leaf("f")]),
            ],
            ..Coverage::complete(Level::Machine, "machine", "")
        };
        let mut growing = Growing::default();
        flatten(top.clone(), 0, &mut |record| match record {
            Record::Line(line) => growing.line(line),
            Record::Note(note) => growing.note(note.into()),
            _ => Err("another record"),
        })
        .unwrap();
        assert_eq!(growing.finish(), Some(top));
    }

    #[test]
    fn lines_that_make_no_tree_are_refused() {
        let line = |depth| Line {
            depth,
            level: Level::Machine,
            name: Text::default(),
            status: Status::Complete,
            code: None,
            detail: Text::default(),
            weight: Weight::Matters,
        };
        let mut growing = Growing::default();
        assert!(growing.note(Note { code: Reason::Absent, detail: Text::default() }).is_err());
        assert!(growing.line(line(1)).is_err());
        assert!(growing.line(line(0)).is_ok() && growing.line(line(0)).is_err());
        assert!(growing.line(line(2)).is_err() && growing.line(line(1)).is_ok());
        for depth in 2..=16 {
            assert!(growing.line(line(depth)).is_ok());
        }
        assert!(growing.line(line(17)).is_err());
        assert!(Growing::default().finish().is_none());
    }
}
