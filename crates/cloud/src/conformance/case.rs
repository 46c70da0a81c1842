// SPDX-License-Identifier: Apache-2.0
//! What a case is, and how it fails.

use std::fmt;

use crate::owned::NotOurs;
use crate::{Class, Error};

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What must be so.
    pub name: &'static str,
    /// The section of the collected facts that says so.
    pub fact: &'static str,
    /// How it is not so.
    pub result: Result<(), String>,
}

/// What is not as expected: cases that fail, and expected failures that pass or are no cases at all.
pub fn surprises(cases: &[Case], expected_failures: &[&str]) -> Vec<String> {
    let is_expected = |case: &&Case| expected_failures.contains(&case.name);
    let mut surprises: Vec<String> = Vec::new();
    for case in cases {
        match &case.result {
            Err(why) if !is_expected(&case) => {
                surprises.push(format!("{} (facts, {}): {why}", case.name, case.fact));
            }
            Ok(()) if is_expected(&case) => {
                surprises
                    .push(format!("{}: it passes now, so it is no expected failure any more", case.name));
            }
            _ => {}
        }
    }
    let is_case = |name: &str| cases.iter().any(|case| case.name == name);
    let unknown = expected_failures.iter().filter(|name| !is_case(name));
    surprises.extend(unknown.map(|name| format!("{name}: there is no such case, or it was never reached")));
    surprises
}

/// The cases so far.
#[derive(Default)]
pub(super) struct Cases {
    pub(super) all: Vec<Case>,
}

impl Cases {
    /// Takes a case's result; answers what it came to.
    pub(super) fn add<T>(
        &mut self,
        name: &'static str,
        fact: &'static str,
        result: Result<T, Failure>,
    ) -> Option<T> {
        let (result, value) = match result {
            Ok(value) => (Ok(()), Some(value)),
            Err(failure) => (Err(failure.0), None),
        };
        self.all.push(Case { name, fact, result });
        value
    }
}

/// How something is not so.
#[derive(Debug)]
pub(super) struct Failure(pub(super) String);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(format!("{:?}: {error}", error.class))
    }
}

impl From<NotOurs> for Failure {
    fn from(error: NotOurs) -> Self {
        Self(error.to_string())
    }
}

/// Fails with these words unless it is so.
pub(super) fn ensure(is_so: bool, words: impl FnOnce() -> String) -> Result<(), Failure> {
    if is_so { Ok(()) } else { Err(Failure(words())) }
}

/// Fails unless both are the same.
pub(super) fn same<T: PartialEq + fmt::Debug>(found: T, wanted: T) -> Result<(), Failure> {
    ensure(found == wanted, || format!("{found:?}, not {wanted:?}"))
}

/// Fails unless the call was refused with an error of this class, and this code if one is named.
pub(super) fn refused<T>(answer: Result<T, Error>, class: Class, code: Option<&str>) -> Result<(), Failure> {
    match answer {
        Ok(_) => Err(Failure(format!("it was answered, not refused as {class:?}"))),
        Err(error) if error.class == class && code.is_none_or(|code| error.code == code) => Ok(()),
        Err(error) => {
            let code = code.unwrap_or("any code");
            Err(Failure(format!("{error} is {:?}, not {class:?} with {code}", error.class)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expected_failure_that_passes_or_is_no_case_is_a_surprise() {
        let case = |name, result| Case { name, fact: "1.1", result };
        let cases = [case("passes", Ok(())), case("fails", Err("so".to_owned()))];
        assert_eq!(surprises(&cases, &["fails"]), Vec::<String>::new());
        assert_eq!(surprises(&cases, &[]).len(), 1);
        assert_eq!(surprises(&cases, &["fails", "passes", "missing"]).len(), 2);
    }
}
