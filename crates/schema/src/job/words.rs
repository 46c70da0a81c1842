// SPDX-License-Identifier: Apache-2.0
//! How a target is named on the command line.
//!
//! | word | is |
//! |---|---|
//! | `i-…`, `vol-…`, `snap-…`, `ami-…` and 1 to 17 of `0-9a-f` | the instance, volume, snapshot or image of that id |
//! | a word with `/`, such as `./snap-1` | a path |
//! | a word that begins like an id and is none, such as `snap-1.img` | refused: it could be meant either way |
//! | any other word, such as `web-03.img` | a path |

use super::JobTarget;
use super::parse::is_cloud_id;

/// Why words do not name targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetError {
    /// It begins like an id and does not have the form of one.
    Ambiguous {
        /// The word.
        word: String,
        /// What it begins with.
        prefix: &'static str,
    },
    /// Ids and paths were given together.
    Mixed,
    /// There is an empty word, or none at all.
    Empty,
}

impl std::fmt::Display for TargetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TargetError::Ambiguous { word, prefix } => write!(
                f,
                "`{word}` begins like an id and is none: an id is `{prefix}` with 1 to 17 of 0-9 and a-f, a file is `./{word}`"
            ),
            TargetError::Mixed => write!(f, "ids and paths are given together; name either"),
            TargetError::Empty => write!(f, "a target is missing; name an id such as i-0abc, or a path"),
        }
    }
}

impl std::error::Error for TargetError {}

/// The targets that words name: each id is one, and all paths together are the disks of one machine. Whether a path is
/// a folder is for who can look.
///
/// # Errors
/// A word that could be meant either way, ids and paths together, no word.
pub fn targets(words: &[String]) -> Result<Vec<JobTarget>, TargetError> {
    let mut ids = Vec::new();
    let mut paths = Vec::new();
    for word in words {
        match target(word)? {
            Some(target) => ids.push(target),
            None => paths.push(word.clone()),
        }
    }
    match (ids.is_empty(), paths.is_empty()) {
        (true, true) => Err(TargetError::Empty),
        (false, false) => Err(TargetError::Mixed),
        (false, true) => Ok(ids),
        (true, false) => Ok(vec![JobTarget::Image { paths }]),
    }
}

/// The target of an id; `None` for a path.
fn target(word: &str) -> Result<Option<JobTarget>, TargetError> {
    if word.is_empty() {
        return Err(TargetError::Empty);
    }
    if word.contains('/') {
        return Ok(None);
    }
    type Make = fn(String) -> JobTarget;
    let kinds: [(&'static str, Make); 4] = [
        ("i-", |id| JobTarget::Instance { id }),
        ("vol-", |id| JobTarget::Volume { id }),
        ("snap-", |id| JobTarget::Snapshot { id }),
        ("ami-", |id| JobTarget::Ami { id }),
    ];
    match kinds.into_iter().find(|(prefix, _)| word.starts_with(prefix)) {
        Some((prefix, make)) if is_cloud_id(word, prefix) => Ok(Some(make(word.to_owned()))),
        Some((prefix, _)) => Err(TargetError::Ambiguous { word: word.to_owned(), prefix }),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(words: &[&str]) -> Result<Vec<JobTarget>, TargetError> {
        targets(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_word_with_a_slash_is_a_path_and_one_without_may_be_an_id() {
        assert_eq!(named(&["snap-1"]), Ok(vec![JobTarget::Snapshot { id: "snap-1".to_owned() }]));
        assert_eq!(named(&["./snap-1"]), Ok(vec![JobTarget::Image { paths: vec!["./snap-1".to_owned()] }]));
        assert_eq!(named(&["web-03.img", "b"]).map(|targets| targets.len()), Ok(1));
        let ids = named(&["i-0abc", "vol-1", "ami-2"]).unwrap();
        assert_eq!(ids.iter().map(JobTarget::name).collect::<Vec<_>>(), ["i-0abc", "vol-1", "ami-2"]);
    }

    #[test]
    fn a_word_that_begins_like_an_id_and_is_none_is_refused_with_both_ways_to_write_it() {
        for word in ["snap-1.img", "i-xyz", "vol-", "ami-0ABC"] {
            let error = named(&[word]).unwrap_err();
            assert!(error.to_string().contains(&format!("./{word}")), "{error}");
        }
        assert_eq!(named(&["i-1", "./a"]), Err(TargetError::Mixed));
        assert_eq!(named(&[]), Err(TargetError::Empty));
    }
}
