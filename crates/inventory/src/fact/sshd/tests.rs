// SPDX-License-Identifier: Apache-2.0

use std::collections::BTreeMap;
use std::sync::Arc;

use snapscan_disk::fs::mem::{MemBuilder, MemTree};
use snapscan_disk::machine::Tree;
use snapscan_schema::{Fact, Reason, Value};

use super::*;
use crate::engine::probe::probe;
use crate::sink::Found;

fn found(files: &[(&str, &str)]) -> Found {
    let builder = files.iter().fold(MemTree::builder(), |b: MemBuilder, (path, text)| b.file(path, text));
    probe(&Tree::new(Arc::new(builder.build().unwrap()), "disk"), &SSHD).found
}

fn facts(found: &Found) -> Vec<&Fact> {
    found.findings.iter().filter_map(|one| one.fact()).collect()
}

/// What is set outside of `Match` blocks, a list as its words with bars between.
fn set(found: &Found) -> BTreeMap<String, String> {
    let outside = facts(found).into_iter().filter(|fact| !fact.values.contains_key("match"));
    outside.map(|fact| (fact.subject.to_json().into_owned(), value(fact))).collect()
}

fn value(fact: &Fact) -> String {
    match &fact.values["value"] {
        Value::Text(text) => text.to_json().into_owned(),
        Value::List(all) => all.iter().map(|one| one.to_json().into_owned()).collect::<Vec<_>>().join("|"),
        other => panic!("{other:?}"),
    }
}

/// The lines were given to `sshd -T` of OpenSSH 9.2p1, and this is what it printed for them.
#[test]
fn values_are_printed_as_sshd_prints_them() {
    for (lines, keyword, expected) in [
        ("PermitRootLogin=prohibit-password", "permitrootlogin", "without-password"),
        (" \tpasswordauthentication = \"no\"", "passwordauthentication", "no"),
        ("LoginGraceTime 2m", "logingracetime", "120"),
        ("ClientAliveInterval 1m30s", "clientaliveinterval", "90"),
        ("RekeyLimit 512M 1h", "rekeylimit", "536870912 3600"),
        ("MaxStartups 10", "maxstartups", "10:30:10"),
        ("Compression delayed", "compression", "yes"),
        ("AllowTcpForwarding all", "allowtcpforwarding", "yes"),
        ("loglevel verbose", "loglevel", "VERBOSE"),
        ("SyslogFacility authpriv", "syslogfacility", "AUTHPRIV"),
        ("streamlocalbindmask 077", "streamlocalbindmask", "077"),
        ("AcceptEnv A B # comment\nAcceptEnv C", "acceptenv", "A|B|C"),
        ("AllowUsers a b@10.0.0.0/8\nAllowUsers c", "allowusers", "a|b@10.0.0.0/8|c"),
        ("Port 2222\nPort 22", "port", "2222|22"),
        (
            "Port 2222\nPort 22\nListenAddress 10.0.0.1\nListenAddress 10.0.0.2:99\nListenAddress ::1",
            "listenaddress",
            "10.0.0.1:2222|10.0.0.1:22|10.0.0.2:99|[::1]:2222|[::1]:22",
        ),
        (
            "AuthenticationMethods publickey,password publickey",
            "authenticationmethods",
            "publickey,password publickey",
        ),
        ("PermitOpen a:1 b:2\nPermitOpen c:3", "permitopen", "a:1 b:2"),
        ("IPQoS af21 cs1\nIPQoS ef", "ipqos", "ef ef"),
        ("SetEnv A=1 \"B=2 3\"\nSetEnv C=4", "setenv", "A=1|B=2 3"),
        ("GatewayPorts YES", "gatewayports", "yes"),
        ("Banner /etc/issue.net\nBanner none", "banner", "/etc/issue.net"),
        ("ChallengeResponseAuthentication no", "kbdinteractiveauthentication", "no"),
        ("AuthorizedKeysFile .ssh/a \"/etc/k s/%u\"", "authorizedkeysfile", ".ssh/a /etc/k s/%u"),
        ("Subsystem sftp  internal-sftp -f AUTH -l INFO", "subsystem", "sftp internal-sftp -f AUTH -l INFO"),
        ("ForceCommand \"echo hi\"  there", "forcecommand", "\"echo hi\"  there"),
        ("VersionAddendum a  b # c", "versionaddendum", "a  b # c"),
        ("PubkeyAcceptedKeyTypes ssh-ed25519", "pubkeyacceptedalgorithms", "ssh-ed25519"),
        ("Banner /a\nMatch all\nBanner /x", "banner", "/x"),
        ("MaxSessions 3\nMatch User x\nMaxSessions 4", "maxsessions", "3"),
    ] {
        let found = found(&[("etc/ssh/sshd_config", lines)]);
        assert!(found.problems.is_empty(), "{lines}: {:?}", found.problems);
        assert_eq!(set(&found).get(keyword).map(String::as_str), Some(expected), "{lines}");
    }
}

#[test]
fn what_a_match_block_sets_is_told_apart_with_its_conditions_and_place() {
    let found = found(&[
        (
            "etc/ssh/sshd_config",
            "X11Forwarding no\nMatch User a,b Address 10.*\n X11Forwarding yes\nInclude c\n",
        ),
        ("etc/ssh/c", "Banner /in\nMatch Group g\nBanner /deep\nMatch all\nMaxSessions 1\n"),
    ]);
    let inside: Vec<_> = facts(&found)
        .into_iter()
        .filter_map(|fact| {
            let Value::List(conditions) = fact.values.get("match")? else { panic!() };
            let conditions: Vec<_> = conditions.iter().map(|one| one.to_json().into_owned()).collect();
            Some((
                fact.subject.to_json().into_owned(),
                value(fact),
                conditions.join(" & "),
                fact.evidence.line,
            ))
        })
        .collect();
    let users = "User a,b Address 10.*";
    let expected = [
        ("banner", "/in", users.to_owned(), 1),
        ("banner", "/deep", format!("{users} & Group g"), 3),
        ("maxsessions", "1", users.to_owned(), 5),
        ("x11forwarding", "yes", users.to_owned(), 3),
    ];
    let expected = expected.map(|(k, v, c, line)| (k.to_owned(), v.to_owned(), c, Some(line)));
    assert_eq!(inside.len(), expected.len());
    assert!(expected.iter().all(|one| inside.contains(one)), "{inside:?}");
    assert_eq!(set(&found), BTreeMap::from([("x11forwarding".to_owned(), "no".to_owned())]));
}

#[test]
fn included_files_stand_where_their_line_stands_and_the_first_value_wins() {
    let found = found(&[
        (
            "etc/ssh/sshd_config",
            "Port 1\nInclude d/[0-9]*.conf /etc/other\nPort 3\nBanner /main\nUseDNS no\n",
        ),
        ("etc/ssh/d/20.conf", "Banner /20\nUseDNS yes\n"),
        ("etc/ssh/d/10.conf", "Banner /10\n"),
        ("etc/ssh/d/x0.conf", "Banner /x\n"),
        ("etc/other", "Port 2\n"),
    ]);
    let expected = [("banner", "/10"), ("port", "1|2|3"), ("usedns", "yes")];
    assert_eq!(set(&found), BTreeMap::from(expected.map(|(k, v)| (k.to_owned(), v.to_owned()))));
    let banner = facts(&found)[0];
    assert_eq!(
        (banner.evidence.path.as_bytes(), banner.evidence.line),
        (&b"/etc/ssh/d/10.conf"[..], Some(1))
    );
}

#[test]
fn files_that_include_each_other_end_at_a_limit() {
    let found = found(&[("etc/ssh/sshd_config", "Include sshd_config sshd_config\nPort 1\n")]);
    assert_eq!(found.problems.len(), 1);
    assert_eq!(found.problems[0].code, Reason::LimitReached);
    assert!(set(&found)["port"].starts_with("1|1"));
}

#[test]
fn lines_that_sshd_refuses_are_problems_with_their_place() {
    let found = found(&[("etc/ssh/sshd_config", "Port\nBanner \"x\n= 3\nUseDNS no\n")]);
    let details: Vec<_> = found.problems.iter().map(|one| one.detail.to_json().into_owned()).collect();
    assert_eq!(details.len(), 3);
    assert!(
        (1..=3).all(|line| details.iter().any(|one| one.contains(&format!("line {line}:")))),
        "{details:?}"
    );
    assert_eq!(set(&found).len(), 1);
}
