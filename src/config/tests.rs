// SPDX-License-Identifier: Apache-2.0
//! What wins, what is refused, and what a person is told.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::effective::{CloudChoice, Limits, Login, Prices, SandboxSettings, SecretFrom, Sink};
use super::{Config, Flags, Origins, Surroundings};
use crate::error::Failure;
use crate::secret::Vault;

/// Loads folders of files under the given environment and `--set`.
fn load(folders: &[&Path], environment: &[(&str, &str)], set: &[&str]) -> Result<(Config, Origins), Failure> {
    let flags = Flags {
        config: folders.iter().map(|folder| (*folder).to_owned()).collect(),
        set: set.iter().map(|set| (*set).to_owned()).collect(),
    };
    let pairs = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut environment: BTreeMap<_, _> = pairs.collect();
    environment.entry("XDG_STATE_HOME".to_owned()).or_insert("/home/ada/.state".to_owned());
    Config::load_in(&flags, &Surroundings { environment, root: false })
}

/// A folder with one file of this text.
fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("10-test.toml"), text).unwrap();
    folder
}

/// What is wrong with a file of this text, without its folder.
fn problems(text: &str) -> Vec<String> {
    let folder = folder(text);
    let failure = load(&[folder.path()], &[], &[]).map(|_| ()).unwrap_err();
    let prefix = format!("{}/", folder.path().display());
    failure.details.iter().map(|detail| detail.replace(&prefix, "")).collect()
}

#[test]
fn nothing_configured_is_a_local_cloud_in_the_users_state_folder() {
    let empty = tempfile::tempdir().unwrap();
    let (config, _) = load(&[empty.path()], &[], &[]).unwrap();
    assert_eq!(config.state, PathBuf::from("/home/ada/.state/snapscan"));
    assert!(matches!(&config.cloud, CloudChoice::Local { folder } if folder == &config.state.join("cloud")));
    assert_eq!(config.key, SecretFrom::File(config.state.join("deployment.key")));
    assert!(
        matches!(&config.sinks[..], [Sink::Dir { folder, .. }] if folder == &config.state.join("findings"))
    );
    let root = Surroundings { root: true, ..Surroundings::default() };
    assert_eq!(root.state(), PathBuf::from("/var/lib/snapscan"));
}

#[test]
fn the_tables_defaults_are_those_of_the_types() {
    let empty = tempfile::tempdir().unwrap();
    let (config, _) = load(&[empty.path()], &[], &[]).unwrap();
    let same = |one: &dyn std::fmt::Debug, other: &dyn std::fmt::Debug| {
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    };
    same(&config.agent, &super::effective::AgentSettings::default());
    same(&config.sandbox, &SandboxSettings::default());
    same(&config.limits, &Limits::default());
    same(&config.prices, &Prices::default());
}

#[test]
fn flags_win_over_environment_over_later_files_over_earlier_ones() {
    let one = folder("agent.inspect = 3\nagent.pending = 3\nagent.scanners = 3\nagent.lease = \"200s\"\n");
    fs::write(one.path().join("20-later.toml"), "[agent]\ninspect = 4\npending = 4\nscanners = 4\n").unwrap();
    let environment = [("SNAPSCAN_AGENT_INSPECT", "5"), ("SNAPSCAN_AGENT_PENDING", "5")];
    let (config, origins) = load(&[one.path()], &environment, &["agent.inspect=6"]).unwrap();
    let agent = &config.agent;
    assert_eq!((agent.inspect, agent.pending, agent.scanners), (6, 5, 4));
    assert_eq!(agent.lease, Duration::from_secs(200));
    let origin = |name: &str| {
        let row = origins.rows.iter().find(|row| row.name == name).unwrap();
        row.origin.to_string().replace(&format!("{}/", one.path().display()), "")
    };
    assert_eq!(origin("agent.inspect"), "flag --set");
    assert_eq!(origin("agent.pending"), "environment SNAPSCAN_AGENT_PENDING");
    assert_eq!(origin("agent.scanners"), "20-later.toml:4");
    assert_eq!(origin("agent.lease"), "10-test.toml:4");
    assert_eq!(origin("agent.drain"), "default");
}

#[test]
fn of_files_with_equal_names_the_later_folders_hides_the_others_whole() {
    let (weak, strong) = (folder("agent.inspect = 3\nagent.pending = 3\n"), folder("agent.inspect = 4\n"));
    let (config, _) = load(&[weak.path(), strong.path()], &[], &[]).unwrap();
    assert_eq!((config.agent.inspect, config.agent.pending), (4, 200));
}

#[test]
fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
    assert_eq!(
        problems("[agent]\n\npendng = 5\n"),
        ["10-test.toml:3: agent.pendng is no setting; did you mean agent.pending?"]
    );
    let failure = load(&[], &[("SNAPSCAN_AGENT_PENDNG", "5")], &[]).map(|_| ()).unwrap_err();
    let wanted = "environment: SNAPSCAN_AGENT_PENDNG is no setting; did you mean SNAPSCAN_AGENT_PENDING?";
    assert_eq!(failure.details, [wanted]);
}

#[test]
fn a_variable_of_ours_that_is_no_setting_is_left_alone() {
    let empty = tempfile::tempdir().unwrap();
    assert!(load(&[empty.path()], &[("SNAPSCAN_ROOT_TESTS", "1"), ("SNAPSCAN_LOG", "debug")], &[]).is_ok());
}

#[test]
fn a_value_of_a_wrong_kind_names_file_and_line() {
    for (text, wanted) in [
        (
            "\n[agent]\npending = \"many\"\n",
            "10-test.toml:3: agent.pending must be a whole number, and is a text",
        ),
        ("agent.inspect = 0\n", "10-test.toml:1: agent.inspect must be from 1 to 256, and is 0"),
        (
            "agent.lease = 300\n",
            "10-test.toml:1: agent.lease must be a duration such as \"90s\", and is the number 300",
        ),
        (
            "agent.kernel_fallback = \"yes\"\n",
            "10-test.toml:1: agent.kernel_fallback must be true or false, and is a text",
        ),
        (
            "agent.method = \"fast\"\n",
            "10-test.toml:1: agent.method must be auto or direct or attach, and is \"fast\"",
        ),
        ("state = \"here\"\n", "10-test.toml:1: state must be an absolute path, and is \"here\""),
        (
            "agent.exclude_tags = [1]\n",
            "10-test.toml:1: agent.exclude_tags must be a list of texts, and is a list of other things than texts",
        ),
        ("[accounts.123]\nrole = \"x\"\n", "10-test.toml:2: \"123\" is no account: twelve digits"),
        (
            "[sinks.\"A b\"]\nkind = \"dir\"\n",
            "10-test.toml:2: \"A b\" is no name of a sink: up to 32 small letters, digits and dashes",
        ),
        ("[accounts.111122223333]\n", "10-test.toml:1: [accounts.111122223333] says nothing"),
    ] {
        assert_eq!(problems(text), [wanted]);
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    assert_eq!(
        problems("agent.pending = 0\nagent.nothing_like_it_at_all = 1\nlimits.dollars_a_day = -1\n").len(),
        3
    );
}

#[test]
fn a_line_that_is_no_toml_is_named_and_not_repeated() {
    let told = problems("agent.inspect = 2\npassword = hunter2\n");
    assert!(told[0].starts_with("10-test.toml:2: ") && !told[0].contains("hunter2"), "{told:?}");
}

#[test]
fn contradictions_are_refused() {
    let csam = "[sinks.qualys]\nkind = \"csam\"\nconnector = \"c\"\n";
    let token = "token = \"env:T\"\n";
    for (text, wanted) in [
        ("agent.margin = \"200s\"\n", "10-test.toml:1: agent.margin must be at most half of agent.lease"),
        ("agent.deadline = \"60s\"\n", "10-test.toml:1: agent.drain must be shorter than agent.deadline"),
        ("cloud.queue = \"https://q\"\n", "10-test.toml:1: cloud.queue belongs to cloud.kind = \"aws\""),
        ("cloud.kind = \"remote\"\n", "cloud.socket is missing"),
        ("[accounts.111122223333]\nrole = \"r\"\n", "accounts.111122223333.external_id is missing"),
        ("sinks.out.folder = \"/out\"\n", "sinks.out: kind is missing"),
        (
            "[sinks.out]\nkind = \"dir\"\nfolder = \"/out\"\npod = \"US1\"\n",
            "sinks.out: pod belongs to kind = \"csam\"",
        ),
        (
            &format!("{csam}pod = \"US1\"\ngateway = \"https://x\"\n{token}"),
            "sinks.qualys: pod and gateway name the same",
        ),
        (&format!("{csam}{token}"), "sinks.qualys: pod or gateway is missing"),
        (&format!("{csam}pod = \"US9\"\n{token}"), "sinks.qualys: pod \"US9\" is none of US1"),
        (&format!("{csam}gateway = \"http://example.com\"\n{token}"), "sinks.qualys: gateway must be https"),
        (
            &format!("{csam}gateway = \"https://me:hunter2@example.com\"\n{token}"),
            "sinks.qualys: gateway must not carry",
        ),
        (&format!("{csam}pod = \"US1\"\n"), "sinks.qualys: no login"),
        (&format!("{csam}pod = \"US1\"\nuser = \"env:U\"\n"), "sinks.qualys: user and password go together"),
        (
            &format!("{csam}pod = \"US1\"\nuser = \"env:U\"\npassword = \"env:P\"\n{token}"),
            "sinks.qualys: more than one login",
        ),
    ] {
        let told = problems(text);
        assert!(matches!(&told[..], [one] if one.starts_with(wanted)), "{text}\n{told:?}");
        assert!(!told[0].contains("hunter2"), "{told:?}");
    }
}

#[test]
fn aws_needs_its_places_and_a_key_and_lets_no_message_name_folders() {
    let told = problems("cloud.kind = \"aws\"\nagent.local_root = \"/srv\"\n");
    for part in ["cloud.queue", "cloud.dead", "cloud.bucket", "cloud.table", "key", "agent.local_root"] {
        assert!(told.iter().any(|line| line.contains(&format!("{part} "))), "{part}: {told:?}");
    }
}

#[test]
fn a_subscription_is_read_from_files_and_environment_together() {
    let folder = folder(
        "[sinks.qualys]\nkind = \"csam\"\npod = \"eu2\"\nuser = \"env:QUALYS_USER\"\nbatch_bytes = \"1MiB\"\n",
    );
    let environment = [
        ("SNAPSCAN_SINKS_QUALYS_CONNECTOR", "0b7e"),
        ("SNAPSCAN_SINKS_QUALYS_PASSWORD", "credential:qualys-password"),
    ];
    let (config, origins) = load(&[folder.path()], &environment, &[]).unwrap();
    let [Sink::Csam(csam)] = &config.sinks[..] else { panic!("{:?}", config.sinks) };
    assert_eq!((csam.subscription.as_str(), csam.connector.as_str()), ("qualys", "0b7e"));
    assert_eq!(csam.gateway, "https://gateway.qg2.apps.qualys.eu");
    assert_eq!((csam.batch_assets, csam.batch_bytes), (50, 1 << 20));
    assert!(
        matches!(&csam.login, Login::Password { password: SecretFrom::Credential(name), .. } if name == "qualys-password")
    );
    let row = origins.rows.iter().find(|row| row.name == "sinks.qualys.password").unwrap();
    assert_eq!(row.value, "from systemd credential qualys-password");
}

#[tokio::test]
async fn a_key_is_made_once_for_its_owner_alone() {
    let state = tempfile::tempdir().unwrap();
    let set = format!("state={}", state.path().join("new").display());
    let empty = tempfile::tempdir().unwrap();
    let (config, _) = load(&[empty.path()], &[], &[&set]).unwrap();
    let vault = Vault { cloud: None, credentials: None, variable: |_| None };
    let one = super::key::deployment_key(&config, &vault).await.unwrap();
    let file = config.state.join("deployment.key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(one, super::key::deployment_key(&config, &vault).await.unwrap());
    fs::write(&file, "short").unwrap();
    let failure = super::key::deployment_key(&config, &vault).await.unwrap_err();
    assert!(failure.what.contains("64 hexadecimal digits"), "{}", failure.what);
}
