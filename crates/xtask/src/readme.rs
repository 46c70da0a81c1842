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
/// The picture of its output.
const PICTURE: &str = "docs/scan.svg";

/// A generated part: document, mark, and what stands between `<!-- MARK -->` and `<!-- end -->`.
type Part = (&'static str, &'static str, fn(&str) -> String);

/// All generated parts; each is given what the command printed.
const PARTS: &[Part] = &[("README.md", "scan", last_lines), ("README.md", "extractors", |_| extractors())];

/// Writes or compares the generated parts.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.check {
        check()?;
    } else {
        for (file, text) in generated()? {
            if fs::read_to_string(&file).is_ok_and(|old| timeless(&old) == timeless(&text)) {
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
        if timeless(&old) != timeless(&text) {
            bail!("a generated part of {file} is stale; run `cargo xtask readme`");
        }
    }
    for command in commands(&fs::read_to_string("README.md")?) {
        run_command(Command::new("bash").args(["-euo", "pipefail", "-c", &command]))?;
    }
    Ok(())
}

/// Each document with generated parts, as it should be.
fn generated() -> Result<BTreeMap<String, String>> {
    let shown = SHOWN.replace("run", "run --quiet");
    let printed = output(Command::new("bash").args(["-euo", "pipefail", "-c", &shown]))?;
    let mut documents = BTreeMap::from([(PICTURE.to_owned(), picture::terminal(SHOWN, &printed))]);
    for (file, mark, part) in PARTS {
        let text = match documents.remove(*file) {
            Some(text) => text,
            None => fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?,
        };
        documents.insert((*file).to_owned(), replaced(file, &text, mark, &part(&printed))?);
    }
    Ok(documents)
}

/// The text without the milliseconds of a scan, and without the width of their line in the picture: they differ from run
/// to run.
fn timeless(text: &str) -> String {
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

/// The end of what the command printed: coverage, and the line that sums up.
fn last_lines(printed: &str) -> String {
    let end = printed.find("coverage:").map_or(printed, |at| &printed[at..]);
    format!("```text\n{end}```\n")
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
