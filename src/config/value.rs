// SPDX-License-Identifier: Apache-2.0
//! How single values are written: durations, bytes, dollars, places of secrets.

use std::path::PathBuf;
use std::time::Duration;

use super::effective::SecretFrom;
use super::keys::Kind;
use super::written::Raw;

/// A value that has the right kind and lies in its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Words, paths, choices.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// A count, bytes, or millionths of a dollar.
    Number(u64),
    /// A duration.
    Duration(Duration),
    /// Several words.
    Words(Vec<String>),
    /// Where a secret is.
    Secret(SecretFrom),
}

/// Reads a value as its key wants it.
///
/// # Errors
/// What was expected instead, as a fragment that follows the key's name. A text that should have named the place of a
/// secret is not repeated: it may be the secret.
pub(crate) fn read(kind: Kind, raw: &Raw) -> Result<Value, String> {
    match kind {
        Kind::Text => plain(raw, "a text").map(Value::Text),
        Kind::Path => {
            let path = plain(raw, "a path")?;
            if path.starts_with('/') {
                Ok(Value::Text(path))
            } else {
                Err(format!("must be an absolute path, and is {path:?}"))
            }
        }
        Kind::Choice(choices) => {
            let word = plain(raw, &choices.join(" or "))?;
            let known = choices.contains(&word.as_str());
            if known {
                Ok(Value::Text(word))
            } else {
                Err(format!("must be {}, and is {word:?}", choices.join(" or ")))
            }
        }
        Kind::Flag => match raw {
            Raw::Flag(flag) => Ok(Value::Flag(*flag)),
            Raw::Loose(text) if text == "true" || text == "false" => Ok(Value::Flag(text == "true")),
            other => Err(format!("must be true or false, and is {}", other.shown())),
        },
        Kind::Count(least, most) => match raw {
            Raw::Integer(text) | Raw::Loose(text) => {
                let number = text.parse().map_err(|_| format!("must be a whole number, and is {text}"))?;
                within(number, least, most, |n| n.to_string()).map(Value::Number)
            }
            other => Err(format!("must be a whole number, and is {}", other.shown())),
        },
        Kind::Duration(least, most) => {
            let text = plain(raw, "a duration such as \"90s\"")?;
            let seconds = duration(&text).ok_or_else(|| {
                format!("must be a duration such as \"90s\", \"5m\" or \"11h\", and is {text:?}")
            })?;
            let seconds = within(seconds, least, most, |n| format!("{n}s"))?;
            Ok(Value::Duration(Duration::from_secs(seconds)))
        }
        Kind::Bytes(least, most) => {
            let text = plain(raw, "a size such as \"256MiB\"")?;
            let size = bytes(&text).ok_or_else(|| {
                format!("must be a size such as \"512KiB\", \"256MiB\" or \"4GiB\", and is {text:?}")
            })?;
            within(size, least, most, |n| format!("{n} B")).map(Value::Number)
        }
        Kind::Dollars => match raw {
            Raw::Integer(text) | Raw::Float(text) | Raw::Loose(text) | Raw::Text(text) => {
                microdollars(text).map(Value::Number).ok_or_else(|| {
                    format!("must be dollars with at most six decimals, such as 0.003, and is {text}")
                })
            }
            other => Err(format!("must be dollars such as 0.003, and is {}", other.shown())),
        },
        Kind::Words => match raw {
            Raw::List(words) => Ok(Value::Words(words.clone())),
            Raw::Loose(text) => {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                Ok(Value::Words(words.map(str::to_owned).collect()))
            }
            other => Err(format!("must be a list of texts, and is {}", other.shown())),
        },
        Kind::Secret => match raw {
            Raw::Text(text) | Raw::Loose(text) => {
                secret(text).map(Value::Secret).ok_or_else(|| SECRET.to_owned())
            }
            _ => Err(SECRET.to_owned()),
        },
    }
}

const SECRET: &str = "must say where the secret is: manager:NAME, credential:NAME, env:NAME or file:/PATH \
                      (what stands there is not shown)";

fn plain(raw: &Raw, wanted: &str) -> Result<String, String> {
    match raw {
        Raw::Text(text) | Raw::Loose(text) if !text.is_empty() => Ok(text.clone()),
        other => Err(format!("must be {wanted}, and is {}", other.shown())),
    }
}

fn within(number: u64, least: u64, most: u64, shown: impl Fn(u64) -> String) -> Result<u64, String> {
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(format!("must be from {} to {}, and is {}", shown(least), shown(most), shown(number)))
}

/// Seconds of `90s`, `5m`, `11h`, `7d`.
fn duration(text: &str) -> Option<u64> {
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
    units.iter().find_map(|(unit, seconds)| whole(text.strip_suffix(unit)?)?.checked_mul(*seconds))
}

/// Bytes of `1KiB`, `256MiB`, `4GiB`, `1TiB`, `100B`.
fn bytes(text: &str) -> Option<u64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("B", 0_u32)];
    units.iter().find_map(|(unit, shift)| {
        whole(text.strip_suffix(unit)?.trim_end())?.checked_mul(1_u64.checked_shl(*shift)?)
    })
}

fn whole(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Millionths of a dollar of `0.003`, exactly.
fn microdollars(text: &str) -> Option<u64> {
    let (dollars, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.len() > 6 {
        return None;
    }
    let millionths = whole(&format!("{fraction:0<6}"))?;
    whole(dollars)?.checked_mul(1_000_000)?.checked_add(millionths)
}

/// Where a secret is.
fn secret(text: &str) -> Option<SecretFrom> {
    let (kind, name) = text.split_once(':')?;
    if name.is_empty() {
        return None;
    }
    match kind {
        "manager" => Some(SecretFrom::Manager(name.to_owned())),
        // A credential is a file in one folder: its name must not lead out of it.
        "credential" if !name.contains('/') && !name.starts_with('.') => {
            Some(SecretFrom::Credential(name.to_owned()))
        }
        "env" => Some(SecretFrom::Environment(name.to_owned())),
        "file" if name.starts_with('/') => Some(SecretFrom::File(PathBuf::from(name))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_one_number_and_one_unit() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("11h", 39_600), ("7d", 604_800)] {
            assert_eq!(duration(text), Some(seconds), "{text}");
        }
        for text in
            ["", "s", "90", "1h30m", "-5s", "+5s", "1.5h", "99999999999999999999s", "9999999999999999999d"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_two_and_nothing_else() {
        for (text, size) in [("100B", 100), ("1KiB", 1024), ("256MiB", 268_435_456), ("4 GiB", 4_294_967_296)]
        {
            assert_eq!(bytes(text), Some(size), "{text}");
        }
        for text in ["256", "256MB", "256M", "-1KiB", "17179869184TiB"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn dollars_keep_their_millionths() {
        for (text, micro) in [("0.003", 3_000), ("0.0006", 600), ("10", 10_000_000), ("0.000001", 1)] {
            assert_eq!(microdollars(text), Some(micro), "{text}");
        }
        for text in ["", ".5", "1e3", "-1", "0.0000001", "nan"] {
            assert_eq!(microdollars(text), None, "{text}");
        }
    }

    #[test]
    fn a_secret_that_stands_in_the_clear_is_refused_and_not_repeated() {
        for text in ["hunter2", "credential:../x", "file:relative", "manager:", "credential:.hidden"] {
            let refused = read(Kind::Secret, &Raw::Text(text.to_owned())).unwrap_err();
            assert_eq!(refused, SECRET, "{text}");
        }
    }
}
