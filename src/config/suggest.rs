// SPDX-License-Identifier: Apache-2.0
//! Which setting was meant by a name that is none.

use super::keys::KEYS;

/// Below this likeness (0 to 1, Jaro-Winkler) a guess would only confuse.
const ALIKE: f64 = 0.8;

/// The setting whose name is most like this one, if any is.
pub(crate) fn suggest(name: &str) -> Option<String> {
    let middle = name.split('.').nth(1).filter(|_| name.matches('.').count() >= 2).unwrap_or("NAME");
    let known = KEYS.iter().map(|key| key.name.replace('*', middle));
    let rated = known.map(|known| (likeness(name, &known), known));
    rated
        .filter(|(rate, _)| *rate >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

/// How alike two names are; the right last part in a wrong section counts as nearly right.
fn likeness(name: &str, known: &str) -> f64 {
    let whole = strsim::jaro_winkler(name, known);
    let part = |text: &'_ str| text.rsplit('.').next().unwrap_or_default().to_owned();
    if part(name) == part(known) { whole.max(0.95) } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_setting_that_was_meant() {
        for (name, meant) in [
            ("agent.pendng", Some("agent.pending")),
            ("pending", Some("agent.pending")),
            ("agent.memory", Some("sandbox.memory")),
            ("sinks.qualys.conector", Some("sinks.qualys.connector")),
            ("accounts.111122223333.externalid", Some("accounts.111122223333.external_id")),
            ("zzzzzz", None),
        ] {
            assert_eq!(suggest(name).as_deref(), meant, "{name}");
        }
    }
}
