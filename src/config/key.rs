// SPDX-License-Identifier: Apache-2.0
//! The deployment's key, by which our things are told from others'.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::effective::{Config, SecretFrom};
use crate::error::Failure;
use crate::secret::Vault;

/// The key; made where none is configured, since without one nothing of ours could ever be released.
///
/// # Errors
/// A place that cannot be read or written, or that holds something else than 64 hexadecimal digits.
pub(crate) async fn deployment_key(config: &Config, vault: &Vault) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let own = config.state.join("deployment.key");
    if config.key == SecretFrom::File(own.clone()) {
        make(&own).map_err(|error| {
            let what = format!("cannot make the deployment's key in `{}`: {error}", own.display());
            Failure::new(what, "check the folder and who may write there, or set `state`")
        })?;
    }
    let secret = vault.fetch(&config.key).await?;
    decode(secret.reveal()).ok_or_else(|| {
        let what = format!("the deployment's key ({}) is not 64 hexadecimal digits", config.key);
        Failure::new(what, "restore it: with another key nothing that was made before can be released")
    })
}

/// Makes a key, if there is none. Whoever comes second of two finds the first one's.
fn make(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut bytes = Zeroizing::new([0; 32]);
    File::open("/dev/urandom")?.read_exact(bytes.as_mut())?;
    let text = Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let temporary = folder.join(format!(".deployment.key.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    // A link does not replace: of two processes one wins, and both use its key.
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(folder)?.sync_all(),
    }
}

fn decode(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(key)
}
