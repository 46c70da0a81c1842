// SPDX-License-Identifier: Apache-2.0
//! Secrets: a type that does not print, is wiped, and is read when it is used.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use snapscan_cloud::secrets::GetSecret;
use snapscan_cloud::{Cloud, Scope};
use zeroize::Zeroizing;

use crate::config::effective::SecretFrom;
use crate::error::Failure;

/// More than any password, token or key has.
const LARGEST: u64 = 64 << 10;

/// A secret. It prints only where it is from, and is wiped when it is dropped.
#[derive(Clone)]
pub(crate) struct Secret {
    value: Zeroizing<String>,
    from: String,
}

impl Secret {
    /// A value, and in words where it is from.
    pub(crate) fn new(value: Zeroizing<String>, from: impl Into<String>) -> Self {
        Self { value, from: from.into() }
    }

    /// The value; for the one line that uses it.
    pub(crate) fn reveal(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set, from {}", self.from)
    }
}

/// A secret that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read a secret from {from}: {why}")]
pub(crate) struct Missing {
    /// Where it should be.
    pub(crate) from: String,
    /// What happened.
    pub(crate) why: String,
}

impl From<Missing> for Failure {
    fn from(missing: Missing) -> Failure {
        Failure::new(missing.to_string(), "`snapscan doctor` shows which setting names this place")
    }
}

/// Where secrets are fetched.
#[derive(Clone)]
pub(crate) struct Vault {
    /// The cloud with Secrets Manager, and in whose name it is asked; absent before there is a cloud.
    pub(crate) cloud: Option<(Cloud, Scope)>,
    /// systemd's folder of credentials.
    pub(crate) credentials: Option<PathBuf>,
    /// Reads an environment variable.
    pub(crate) variable: fn(&str) -> Option<String>,
}

impl Vault {
    /// The vault of this process.
    pub(crate) fn here(cloud: Option<(Cloud, Scope)>) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        Self { cloud, credentials: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from), variable }
    }

    /// Fetches a secret, without a line break at its end.
    ///
    /// # Errors
    /// Where it should be and is not, cannot be read, is empty, or can be read by others.
    pub(crate) async fn fetch(&self, from: &SecretFrom) -> Result<Secret, Missing> {
        let value = match from {
            SecretFrom::Manager(name) => self.manager(name).await,
            SecretFrom::Environment(name) => {
                (self.variable)(name).map(Zeroizing::new).ok_or_else(|| "the variable is not set".to_owned())
            }
            SecretFrom::Credential(name) => match &self.credentials {
                Some(folder) => read(&folder.join(name), false),
                None => Err("$CREDENTIALS_DIRECTORY is not set: the unit needs LoadCredential=".to_owned()),
            },
            SecretFrom::File(path) => read(path, true),
        };
        let missing = |why: String| Missing { from: from.to_string(), why };
        let value = value.map_err(missing)?;
        let trimmed = value.trim_end_matches(['\n', '\r']);
        if trimmed.is_empty() {
            return Err(missing("it is empty".to_owned()));
        }
        Ok(Secret::new(Zeroizing::new(trimmed.to_owned()), from.to_string()))
    }

    async fn manager(&self, name: &str) -> Result<Zeroizing<String>, String> {
        let (cloud, scope) = self.cloud.as_ref().ok_or("there is no cloud to ask yet")?;
        let secret = cloud.ask(scope, GetSecret { name: name.to_owned() }).await;
        // The code and not the message: who knows what a service repeats there.
        secret
            .map(|secret| Zeroizing::new(secret.reveal()))
            .map_err(|error| format!("{}: {}", error.action, error.code))
    }
}

fn read(path: &Path, private: bool) -> Result<Zeroizing<String>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no file".to_owned());
    }
    if private && metadata.mode() & 0o077 != 0 {
        return Err(format!("others may read it (mode {:03o}); `chmod 600` it", metadata.mode() & 0o777));
    }
    if metadata.len() > LARGEST {
        return Err(format!("it has {} bytes, and no secret has more than {LARGEST}", metadata.len()));
    }
    let mut text = Zeroizing::new(String::new());
    match file.take(LARGEST).read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err("it is not text".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
