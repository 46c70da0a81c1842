// SPDX-License-Identifier: Apache-2.0
//! Which systemd units are enabled, as `systemctl --root list-unit-files` says it.
//!
//! Shape:  a fact for each unit file with `state`: `enabled`, `disabled`, `static`, `indirect`, `alias`, `linked` or
//!         `masked`; `by` names the units that want it by a link of the administrator, `alias_of` what an alias means.
//! Source: systemctl(1) is-enabled; systemd.unit(5); systemd 252 for which link counts. Presets, generators and drop-ins
//!         that add an [Install] section are left alone.

mod install;

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use snapscan_disk::fs::FileType;
use snapscan_disk::fs::path::MachinePath;
use snapscan_disk::machine::{Follow, Location, Resolved, Tree};
use snapscan_schema::Value;

use super::assemble::{fact, list};
use crate::{Extractor, Hits, Profile, Sink};
use install::Install;

/// Systemd units.
pub const UNITS: Extractor = Extractor {
    name: "units",
    ecosystem: None,
    title: "systemd units, and whether they are enabled",
    profile: Profile::Os,
    wants: &[
        "etc/systemd/system/*/",
        "usr/local/lib/systemd/system/*",
        "usr/lib/systemd/system/*",
        "lib/systemd/system/*",
    ],
    max_bytes: 64 << 20,
    run: extract,
    walk: None,
};

/// Folders of units, the first wins; links of the administrator are in the first.
const FOLDERS: [&str; 4] = [
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// Endings of units' names.
const TYPES: [&[u8]; 11] = [
    b".automount",
    b".device",
    b".mount",
    b".path",
    b".scope",
    b".service",
    b".slice",
    b".socket",
    b".swap",
    b".target",
    b".timer",
];

/// What stands under a unit's name in one folder.
struct Entry {
    folder: Resolved,
    location: Location,
    /// Where it leads, if it is a link.
    target: Option<Vec<u8>>,
}

/// A link of the administrator.
struct Link {
    /// The unit that wants or requires what the link names; `None` for a link beside the units.
    wanted_by: Option<Vec<u8>>,
    name: Vec<u8>,
    target: Vec<u8>,
}

struct Units<'t> {
    tree: &'t Tree,
    folders: HashSet<Location>,
    /// For each name what stands under it, the folder that wins first.
    entries: BTreeMap<Vec<u8>, Vec<Entry>>,
    links: Vec<Link>,
}

fn extract(tree: &Tree, _: &Hits, sink: &mut Sink<'_>) {
    let mut units = Units { tree, folders: HashSet::new(), entries: BTreeMap::new(), links: Vec::new() };
    for (place, path) in FOLDERS.into_iter().map(MachinePath::from).enumerate() {
        if let Some(folder) = units.folder(&path, sink)
            && units.folders.insert(folder.location)
        {
            units.list(&folder, place == 0, sink);
        }
    }
    for (name, entries) in &units.entries {
        let Some(first) = entries.first() else { continue };
        let values = units.values(name, first, entries, sink);
        let mut evidence = sink.evidence(&first.folder);
        evidence.path = first.folder.path.join(name).as_bytes().into();
        sink.fact(fact("unit", name.as_slice(), evidence, values));
    }
}

impl Units<'_> {
    fn folder(&self, path: &MachinePath, sink: &mut Sink<'_>) -> Option<Resolved> {
        match self.tree.resolve(path, Follow::Links) {
            Ok(at) => at.filter(|at| at.metadata.kind == FileType::Directory),
            Err(error) => {
                sink.failed(path.as_bytes(), &error);
                None
            }
        }
    }

    /// Names of a folder, with what kind of object they are.
    fn names(&self, folder: &Resolved, sink: &mut Sink<'_>) -> Vec<(Vec<u8>, FileType, Location)> {
        let mut names = Vec::new();
        let place = folder.path.as_bytes();
        let listed = self.tree.entries(folder.location, &mut |entry| {
            match entry {
                Ok((entry, location)) => names.push((entry.name, entry.kind, location)),
                Err(error) => sink.failed(place, &error),
            }
            ControlFlow::Continue(())
        });
        if let Err(error) = listed {
            sink.failed(place, &error);
        }
        let kind = |(name, kind, location): (Vec<u8>, Option<FileType>, Location)| match kind {
            Some(kind) => Some((name, kind, location)),
            None => match self.tree.metadata(location) {
                Ok(metadata) => Some((name, metadata.kind, location)),
                Err(error) => {
                    sink.failed(folder.path.join(&name).as_bytes(), &error);
                    None
                }
            },
        };
        names.into_iter().filter_map(kind).collect()
    }

    fn list(&mut self, folder: &Resolved, is_administrators: bool, sink: &mut Sink<'_>) {
        for (name, kind, location) in self.names(folder, sink) {
            let wanting = [b".wants", &b".requires"[..]].iter().find_map(|end| name.strip_suffix(*end));
            if kind == FileType::Directory {
                if let Some(wanting) = wanting.filter(|_| is_administrators) {
                    self.wanted(&folder.path.join(&name), wanting, sink);
                }
                continue;
            }
            if !TYPES.iter().any(|end| name.len() > end.len() && name.ends_with(end)) {
                continue;
            }
            let target = match kind {
                FileType::Symlink => match self.tree.link_target(location) {
                    Ok(target) => Some(target),
                    Err(error) => {
                        sink.failed(folder.path.join(&name).as_bytes(), &error);
                        continue;
                    }
                },
                FileType::File => None,
                _ => continue,
            };
            if let Some(target) = target.as_ref().filter(|_| is_administrators) {
                self.links.push(Link { wanted_by: None, name: name.clone(), target: target.clone() });
            }
            self.entries.entry(name).or_default().push(Entry { folder: folder.clone(), location, target });
        }
    }

    /// The links by which one unit wants others: their names count, wherever they lead.
    fn wanted(&mut self, path: &MachinePath, wanting: &[u8], sink: &mut Sink<'_>) {
        let Some(folder) = self.folder(path, sink) else { return };
        for (name, kind, _) in self.names(&folder, sink) {
            if kind == FileType::Symlink {
                self.links.push(Link { wanted_by: Some(wanting.to_vec()), name, target: Vec::new() });
            }
        }
    }

    fn values(
        &self,
        name: &[u8],
        first: &Entry,
        entries: &[Entry],
        sink: &mut Sink<'_>,
    ) -> Vec<(&'static str, Value)> {
        let state = |state: &str| vec![("state", state.into())];
        if let Some(target) = &first.target {
            if target == b"/dev/null" {
                return state("masked");
            }
            let path = if target.starts_with(b"/") {
                MachinePath::new(target)
            } else {
                MachinePath::new([first.folder.path.as_bytes(), b"/", target].concat())
            };
            let parent = path.parent();
            let inside = FOLDERS.iter().any(|folder| folder.as_bytes() == parent.as_bytes())
                || self.folder(&parent, sink).is_some_and(|at| self.folders.contains(&at.location));
            if !inside {
                return state("linked");
            }
            if path.name() != name {
                return [state("alias"), vec![("alias_of", path.name().into())]].concat();
            }
        }
        let Some(file) = entries.iter().find(|entry| entry.target.is_none()) else { return state("linked") };
        let Some(install) = self.install(name, file, sink) else { return state("masked") };
        let links: Vec<&Link> = self.links.iter().filter(|link| link.is_for(name)).collect();
        let by: Vec<&[u8]> = links.iter().filter_map(|link| link.wanted_by.as_deref()).collect();
        let is_known = |link: &&&Link| link.name == name || install.knows(name, &link.name);
        let state = if links.iter().find(is_known).is_some() {
            "enabled"
        } else if !links.is_empty() {
            "indirect"
        } else if first.target.is_some() {
            "linked"
        } else if install.has_rules {
            "disabled"
        } else if install.has_also {
            "indirect"
        } else {
            "static"
        };
        let mut values = vec![("state", state.into())];
        values.extend((!by.is_empty()).then(|| ("by", list(by))));
        values
    }

    /// What the unit says of its installation; `None` for an empty file, which masks the unit.
    fn install(&self, name: &[u8], file: &Entry, sink: &mut Sink<'_>) -> Option<Install> {
        let path = file.folder.path.join(name);
        match self.tree.metadata(file.location) {
            Ok(metadata) if metadata.size == 0 => None,
            Ok(metadata) => {
                let at = Resolved { location: file.location, path, metadata };
                let content = sink.read_resolved(&at);
                Some(content.map(|content| Install::parse(&content.bytes)).unwrap_or_default())
            }
            Err(error) => {
                sink.failed(path.as_bytes(), &error);
                Some(Install::default())
            }
        }
    }
}

impl Link {
    /// True if the link enables the unit of this name: itself, or for a template an instance of it.
    fn is_for(&self, unit: &[u8]) -> bool {
        let named = self.name == unit || template(&self.name).is_some_and(|template| template == unit);
        match self.wanted_by {
            Some(_) => named,
            None => self.name != unit && (named || MachinePath::new(&self.target).name() == unit),
        }
    }
}

/// `getty@.service` of `getty@tty1.service`.
fn template(name: &[u8]) -> Option<Vec<u8>> {
    let at = name.iter().position(|&byte| byte == b'@')?;
    let dot = name.iter().rposition(|&byte| byte == b'.')?;
    Some([name.get(..=at)?, name.get(dot..)?].concat())
}

#[cfg(test)]
mod tests;
