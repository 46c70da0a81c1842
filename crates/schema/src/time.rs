// SPDX-License-Identifier: Apache-2.0
//! Points in time as people and other tools write them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds; negative before.
///
/// Shape: in JSON `2026-11-21T13:30:09Z` (RFC 3339, UTC, whole seconds); in a format that is not for people (postcard)
///        the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// Seconds in a day.
const DAY: i64 = 86_400;

impl Time {
    /// The date and time of day in RFC 3339, UTC, whole seconds.
    pub fn rfc3339(self) -> String {
        format!("{}Z", self.stem())
    }

    /// The same with nine digits of fraction.
    pub fn rfc3339_nanos(self, nanos: u32) -> String {
        format!("{}.{nanos:09}Z", self.stem())
    }

    fn stem(self) -> String {
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        let second = self.0.rem_euclid(DAY);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}", second % 60)
    }

    /// Reads what [`Time::rfc3339`] writes, and dates without a time of day; UTC only.
    pub fn parse(text: &str) -> Option<Time> {
        let (date, time) = match text.split_once(['T', ' ']) {
            Some((date, time)) => (date, time.strip_suffix('Z')?),
            None => (text, "00:00:00"),
        };
        let mut date = date.splitn(3, '-').map(|n| n.parse::<i64>().ok());
        let (year, month, day) = (date.next()??, date.next()??, date.next()??);
        let whole = time.split_once('.').map_or(time, |(whole, _)| whole);
        let mut time = whole.splitn(3, ':').map(|n| n.parse::<i64>().ok());
        let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
        let known = (0..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second);
        known.then(|| Time(days(year, month, day) * DAY + hour * 3600 + minute * 60 + second))
    }
}

/// Year, month and day of a day number; day 0 is 1970-01-01.
/// Years are counted from March, so that the leap day is the last of its year; an era is 400 years.
fn civil(day_number: i64) -> (i64, i64, i64) {
    let shifted = day_number + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Day number of a date; the inverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&self.rfc3339())
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return i64::deserialize(deserializer).map(Time);
        }
        let text = String::deserialize(deserializer)?;
        Time::parse(&text).ok_or_else(|| D::Error::custom(format!("not a time in RFC 3339, UTC: {text:?}")))
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time", "description": "UTC, whole seconds" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from `date -u -d @N +%FT%TZ`.
    #[test]
    fn known_instants_are_written_as_date_writes_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
            (16_299_260_424, "2486-07-02T20:20:24Z"),
            (-2_147_483_648, "1901-12-13T20:45:52Z"),
        ] {
            assert_eq!(Time(seconds).rfc3339(), text);
            assert_eq!(Time::parse(text), Some(Time(seconds)));
        }
    }

    #[test]
    fn words_that_are_no_time_are_refused() {
        for text in ["", "now", "2026-13-01", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00+01:00"] {
            assert_eq!(Time::parse(text), None, "{text}");
        }
    }
}
