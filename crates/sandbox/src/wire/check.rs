// SPDX-License-Identifier: Apache-2.0
//! The parent's distrust: every record is taken apart, counted and compared with what was asked, or the child has lied.

use std::collections::HashSet;

use snapscan_disk::limits::{NAME_BYTES, PATH_BYTES};
use snapscan_schema::{Coverage, Finding, Header, Level, Read};

use super::fit;
use super::frame::Broken;
use super::line::{Growing, Line};
use super::mirror;
use super::record::{self, Failure, Mountable, Record, Stage};
use super::request::Place;

/// Records of one child, all kinds together.
pub const RECORDS: u64 = 20_000_000;
/// Problems of one look.
pub const PROBLEMS: usize = 10_000;
/// Bytes of a place's name and of a part's.
const PLACE: (usize, usize) = (record::PLACE, 64);
/// Bytes of the name of an architecture.
const ARCHITECTURE: usize = 256;
/// Threads of a reader.
const THREADS: u64 = 1 << 16;

/// What a child said that it may not say.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Lie(pub String);

impl From<Broken> for Lie {
    fn from(broken: Broken) -> Self {
        Lie(broken.to_string())
    }
}

impl From<&str> for Lie {
    fn from(what: &str) -> Self {
        Lie(what.to_owned())
    }
}

/// What was asked, by which answers are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asking {
    /// A report on volumes of these names.
    Report(Vec<Vec<u8>>),
    /// A look: bytes.
    Look,
}

/// What the parent has to do about a record that holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing: it was kept.
    Kept,
    /// A step began.
    Entered(Place),
    /// How far it is.
    Progress(Stage, u64),
    /// Bytes for whoever looks.
    Output(Vec<u8>),
    /// All was said.
    Done,
    /// Nothing could be read.
    Failed(Failure),
}

/// All that a child said of a machine.
#[derive(Debug, Default)]
pub struct Told {
    /// What is known of the machine; the rest of the header is the parent's to fill in.
    pub header: Header,
    /// Findings as they came.
    pub findings: Vec<Finding>,
    /// The tree, if the child said one.
    pub coverage: Option<Coverage>,
    /// What was read.
    pub read: Read,
    /// Threads of the reader.
    pub threads: u64,
    /// Filesystems that the kernel could mount.
    pub mountable: Vec<Mountable>,
    /// What a look could not see.
    pub problems: Vec<String>,
}

/// The judge of one child's records.
pub struct Check {
    asking: Asking,
    told: Told,
    growing: Growing,
    /// Volumes that have their line.
    volumes: HashSet<Vec<u8>>,
    groups: HashSet<Vec<u8>>,
    lines: usize,
    notes: usize,
    records: u64,
    memory: usize,
    has_about: bool,
    is_over: bool,
}

impl Check {
    /// A judge of answers to one question.
    pub fn new(asking: Asking) -> Check {
        Check {
            asking,
            told: Told::default(),
            growing: Growing::default(),
            volumes: HashSet::new(),
            groups: HashSet::new(),
            lines: 0,
            notes: 0,
            records: 0,
            memory: 0,
            has_about: false,
            is_over: false,
        }
    }

    /// Takes one record, of `bytes` on the wire.
    ///
    /// # Errors
    /// `Lie` if it breaks a bound or the order, or does not belong to what was asked.
    pub fn take(&mut self, record: Record, bytes: usize) -> Result<Said, Lie> {
        if self.is_over {
            return Err("a record after the last".into());
        }
        self.records = self.records.saturating_add(1);
        if self.records > RECORDS {
            return Err(Lie(format!("more than {RECORDS} records")));
        }
        let is_of_report = matches!(
            record,
            Record::Line(_)
                | Record::Note(_)
                | Record::About(_)
                | Record::Field(..)
                | Record::Kernel(_)
                | Record::Finding(_)
                | Record::Mountable(_)
                | Record::Counts { .. }
        );
        let is_of_look = matches!(record, Record::Output(_) | Record::Problem(_));
        match &self.asking {
            Asking::Report(_) if is_of_look => return Err("output where a report was asked for".into()),
            Asking::Look if is_of_report => return Err("a report where a look was asked for".into()),
            _ => {}
        }
        // Findings are weighed by what they take in memory.
        if is_of_report && !matches!(record, Record::Finding(_)) {
            self.spend(bytes)?;
        }
        match record {
            Record::Entered(place) => return entered(place),
            Record::Progress { stage, names } => return Ok(Said::Progress(stage, names)),
            Record::Output(bytes) => return Ok(Said::Output(bytes)),
            Record::Done => return self.done(),
            Record::Failed(failure) => {
                self.is_over = true;
                return Ok(Said::Failed(failure));
            }
            Record::Line(line) => self.line(line)?,
            Record::Note(note) => {
                self.notes = within(self.notes, fit::NOTES, "notes")?;
                self.growing.note(note.into())?;
            }
            Record::About(about) => self.about(about)?,
            Record::Field(key, value) => {
                let fields = self.told.header.system.as_mut().map(|system| &mut system.fields);
                let fields = fields.ok_or("a field of no system")?;
                within(fields.len(), fit::KERNELS, "fields")?;
                fields.insert(key, value);
            }
            Record::Kernel(kernel) => {
                within(self.told.header.kernels.len(), fit::KERNELS, "kernels")?;
                self.of_this_job(&kernel.evidence)?;
                self.told.header.kernels.push(kernel.into());
            }
            Record::Finding(finding) => self.finding(finding)?,
            Record::Mountable(one) => self.mountable(one)?,
            Record::Counts { read, threads } => {
                if threads > THREADS {
                    return Err("more threads than there can be".into());
                }
                (self.told.read, self.told.threads) = (read, threads);
            }
            Record::Problem(problem) => {
                within(self.told.problems.len(), PROBLEMS, "problems")?;
                self.told.problems.push(problem);
            }
        }
        Ok(Said::Kept)
    }

    /// All that was said, once [`Said::Done`] was.
    pub fn into_told(self) -> Told {
        Told { coverage: self.growing.finish(), ..self.told }
    }

    /// Takes bytes off what a report may take in memory.
    fn spend(&mut self, bytes: usize) -> Result<(), Lie> {
        self.memory = self.memory.saturating_add(bytes);
        // What is no finding is bounded by its own count, too, and small beside them.
        let most = fit::REPORT_BYTES.saturating_add(fit::REPORT_BYTES / 2);
        if self.memory > most { Err(Lie(format!("a report of more than {most} bytes"))) } else { Ok(()) }
    }

    fn line(&mut self, line: Line) -> Result<(), Lie> {
        self.lines = within(self.lines, fit::LINES.saturating_add(1), "lines of coverage")?;
        let Asking::Report(volumes) = &self.asking else { return Err("a line of coverage".into()) };
        let fits = match line.level {
            Level::Machine => line.depth == 0,
            Level::Volume => {
                let name = line.name.as_bytes();
                line.depth == 1
                    && volumes.iter().any(|known| known == name)
                    && self.volumes.insert(name.to_vec())
            }
            Level::VolumeGroup => {
                line.depth == 1 && {
                    self.groups.insert(line.name.as_bytes().to_vec());
                    true
                }
            }
            _ => line.depth > 0,
        };
        if !fits {
            let name = line.name.as_bytes().escape_ascii();
            return Err(Lie(format!("a line of coverage that fits nowhere: {:?} {name}", line.level)));
        }
        Ok(self.growing.line(line)?)
    }

    fn about(&mut self, about: mirror::About) -> Result<(), Lie> {
        if std::mem::replace(&mut self.has_about, true) {
            return Err("a second header".into());
        }
        let mirror::About { system, architecture, hostname, machine_id } = about;
        if architecture.as_ref().is_some_and(|name| name.len() > ARCHITECTURE) {
            return Err("the name of an architecture that is too long".into());
        }
        if let Some(evidence) = system.as_ref().and_then(|system| system.evidence.as_ref()) {
            self.of_this_job(evidence)?;
        }
        let header = &mut self.told.header;
        header.system = system.map(Into::into);
        (header.architecture, header.hostname, header.machine_id) = (architecture, hostname, machine_id);
        Ok(())
    }

    fn mountable(&mut self, one: Mountable) -> Result<(), Lie> {
        let Asking::Report(volumes) = &self.asking else { return Err("a filesystem".into()) };
        within(self.told.mountable.len(), fit::LINES, "filesystems")?;
        if let Some(piece) = one.at {
            if usize::try_from(piece.volume).is_ok_and(|number| number >= volumes.len()) {
                return Err("a filesystem on a volume of another job".into());
            }
            if piece.len == 0 || piece.start.checked_add(piece.len).is_none() {
                return Err("a filesystem that lies nowhere".into());
            }
        }
        if one.place.len() > record::PLACE {
            return Err("a filesystem at a place whose name is too long".into());
        }
        if one.point.as_ref().is_some_and(|point| !is_point(point)) {
            return Err("a mount point that is none".into());
        }
        if !self.is_of_this_job(&one.volume, volumes) {
            return Err(Lie(format!("a filesystem of another job: {}", one.volume.escape_ascii())));
        }
        self.told.mountable.push(one);
        Ok(())
    }

    fn finding(&mut self, finding: mirror::Finding) -> Result<(), Lie> {
        self.of_this_job(finding.evidence())?;
        within(self.told.findings.len(), fit::FINDINGS, "findings")?;
        let finding = Finding::from(finding);
        let size = fit::size(&finding);
        if size.wire > fit::FINDING_BYTES {
            return Err("a finding that is too large".into());
        }
        self.spend(size.memory)?;
        self.told.findings.push(finding);
        Ok(())
    }

    /// Evidence lies on a volume of this job, or on a group that was found on them.
    fn of_this_job(&self, evidence: &mirror::Evidence) -> Result<(), Lie> {
        let Asking::Report(volumes) = &self.asking else { return Err("evidence".into()) };
        let on = evidence.volume.as_bytes();
        match self.is_of_this_job(on, volumes) {
            true => Ok(()),
            false => Err(Lie(format!("evidence on a volume of another job: {}", on.escape_ascii()))),
        }
    }

    fn is_of_this_job(&self, on: &[u8], volumes: &[Vec<u8>]) -> bool {
        let is_on = |known: &Vec<u8>| {
            on.strip_prefix(known.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
        };
        volumes.iter().any(is_on) || self.groups.contains(on) || self.groups.iter().any(is_on)
    }

    fn done(&mut self) -> Result<Said, Lie> {
        self.is_over = true;
        if let Asking::Report(volumes) = &self.asking
            && volumes.iter().any(|volume| !self.volumes.contains(volume))
        {
            return Err("a report that does not speak of every volume".into());
        }
        Ok(Said::Done)
    }
}

/// True for an absolute path of names only, as long as the kernel takes: `/`, `/var/lib`.
fn is_point(point: &[u8]) -> bool {
    let is_name = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && name.len() <= NAME_BYTES;
    let names = point.strip_prefix(b"/");
    point.len() < PATH_BYTES
        && !point.contains(&0)
        && names.is_some_and(|names| names.is_empty() || names.split(|byte| *byte == b'/').all(is_name))
}

fn entered(place: Place) -> Result<Said, Lie> {
    let (name, part) = PLACE;
    if place.name.len() > name || place.part.len() > part {
        return Err("the name of a place that is too long".into());
    }
    Ok(Said::Entered(place))
}

/// One more of something.
fn within(so_far: usize, most: usize, what: &str) -> Result<usize, Lie> {
    match so_far.checked_add(1).filter(|&count| count <= most) {
        Some(count) => Ok(count),
        None => Err(Lie(format!("more than {most} {what}"))),
    }
}

#[cfg(test)]
mod tests;
