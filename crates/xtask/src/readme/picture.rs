// SPDX-License-Identifier: Apache-2.0
//! The picture of a terminal: what a command printed, as an SVG that needs no font of its own.

use std::fmt::Write as _;

/// Width of a letter in pixels, stretched to it where the font of the reader differs.
const LETTER: usize = 7;
/// Height of a line in pixels.
const LINE: usize = 17;
/// Pixels around the text.
const FRAME: usize = 14;

/// The picture of `command` and of all that it printed.
pub(super) fn terminal(command: &str, output: &str) -> String {
    let prompt = format!("$ {command}");
    let lines: Vec<&str> = std::iter::once(prompt.as_str()).chain(output.lines()).collect();
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let (width, height) = (longest * LETTER + 2 * FRAME, lines.len() * LINE + 2 * FRAME);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"ui-monospace, monospace\" font-size=\"11.6\" fill=\"#d8dee9\" xml:space=\"preserve\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1d2129\"/>\n"
    );
    for (number, line) in (1..).zip(&lines).filter(|(_, line)| !line.is_empty()) {
        let indent = line.chars().take_while(|letter| *letter == ' ').count();
        let (x, y) = (FRAME + indent * LETTER, FRAME / 2 + number * LINE);
        let length = line.trim_start().chars().count() * LETTER;
        // Writing to a string cannot fail.
        let _ok = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\"{}>{}</text>",
            colour(line),
            escaped(line.trim_start())
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// The colour of a line: the prompt, what was not read, and the headings stand out.
fn colour(line: &str) -> &'static str {
    if line.starts_with('$') {
        " fill=\"#a3be8c\""
    } else if line.contains(": not read") || line.contains(": failed") || line.contains("read in part") {
        " fill=\"#ebcb8b\""
    } else if !line.starts_with(' ') {
        " fill=\"#88c0d0\""
    } else {
        ""
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_an_output_is_text() {
        let picture = terminal("echo", "a <b> & c\n");
        assert!(picture.contains(">a &lt;b&gt; &amp; c</text>"), "{picture}");
    }
}
