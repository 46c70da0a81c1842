// SPDX-License-Identifier: Apache-2.0
//! The demo's folder: private, and gone at the end unless it shall be kept.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::Failure;

/// Bytes of a Unix socket's path at most. Source: unix(7), `sun_path` with its final zero.
const SOCKET_PATH: usize = 107;

/// The demo's folder.
pub(super) struct Stage {
    folder: PathBuf,
    is_kept: bool,
    /// A folder of its own for the socket, where the path of the other is too long.
    aside: Option<PathBuf>,
}

impl Stage {
    /// A folder that nobody else can look into: `keep`, which must be new or empty, or a temporary one.
    ///
    /// # Errors
    /// What the system answers; a folder that holds something.
    pub(super) fn new(keep: Option<&Path>) -> Result<Self, Failure> {
        let folder = keep.map_or_else(temporary, Path::to_owned);
        let refused = |error: io::Error| {
            Failure::new(
                format!("cannot use the folder `{}`: {error}", folder.display()),
                "name another one with --keep; TMPDIR says where temporary ones are made",
            )
        };
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(refused)?;
        if fs::read_dir(&folder).map_err(refused)?.next().is_some() {
            return Err(Failure::usage(
                format!("the folder `{}` is not empty", folder.display()),
                "name one that is new or empty with --keep",
            ));
        }
        let folder = folder.canonicalize().map_err(refused)?;
        let mut stage = Self { folder, is_kept: keep.is_some(), aside: None };
        if stage.socket().as_os_str().len() > SOCKET_PATH {
            let aside = temporary();
            DirBuilder::new().mode(0o700).create(&aside).map_err(refused)?;
            stage.aside = Some(aside);
        }
        for part in [stage.cloud(), stage.config(), stage.images()] {
            DirBuilder::new().mode(0o700).create(part).map_err(refused)?;
        }
        Ok(stage)
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Is it left at the end?
    pub(super) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// The cloud.
    pub(super) fn cloud(&self) -> PathBuf {
        self.folder.join("cloud")
    }

    /// The agent's configuration.
    pub(super) fn config(&self) -> PathBuf {
        self.folder.join("config.d")
    }

    /// The agent's state.
    pub(super) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Unpacked images, until the cloud has its own.
    pub(super) fn images(&self) -> PathBuf {
        self.folder.join("images")
    }

    /// Where the cloud answers.
    pub(super) fn socket(&self) -> PathBuf {
        self.aside.as_ref().unwrap_or(&self.folder).join("cloud.sock")
    }

    /// What the agent counts.
    pub(super) fn metrics(&self) -> PathBuf {
        self.folder.join("agent.prom")
    }

    /// What a process of this name says.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What cannot be removed is in a folder for temporary things; there is nobody left to tell.
        if !self.is_kept {
            let _left = fs::remove_dir_all(&self.folder);
        }
        let _gone = fs::remove_file(self.socket());
        if let Some(aside) = &self.aside {
            let _left = fs::remove_dir_all(aside);
        }
    }
}

fn temporary() -> PathBuf {
    std::env::temp_dir().join(format!("snapscan-demo-{}", uuid::Uuid::new_v4().simple()))
}
