// SPDX-License-Identifier: Apache-2.0
//! Names of things in a cloud, each of a type of its own.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $is:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text as an id; `None` if it does not have the form of one.
            pub fn parse(text: &str) -> Option<Self> {
                let is: fn(&str) -> bool = $is;
                is(text).then(|| Self(text.to_owned()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                Self::parse(&text).ok_or_else(|| format!("{text:?} is no {}", stringify!($name)))
            }
        }
    )*};
}

ids! {
    /// An AWS account: twelve digits.
    AccountId, |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    /// A region, such as `eu-west-1`.
    Region, |text| (2..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    /// An instance: `i-` and up to 17 hexadecimal digits.
    InstanceId, |text| hexadecimal(text, "i-");
    /// A volume: `vol-` and up to 17 hexadecimal digits.
    VolumeId, |text| hexadecimal(text, "vol-");
    /// A snapshot: `snap-` and up to 17 hexadecimal digits.
    SnapshotId, |text| hexadecimal(text, "snap-");
    /// An image: `ami-` and up to 17 hexadecimal digits.
    ImageId, |text| hexadecimal(text, "ami-");
    /// The intent under which we made something: 32 hexadecimal digits.
    IntentId, |text| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
}

fn hexadecimal(text: &str, prefix: &str) -> bool {
    let Some(digits) = text.strip_prefix(prefix) else { return false };
    (1..=17).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}

impl VolumeId {
    /// The serial number of the NVMe controller that shows this volume: the id without its dash.
    /// Source: Amazon EBS User Guide, "Identify NVMe devices".
    pub fn serial(&self) -> String {
        self.0.replacen('-', "", 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_its_own_form_and_no_other() {
        assert!(SnapshotId::parse("snap-0123456789abcdef0").is_some());
        for text in ["snap-", "snap-0123456789abcdef01", "vol-0123", "snap-01 23", "../snap-01", "snap-0A"] {
            assert_eq!(SnapshotId::parse(text), None, "{text}");
        }
        assert_eq!(VolumeId::parse("vol-0abc").map(|id| id.serial()).as_deref(), Some("vol0abc"));
        assert_eq!(AccountId::parse("12345678901"), None);
    }
}
