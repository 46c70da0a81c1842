// SPDX-License-Identifier: Apache-2.0
//! What is left out by tag.
//!
//! A tag is written `key`, whatever its value, or `key=value`, split at the first `=`, compared byte by byte. Two are
//! always respected, whatever is configured: their owner set them so that scanners stay away.

use snapscan_cloud::ec2::{Instance, Tags};
use snapscan_schema::{Job, Reason};

use crate::agent::stop::Stop;
use crate::agent::work::Disk;
use crate::config::Config;

/// Tags by which owners keep scanners away.
const OPTED_OUT: &[&str] = &["snapscan:optout=true", "QualysDoNotTouch=true"];

/// The volumes that may be read, and name and tag of those that may not.
type Sorted = (Vec<Disk>, Vec<(String, String)>);

/// Sorts out what a tag excludes.
///
/// # Errors
/// Permanent if the instance is excluded, or each of its volumes.
pub(super) fn apply(
    config: &Config,
    job: &Job,
    instance: Option<&Instance>,
    disks: Vec<(Disk, Tags)>,
) -> Result<Sorted, Stop> {
    let configured: Vec<&str> =
        config.agent.exclude_tags.iter().map(String::as_str).chain(OPTED_OUT.iter().copied()).collect();
    if let Some(instance) = instance
        && let Some(tag) = excluding(&instance.tags, &configured)
    {
        return Err(Stop::permanent(Reason::TagExcluded, format!("{} is tagged {tag}", instance.id)));
    }
    let wanted: Vec<&str> =
        configured.iter().copied().chain(job.exclude_volume_tags.iter().map(String::as_str)).collect();
    let (mut read, mut left_out) = (Vec::new(), Vec::new());
    for (disk, tags) in disks {
        match excluding(&tags, &wanted) {
            Some(tag) => left_out.push((disk.name, tag.to_owned())),
            None => read.push(disk),
        }
    }
    if read.is_empty()
        && let Some((name, tag)) = left_out.first()
    {
        let detail = format!("each volume of {} is excluded: {name} is tagged {tag}", job.target.name());
        return Err(Stop::permanent(Reason::TagExcluded, detail));
    }
    Ok((read, left_out))
}

/// The first of these tags that is among those.
fn excluding<'a>(tags: &Tags, wanted: &[&'a str]) -> Option<&'a str> {
    wanted.iter().copied().find(|wanted| match wanted.split_once('=') {
        Some((key, value)) => tags.get(key).is_some_and(|met| met == value),
        None => tags.contains_key(*wanted),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_with_a_value_is_split_at_the_first_equals_sign_and_compared_exactly() {
        let tags: Tags = [("stage".to_owned(), "a=b".to_owned())].into();
        assert_eq!(excluding(&tags, &["stage"]), Some("stage"));
        assert_eq!(excluding(&tags, &["stage=a=b"]), Some("stage=a=b"));
        for other in ["stage=a", "stage=", "Stage", "stage=A=b"] {
            assert_eq!(excluding(&tags, &[other]), None, "{other}");
        }
    }
}
