// SPDX-License-Identifier: Apache-2.0
//! What the agent that finished says it cost, from its metrics, held against the bill.

use std::collections::BTreeMap;

use super::bill::Line;

/// What an agent counted itself, in the words of the bill.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Own {
    /// Requests by action.
    pub(super) calls: BTreeMap<String, u64>,
    /// Blocks that were answered.
    pub(super) blocks: u64,
    /// Bytes of them.
    pub(super) bytes: u64,
    /// Seconds that snapshots existed, as far as it can know.
    pub(super) snapshot_seconds: u64,
    /// Seconds that volumes existed, as far as it can know.
    pub(super) volume_seconds: u64,
    /// Dollars.
    pub(super) dollars: f64,
}

impl Own {
    /// Reads metrics in Prometheus's text format.
    pub(super) fn of(metrics: &str) -> Self {
        let mut own = Self::default();
        for line in metrics.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let count: u64 = value.parse().unwrap_or(0);
            match name.split_once('{').map_or(name, |(name, _)| name) {
                "snapscan_calls_total" => {
                    let action = label(name, "action").filter(|action| !action.starts_with("imds:"));
                    action.into_iter().for_each(|action| *own.calls.entry(action).or_default() += count);
                }
                "snapscan_read_blocks_total" => own.blocks = count,
                "snapscan_read_bytes_total" => own.bytes = count,
                "snapscan_cost_dollars_total" => own.dollars = value.parse().unwrap_or(0.0),
                "snapscan_resources_existed_seconds_total" => match label(name, "kind").as_deref() {
                    Some("snapshot") => own.snapshot_seconds = count,
                    Some("volume") => own.volume_seconds = count,
                    _ => {}
                },
                _ => {}
            }
        }
        own
    }

    /// Pages of lists of blocks.
    pub(super) fn lists(&self) -> u64 {
        self.calls.get("ebs:ListSnapshotBlocks").copied().unwrap_or(0)
    }

    /// What is not as the bill says, in words. Seconds may be more, and never less: that something is gone is known only
    /// when the answer is here.
    pub(super) fn against(&self, bill: &Line) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut compare = |what: &str, own: u64, log: u64| {
            if own != log {
                wrong.push(format!("{what}: the agent says {own}, the cloud's log {log}"));
            }
        };
        let actions: std::collections::BTreeSet<&String> =
            self.calls.keys().chain(bill.calls.keys()).collect();
        let of = |calls: &BTreeMap<String, u64>, action: &String| calls.get(action).copied().unwrap_or(0);
        for action in actions {
            compare(action, of(&self.calls, action), of(&bill.calls, action));
        }
        compare("blocks", self.blocks, bill.blocks);
        compare("bytes", self.bytes, bill.bytes);
        compare("snapshot seconds", self.snapshot_seconds.min(bill.snapshot_seconds), bill.snapshot_seconds);
        compare("volume seconds", self.volume_seconds.min(bill.volume_seconds), bill.volume_seconds);
        wrong
    }
}

/// The value of a label.
fn label(name: &str, label: &str) -> Option<String> {
    let (_, rest) = name.split_once(&format!("{label}=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_back_and_every_difference_from_the_bill_has_a_name() {
        let metrics = "# HELP snapscan_calls Requests\n\
            snapscan_calls_total{action=\"ebs:GetSnapshotBlock\",outcome=\"ok\"} 4\n\
            snapscan_calls_total{action=\"ebs:GetSnapshotBlock\",outcome=\"given_up\"} 1\n\
            snapscan_calls_total{action=\"imds:Watch\",outcome=\"ok\"} 99\n\
            snapscan_read_blocks_total 5\nsnapscan_read_bytes_total 2621440\n\
            snapscan_resources_existed_seconds_total{kind=\"snapshot\"} 91\n\
            snapscan_cost_dollars_total 0.000016785\n# EOF\n";
        let own = Own::of(metrics);
        let calls = BTreeMap::from([("ebs:GetSnapshotBlock".to_owned(), 5)]);
        assert_eq!((&own.calls, own.blocks, own.bytes), (&calls, 5, 5 * 524_288));
        assert_eq!((own.snapshot_seconds, own.dollars), (91, 0.000_016_785));
        let mut bill = Line { calls, blocks: 5, bytes: 5 * 524_288, snapshot_seconds: 90, ..Line::default() };
        assert_eq!(own.against(&bill), Vec::<String>::new());
        bill.snapshot_seconds = 92;
        bill.blocks = 6;
        bill.calls.insert("ec2:DeleteSnapshot".to_owned(), 1);
        assert_eq!(
            own.against(&bill),
            [
                "ec2:DeleteSnapshot: the agent says 0, the cloud's log 1",
                "blocks: the agent says 5, the cloud's log 6",
                "snapshot seconds: the agent says 91, the cloud's log 92",
            ]
        );
    }
}
