// SPDX-License-Identifier: Apache-2.0
//! How a machine looks to Qualys: one element of `assetData`.
//!
//! Source: Qualys, "Generic API Webhook Connector". Repeats update the same asset, since its native key is the
//! instance's ARN and its hardware UUID is made of that.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use snapscan_schema::outcome::{Delivery, Parcel};
use snapscan_schema::{Finding, JobTarget, Package, Text};
use uuid::Uuid;

use super::mark::{Member, NAMESPACE};
use crate::cli::Format;
use crate::error::Failure;
use crate::render::{render, whole_version};

/// The name by which Qualys knows the asset: an ARN, or a name of ours for what is in no cloud.
pub(super) fn native_key(delivery: &Delivery) -> String {
    if let Some(instance) = delivery.instance.as_ref().filter(|instance| !instance.arn.is_empty()) {
        return instance.arn.clone();
    }
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let (account, region) = (part(&delivery.account), part(&delivery.region));
    match &delivery.target {
        JobTarget::Instance { id } => format!("arn:aws:ec2:{region}:{account}:instance/{id}"),
        JobTarget::Volume { id } => format!("arn:aws:ec2:{region}:{account}:volume/{id}"),
        // Snapshots and images carry no account in their ARN.
        JobTarget::Snapshot { id } => format!("arn:aws:ec2:{region}::snapshot/{id}"),
        JobTarget::Ami { id } => format!("arn:aws:ec2:{region}::image/{id}"),
        JobTarget::Image { paths } => format!("snapscan:image:{}", paths.join(",")),
        JobTarget::Directory { path } => format!("snapscan:directory:{path}"),
    }
}

/// The asset of a parcel.
///
/// # Errors
/// None that a report can cause.
pub(super) fn asset(parcel: &Parcel, member: &Member) -> Result<Value, Failure> {
    let header = &parcel.report.header;
    let facts = parcel.delivery.instance.clone().unwrap_or_default();
    let dns = facts.hostnames.first().cloned();
    let host = header.hostname.as_ref().map(text).or_else(|| dns.clone());
    let system = header.system.as_ref();
    let hardware = Uuid::new_v5(&NAMESPACE, format!("hardware\n{}", member.native).as_bytes());
    let mut identity = json!({
        "sourceNativeKey": member.native,
        "hardwareUuid": hardware.to_string(),
    });
    put(&mut identity, "instanceUuid", (!facts.id.is_empty()).then(|| facts.id.clone().into()));
    put(&mut identity, "hostName", host.clone().map(Value::from));
    put(&mut identity, "fqdn", dns.clone().map(Value::from));
    put(&mut identity, "macAddress", facts.macs.first().cloned().map(Value::from));
    put(&mut identity, "ipAddress", (!facts.addresses.is_empty()).then(|| facts.addresses.clone().into()));
    let mut core = json!({
        "isContainer": false,
        "softwares": softwares(parcel),
        "customConnectorAttributes": custom(parcel, member)?,
    });
    let pretty =
        system.map(|system| system.pretty_name.as_ref().or(system.name.as_ref()).unwrap_or(&system.id));
    put(&mut core, "operatingSystem", pretty.map(|name| text(name).into()));
    put(&mut core, "osVersion", system.and_then(|system| system.version_id.as_ref()).map(|v| text(v).into()));
    put(&mut core, "osArchitecture", header.architecture.clone().map(Value::from));
    put(&mut core, "hostName", host.map(Value::from));
    put(&mut core, "dnsName", dns.map(Value::from));
    put(&mut core, "networkInterfaces", interfaces(&facts.addresses, &facts.macs));
    Ok(json!({ "identityAttributes": identity, "coreAttributes": core }))
}

/// One entry a package that is installed.
fn softwares(parcel: &Parcel) -> Vec<Value> {
    let packages =
        parcel.report.findings.iter().filter_map(Finding::package).filter(|package| is_installed(package));
    let software = |package: &Package| {
        json!({
            "name": text(&package.name),
            "version": whole_version(package),
            "isSystemApp": is_systems_own(package),
            "isEnterpriseApp": false,
        })
    };
    packages.map(software).collect()
}

/// False for what dpkg only remembers the configuration of.
fn is_installed(package: &Package) -> bool {
    let status = package.status.as_ref().map(text).unwrap_or_default();
    !(package.ecosystem.as_bytes() == b"deb"
        && (status.ends_with(" config-files") || status.ends_with(" not-installed")))
}

fn is_systems_own(package: &Package) -> bool {
    !matches!(package.ecosystem.as_bytes(), b"snap" | b"flatpak")
}

/// What the sync call has no place for: where the whole report is, and how whole it is.
fn custom(parcel: &Parcel, member: &Member) -> Result<Value, Failure> {
    let sbom = render(&parcel.report, Format::Cyclonedx)?;
    let facts = parcel.report.findings.iter().filter(|finding| finding.fact().is_some()).count();
    Ok(json!({
        "reportId": member.delivery,
        "reportSha256": parcel.delivery.report_sha256,
        "reportLocation": member.report,
        "sbomSha256": crate::render::hex(&Sha256::digest(&sbom)),
        "coverage": if parcel.report.coverage.is_incomplete() { "partial" } else { "complete" },
        "configurationFacts": facts.to_string(),
        "scanner": format!("{} {}", parcel.report.header.tool.name, parcel.report.header.tool.version),
    }))
}

/// One interface an address; hardware addresses only where it is plain which belongs to which.
fn interfaces(addresses: &[String], macs: &[String]) -> Option<Value> {
    let mac = macs.first().filter(|_| macs.len() == 1);
    let interface = |address: &String| {
        let mut one = json!({ "address": address, "type": "PRIVATE" });
        put(
            &mut one,
            if address.contains(':') { "ipv6Address" } else { "ipv4Address" },
            Some(address.clone().into()),
        );
        put(&mut one, "macAddress", mac.cloned().map(Value::from));
        one
    };
    (!addresses.is_empty()).then(|| addresses.iter().map(interface).collect())
}

fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        object[name] = value;
    }
}

fn text(text: &Text) -> String {
    text.to_json().into_owned()
}
