// SPDX-License-Identifier: Apache-2.0
//! Whether settings that are each in order make sense together.

use std::collections::BTreeMap;

use super::checked::Checked;
use super::keys::PODS;
use super::written::Origin;

/// Settings that belong to one kind of cloud alone.
const CLOUDS: &[(&str, &str)] = &[
    ("cloud.folder", "local"),
    ("cloud.socket", "remote"),
    ("cloud.region", "aws"),
    ("cloud.endpoint", "aws"),
    ("cloud.queue", "aws"),
    ("cloud.dead", "aws"),
    ("cloud.bucket", "aws"),
    ("cloud.table", "aws"),
    ("cloud.speed", "aws"),
    ("cloud.devices", "aws"),
];

/// What each kind of cloud cannot do without.
const NEEDS: &[(&str, &[&str])] = &[
    ("remote", &["cloud.socket"]),
    ("aws", &["cloud.queue", "cloud.dead", "cloud.bucket", "cloud.table", "key"]),
];

/// Says of each contradiction where it lies.
pub(crate) fn find(checked: &Checked, problems: &mut Vec<String>) {
    cloud(checked, problems);
    times(checked, problems);
    for account in &checked.accounts {
        for part in ["role", "external_id"] {
            let name = format!("accounts.{account}.{part}");
            if !checked.values.contains_key(&name) {
                problems
                    .push(format!("{name} is missing: an account is entered by a role and an external id"));
            }
        }
    }
    let mut subscriptions = BTreeMap::new();
    for sink in &checked.sinks {
        one_sink(checked, sink, problems);
        if checked.text(&format!("sinks.{sink}.kind")).as_deref() != Some("csam") {
            continue;
        }
        let named = checked.text(&format!("sinks.{sink}.subscription"));
        let subscription = named.unwrap_or_else(|| sink.clone());
        if let Some(other) = subscriptions.insert(subscription.clone(), sink) {
            problems.push(format!(
                "sinks {other} and {sink} both send to the subscription {subscription:?}: one uploader each"
            ));
        }
    }
}

fn cloud(checked: &Checked, problems: &mut Vec<String>) {
    let kind = checked.text("cloud.kind").unwrap_or_default();
    for (name, belongs) in CLOUDS.iter().filter(|(name, _)| checked.values.contains_key(*name)) {
        if *belongs != kind {
            let origin = checked.origin(name);
            problems.push(format!(
                "{origin}: {name} belongs to cloud.kind = \"{belongs}\", and the cloud is {kind}"
            ));
        }
    }
    for (_, needs) in NEEDS.iter().filter(|(needs, _)| *needs == kind) {
        for name in needs.iter().filter(|name| !checked.values.contains_key(**name)) {
            problems.push(format!("{name} is missing: cloud.kind = \"{kind}\" needs it"));
        }
    }
    for name in ["cloud.speed", "cloud.devices"] {
        if checked.values.contains_key(name) && !checked.values.contains_key("cloud.endpoint") {
            let origin = checked.origin(name);
            problems.push(format!("{origin}: {name} is for a stand-in: it needs cloud.endpoint"));
        }
    }
    let region = checked.text("cloud.region");
    if let Some(region) = region.filter(|region| snapscan_cloud::Region::parse(region).is_none()) {
        problems.push(format!(
            "{}: cloud.region {region:?} is no region, such as eu-west-1",
            checked.origin("cloud.region")
        ));
    }
    let root = "agent.local_root";
    if kind == "aws" && checked.values.contains_key(root) {
        let origin = checked.origin(root);
        problems.push(format!(
            "{origin}: {root} lets messages name folders of this host, so it is for local queues only"
        ));
    }
}

fn times(checked: &Checked, problems: &mut Vec<String>) {
    let of = |name: &str| checked.duration(name).unwrap_or_default();
    if of("agent.margin") * 2 > of("agent.lease") {
        let origin = later(checked, "agent.margin", "agent.lease");
        problems.push(format!(
            "{origin}: agent.margin must be at most half of agent.lease, or no lease is ever held"
        ));
    }
    if of("agent.drain") >= of("agent.deadline") {
        let origin = later(checked, "agent.drain", "agent.deadline");
        problems.push(format!("{origin}: agent.drain must be shorter than agent.deadline"));
    }
}

/// The place of whichever of two was written.
fn later(checked: &Checked, one: &str, other: &str) -> Origin {
    match checked.origin(one) {
        Origin::Default => checked.origin(other),
        written => written,
    }
}

fn one_sink(checked: &Checked, sink: &str, problems: &mut Vec<String>) {
    let has = |part: &str| checked.values.contains_key(&format!("sinks.{sink}.{part}"));
    let mut say = |text: String| problems.push(format!("sinks.{sink}: {text}"));
    let csam = [
        "subscription",
        "pod",
        "gateway",
        "connector",
        "user",
        "password",
        "client_id",
        "client_secret",
        "token",
    ];
    match checked.text(&format!("sinks.{sink}.kind")).as_deref() {
        None => say("kind is missing: dir or csam".to_owned()),
        Some("dir") => {
            if !has("folder") {
                say("folder is missing: where do findings go?".to_owned());
            }
            if let Some(part) = csam.iter().find(|part| has(part)) {
                say(format!("{part} belongs to kind = \"csam\""));
            }
        }
        Some(_) => {
            if has("folder") {
                say("folder belongs to kind = \"dir\"".to_owned());
            }
            if !has("connector") {
                say("connector is missing: the UUID of the connector that was made in Qualys".to_owned());
            }
            match (has("pod"), has("gateway")) {
                (true, true) => say("pod and gateway name the same thing: keep one".to_owned()),
                (false, false) => say("pod or gateway is missing: where is the platform?".to_owned()),
                _ => {}
            }
            let pod = checked.text(&format!("sinks.{sink}.pod"));
            if let Some(pod) =
                pod.filter(|pod| PODS.iter().all(|(known, _)| !known.eq_ignore_ascii_case(pod)))
            {
                let known: Vec<_> = PODS.iter().map(|(known, _)| *known).collect();
                say(format!("pod {pod:?} is none of {}; give the gateway's URL instead", known.join(", ")));
            }
            let gateway = checked.text(&format!("sinks.{sink}.gateway"));
            if let Some(problem) = gateway.and_then(|gateway| url(&gateway)) {
                say(format!("gateway {problem}"));
            }
            if let Some(problem) = login(has) {
                say(problem.to_owned());
            }
        }
    }
}

/// What is wrong with a gateway's URL.
fn url(gateway: &str) -> Option<&'static str> {
    let Ok(url) = reqwest::Url::parse(gateway) else {
        return Some("is no URL, such as https://gateway.qg1.apps.qualys.com");
    };
    let host = url.host_str().unwrap_or_default();
    let loopback = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Some("must not carry a name or password")
        }
        "https" => None,
        "http" if loopback => None,
        _ => Some("must be https: a password goes there"),
    }
}

/// What is wrong with the ways to a token.
fn login(has: impl Fn(&str) -> bool) -> Option<&'static str> {
    let password = (has("user"), has("password"));
    let client = (has("client_id"), has("client_secret"));
    match (password, client, has("token")) {
        ((true, true), (false, false), false)
        | ((false, false), (true, true), false)
        | ((false, false), (false, false), true) => None,
        ((false, false), (false, false), false) => {
            Some("no login: user and password, client_id and client_secret, or token")
        }
        ((one, other), (false, false), false) if one != other => Some("user and password go together"),
        ((false, false), (one, other), false) if one != other => {
            Some("client_id and client_secret go together")
        }
        _ => Some("more than one login: keep user and password, client_id and client_secret, or token"),
    }
}
