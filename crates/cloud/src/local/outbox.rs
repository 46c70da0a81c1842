// SPDX-License-Identifier: Apache-2.0
//! How the store of objects answers: a file each, written once and whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension, params};

use super::call::{Said, Turn, refuse, seconds};
use super::events::EventKind;
use super::store::{self, signed, unsigned};
use crate::outbox::{DeleteObject, GetObject, ListObjects, Object, Objects, PutObject};

/// What unfinished files begin with; no key does.
const UNFINISHED: &str = ".unfinished-";

impl Turn<'_> {
    /// Written aside, brought to the disk, and put in its place unless there is one.
    pub(super) fn put_object(&mut self, call: &PutObject) -> Said<bool> {
        let path = self.object_path(&call.key)?;
        let size = u64::try_from(call.bytes.len()).unwrap_or(u64::MAX);
        if self.stored(&call.key)?.is_some() {
            return Ok(false);
        }
        let number = store::number(self.tx, "object")?;
        let aside = self.folder.join("outbox").join(format!("{UNFINISHED}{}-{number}", std::process::id()));
        let parent = path.parent().unwrap_or(self.folder);
        make_folders(&self.folder.join("outbox"), parent)?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&aside)?;
        file.write_all(&call.bytes)?;
        file.sync_all()?;
        let placed = fs::hard_link(&aside, &path);
        fs::remove_file(&aside)?;
        let is_new = match placed {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => return Err(error.into()),
        };
        File::open(parent)?.sync_all()?;
        let size = if is_new { size } else { fs::metadata(&path)?.len() };
        self.tx.execute(
            "INSERT INTO objects VALUES(?1, ?2, ?3)",
            params![call.key, signed(size), signed(self.now)],
        )?;
        if is_new {
            self.note(EventKind::Made, &call.key, 0);
        }
        Ok(is_new)
    }

    pub(super) fn get_object(&self, call: &GetObject) -> Said<Option<Vec<u8>>> {
        let path = self.object_path(&call.key)?;
        if self.stored(&call.key)?.is_none() {
            return Ok(None);
        }
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn list_objects(&self, call: &ListObjects) -> Said<Objects> {
        let most = call.most.clamp(1, 1000);
        let mut select = self.tx.prepare_cached(
            "SELECT key, size, stored FROM objects
             WHERE substr(key, 1, length(?1)) = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
        )?;
        let after = call.after.as_deref().unwrap_or_default();
        let rows = select.query_map(params![call.prefix, after, most.saturating_add(1)], |row| {
            let stored = seconds(unsigned(row.get(2)?));
            Ok(Object { key: row.get(0)?, size: unsigned(row.get(1)?), stored })
        })?;
        let mut objects: Vec<Object> = rows.collect::<Result<_, _>>()?;
        let most = usize::try_from(most).unwrap_or(1000);
        let more = objects.len() > most;
        objects.truncate(most);
        Ok(Objects { objects, more })
    }

    pub(super) fn delete_object(&mut self, call: &DeleteObject) -> Said<()> {
        let path = self.object_path(&call.key)?;
        if self.tx.execute("DELETE FROM objects WHERE key = ?1", [&call.key])? > 0 {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => self.note(EventKind::Gone, &call.key, 0),
            }
        }
        Ok(())
    }

    /// Makes known what a process placed that ended before it could say so.
    pub(super) fn adopt_objects(&self) -> Said<()> {
        let root = self.folder.join("outbox");
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let path = entry.path();
                let key = path.strip_prefix(&root).ok().and_then(Path::to_str).unwrap_or_default();
                if key.starts_with(UNFINISHED) {
                    fs::remove_file(&path)?;
                } else if is_key(key) {
                    self.tx.execute(
                        "INSERT OR IGNORE INTO objects VALUES(?1, ?2, ?3)",
                        params![key, signed(entry.metadata()?.len()), signed(self.now)],
                    )?;
                }
            }
        }
        Ok(())
    }

    fn stored(&self, key: &str) -> Said<Option<i64>> {
        let sql = "SELECT stored FROM objects WHERE key = ?1";
        Ok(self.tx.query_row(sql, [key], |row| row.get(0)).optional()?)
    }

    /// The file of a key, which lies within the folder.
    fn object_path(&self, key: &str) -> Said<PathBuf> {
        if !is_key(key) {
            return refuse(
                "InvalidParameterValue",
                format!(
                    "{key:?} is no name of an object: letters, digits and /-_. are allowed, no empty or dotted part"
                ),
            );
        }
        Ok(self.folder.join("outbox").join(key))
    }
}

fn is_key(key: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.');
    key.len() <= 1024
        && key.bytes().all(plain)
        && key.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && part.len() <= 255)
}

/// Makes the folders down to `folder`, and brings each to the disk.
fn make_folders(root: &Path, folder: &Path) -> io::Result<()> {
    if folder.exists() || !folder.starts_with(root) {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(root);
    make_folders(root, parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(parent)?.sync_all(),
    }
}
