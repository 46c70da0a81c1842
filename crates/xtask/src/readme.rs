// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask readme`: the generated parts of documents, and the commands that they promise.

mod picture;

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use snapscan_inventory::{Profile, registry};
use snapscan_schema::Reason;

use crate::steps::{output, run as run_command};

/// Options of `readme`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only compare; fail if a generated part differs
    #[arg(long)]
    check: bool,
}

/// The command whose output the README shows.
const SHOWN: &str = "cargo run --release -- scan fixtures/debian-ext4-gpt.img.zst";
/// The README's first command.
const DEMO: &str = "cargo run --release -- demo";
/// With this line begins what is shown of it; what comes before is another story in each run.
const DEMO_END: &str = "What was found, and what was not";
/// From this line on each run has its own numbers, and each host its own barriers.
const DEMO_OWN: &str = "What it would have cost";
/// The pictures of what they print.
const SCAN_PICTURE: &str = "docs/scan.svg";
const DEMO_PICTURE: &str = "docs/demo.svg";

/// What the commands printed that are shown.
struct Printed {
    scan: String,
    demo: String,
}

/// A generated part: document, mark, and what stands between `<!-- MARK -->` and `<!-- end -->`.
type Part = (&'static str, &'static str, fn(&Printed) -> String);

/// All generated parts; each is given what the commands printed.
const PARTS: &[Part] = &[
    ("README.md", "scan", |printed| format!("```text\n{}```\n", end_of(&printed.scan, "coverage:"))),
    ("README.md", "extractors", |_| extractors()),
];

/// Writes or compares the generated parts.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.check {
        check()?;
    } else {
        for (file, text) in generated()? {
            if fs::read_to_string(&file).is_ok_and(|old| timeless(&file, &old) == timeless(&file, &text)) {
                continue;
            }
            fs::write(&file, text)?;
            println!("   {file} written");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails if a generated part is stale, or a command of the README does not work.
pub(crate) fn check() -> Result<()> {
    for (file, text) in generated()? {
        let old = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        if timeless(&file, &old) != timeless(&file, &text) {
            bail!("a generated part of {file} is stale; run `cargo xtask readme`");
        }
    }
    let commands = commands(&fs::read_to_string("README.md")?);
    if commands.first().map(String::as_str) != Some(DEMO) {
        bail!("the first command of README.md is not `{DEMO}`");
    }
    // The first one has run to its end above.
    for command in commands.into_iter().skip(1) {
        run_command(Command::new("bash").args(["-euo", "pipefail", "-c", &command]))?;
    }
    Ok(())
}

/// Each document with generated parts, as it should be.
fn generated() -> Result<BTreeMap<String, String>> {
    let printed = |command: &str| {
        let quiet = command.replace("run", "run --quiet");
        output(Command::new("bash").args(["-euo", "pipefail", "-c", &quiet]))
    };
    let printed = Printed { scan: printed(SHOWN)?, demo: printed(DEMO)? };
    let demo = format!("…\n\n{}", end_of(&printed.demo, DEMO_END));
    let mut documents = BTreeMap::from([
        (SCAN_PICTURE.to_owned(), picture::terminal(SHOWN, &printed.scan)),
        (DEMO_PICTURE.to_owned(), picture::terminal(DEMO, &demo)),
    ]);
    for (file, mark, part) in PARTS {
        let text = match documents.remove(*file) {
            Some(text) => text,
            None => fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?,
        };
        documents.insert((*file).to_owned(), replaced(file, &text, mark, &part(&printed))?);
    }
    Ok(documents)
}

/// The text without what differs from run to run, and from host to host: the milliseconds of a scan, and the width of
/// their line in the picture; of the demo's picture its numbers, and what has its own in each run.
fn timeless(file: &str, text: &str) -> String {
    if file == DEMO_PICTURE {
        let lines = text.lines().take_while(|line| !line.contains(DEMO_OWN));
        return lines.map(|line| line.replace(|letter: char| letter.is_ascii_digit(), "") + "\n").collect();
    }
    let lines = text.lines().map(|line| match line.find(" ms") {
        Some(end) => {
            let begin = line[..end].rfind(|letter: char| !letter.is_ascii_digit()).map_or(0, |at| at + 1);
            let words = format!("{}{}", &line[..begin], &line[end..]);
            match words.split_once(" textLength=\"") {
                Some((before, after)) => {
                    let after = after.split_once('"').map_or(after, |(_, after)| after);
                    format!("{before}{after}\n")
                }
                None => words + "\n",
            }
        }
        None => format!("{line}\n"),
    });
    lines.collect()
}

/// The end of what a command printed, from these words on.
fn end_of<'a>(printed: &'a str, words: &str) -> &'a str {
    printed.find(words).map_or(printed, |at| &printed[at..])
}

/// The commands of the README's blocks that are marked `sh`, but for those that the gate runs by itself.
fn commands(readme: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside && !line.starts_with('#') && !line.trim().is_empty() => {
                commands.push(line.split("  #").next().unwrap_or(line).trim().to_owned());
            }
            _ => {}
        }
    }
    commands.retain(|command| !command.starts_with("cargo test") && !command.starts_with("cargo xtask ci"));
    commands
}

fn replaced(file: &str, text: &str, mark: &str, part: &str) -> Result<String> {
    let begin = format!("<!-- {mark} -->\n");
    let (before, rest) = text.split_once(&begin).with_context(|| format!("{file} has no mark `{mark}`"))?;
    let (_, after) =
        rest.split_once("<!-- end -->").with_context(|| format!("{file}: `{mark}` does not end"))?;
    Ok(format!("{before}{begin}{part}<!-- end -->{after}"))
}

fn extractors() -> String {
    let mut table = "| extractor | reads | profile |\n|---|---|---|\n".to_owned();
    for extractor in registry::ALL {
        let profile = if extractor.profile == Profile::Os { "os" } else { "full" };
        table.push_str(&format!("| `{}` | {} | {profile} |\n", extractor.name, extractor.title));
    }
    table
}

/// The page of reason codes, as the table in the schema has them.
pub(crate) fn reasons_page() -> Result<(&'static str, String)> {
    let file = "docs/reasons.md";
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    Ok((file, replaced(file, &text, "reasons", &reasons())?))
}

fn reasons() -> String {
    let mut table = "| code | status | weight | means | what to do |\n|---|---|---|---|---|\n".to_owned();
    for reason in Reason::ALL {
        let row = reason.explain();
        let status = row.status.map_or("note".to_owned(), |status| format!("{status:?}").to_lowercase());
        let weight = format!("{:?}", row.weight).to_lowercase();
        table.push_str(&format!(
            "| `{}` | {status} | {weight} | {} {} | {} |\n",
            row.code,
            sentence(row.text),
            row.meaning,
            row.remedy
        ));
    }
    table
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_of_another_host_and_hour_has_the_same_picture_and_other_findings_have_not() {
        let demo = |found: &str, own: &str| {
            timeless(DEMO_PICTURE, &picture::terminal(DEMO, &format!("{found}\n{DEMO_OWN}\n{own}\n")))
        };
        let one = demo("web  Debian; 11 packages", "$0.01\n18 barriers hold");
        assert_eq!(one, demo("web  Debian; 11 packages", "$0.0123\n9 barriers\n    landlock"));
        assert_ne!(one, demo("web  Rocky; 11 packages", "$0.01\n18 barriers hold"));
        assert_ne!(timeless("README.md", "made 12"), timeless("README.md", "made 7"));
        let scanned = |milliseconds| timeless(SCAN_PICTURE, &format!("9 blocks, {milliseconds} ms"));
        assert_eq!(scanned(67), scanned(1234));
    }
}
