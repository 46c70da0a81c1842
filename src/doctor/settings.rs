// SPDX-License-Identifier: Apache-2.0
//! Whether each secret that a setting names is there; its value is dropped at once.

use std::path::PathBuf;

use super::{Check, State};
use crate::config::effective::SecretFrom;
use crate::config::{Config, Origins};
use crate::secret::Vault;

/// One check a secret.
pub(super) async fn checks(config: &Config, origins: &Origins, vault: &Vault) -> Vec<Check> {
    let mut checks = Vec::new();
    for row in &origins.rows {
        let Some(from) = &row.secret else { continue };
        let (state, detail) = match vault.fetch(from).await {
            Ok(secret) => (State::Good, format!("{secret:?}")),
            Err(_) if is_to_be_made(config, from) => {
                (State::Note, "not there yet, the agent makes it".to_owned())
            }
            Err(missing) => (State::Bad, format!("not set, {missing}")),
        };
        checks.push(Check::new("secrets", row.name.clone(), state, detail));
    }
    checks
}

/// True for the deployment's own key before the first start.
fn is_to_be_made(config: &Config, from: &SecretFrom) -> bool {
    let own: PathBuf = config.state.join("deployment.key");
    *from == SecretFrom::File(own.clone()) && !own.exists()
}
