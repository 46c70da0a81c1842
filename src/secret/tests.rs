// SPDX-License-Identifier: Apache-2.0
//! Secrets from each place, and what they must never say.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use snapscan_cloud::secrets;
use snapscan_cloud::{AccountId, Answer, Call, Clock, Error, Purpose, Region, Service};

use super::*;

/// A manager that knows one secret.
struct Manager;

#[async_trait::async_trait]
impl Service for Manager {
    async fn call(&self, _: &Scope, call: Call) -> Result<Answer, Error> {
        match call {
            Call::GetSecret(request) if request.name == "qualys" => {
                Ok(Answer::GetSecret(secrets::Secret::new("hunter2\n".to_owned())))
            }
            _ => Err(Error::of("secretsmanager:GetSecretValue", "ResourceNotFoundException", "hunter2?")),
        }
    }
}

fn vault(folder: &Path) -> Vault {
    let scope = Scope {
        account: AccountId::parse("111122223333").unwrap(),
        region: Region::parse("eu-west-1").unwrap(),
        purpose: Purpose::Scanner,
        job: String::new(),
    };
    let cloud = Cloud { service: Arc::new(Manager), clock: Clock::real() };
    Vault {
        cloud: Some((cloud, scope)),
        credentials: Some(folder.to_owned()),
        variable: |name| (name == "QUALYS").then(|| "hunter2".to_owned()),
    }
}

#[tokio::test]
async fn a_secret_comes_from_each_place_and_prints_only_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "hunter2\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let vault = vault(folder.path());
    for from in [
        SecretFrom::Manager("qualys".to_owned()),
        SecretFrom::Credential("password".to_owned()),
        SecretFrom::Environment("QUALYS".to_owned()),
        SecretFrom::File(file.clone()),
    ] {
        let secret = vault.fetch(&from).await.unwrap();
        assert_eq!(secret.reveal(), "hunter2");
        assert_eq!(format!("{secret:?}"), format!("set, from {from}"));
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_says_where_it_should_be_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    fs::write(&open, "hunter2").unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(folder.path().join("empty"), "\n").unwrap();
    let vault = vault(folder.path());
    for (from, why) in [
        (SecretFrom::Manager("other".to_owned()), "ResourceNotFoundException"),
        (SecretFrom::Credential("none".to_owned()), "No such file"),
        (SecretFrom::Credential("empty".to_owned()), "it is empty"),
        (SecretFrom::Environment("OTHER".to_owned()), "the variable is not set"),
        (SecretFrom::File(open.clone()), "mode 644"),
        (SecretFrom::File(folder.path().to_owned()), "it is no file"),
    ] {
        let missing = vault.fetch(&from).await.unwrap_err();
        let text = format!("{missing} {missing:?}");
        assert!(text.contains(why) && text.contains(&from.to_string()), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
