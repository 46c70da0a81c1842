// SPDX-License-Identifier: Apache-2.0
//! The menu that GRUB shows, as far as it can be told without running its script.
//!
//! Source: GRUB's manual, "Configuration": `default`, `menuentry`, `submenu`, "The GRUB environment block"; menus of
//!         grub-mkconfig. GRUB Legacy's manual: `default`, `title`, `kernel`.

/// Lines of a menu that are read.
const MOST_LINES: usize = 100_000;

/// The entry that grub-set-default saved.
pub(super) fn saved_entry(environment: &[u8]) -> Option<Vec<u8>> {
    let mut lines = environment.split(|&byte| byte == b'\n');
    let saved = lines.find_map(|line| line.strip_prefix(b"saved_entry="))?.trim_ascii();
    (!saved.is_empty()).then(|| saved.to_vec())
}

/// One line of the menu, in the order of the file.
struct Item<'a> {
    /// How many submenus it is in.
    depth: usize,
    title: &'a [u8],
    id: Option<&'a [u8]>,
    /// The file name of its kernel; `None` for a submenu, or what boots no Linux.
    image: Option<&'a [u8]>,
}

/// The file name of the kernel that boots.
pub(super) fn default(menu: &[u8], saved: Option<Vec<u8>>) -> Option<Vec<u8>> {
    let chosen = match variable(menu) {
        Some(name) if name.starts_with(b"$") => saved.unwrap_or_else(|| b"0".to_vec()),
        Some(entry) => entry.to_vec(),
        None => b"0".to_vec(),
    };
    let items = items(menu);
    let mut within = 0..items.len();
    let mut found = None;
    for (depth, step) in chosen.split(|&byte| byte == b'>').enumerate() {
        let step = step.trim_ascii();
        let mut level = within.clone().filter(|&at| items.get(at).is_some_and(|item| item.depth == depth));
        let at = match std::str::from_utf8(step).ok().and_then(|text| text.parse::<usize>().ok()) {
            Some(number) => level.nth(number),
            None => level
                .find(|&at| items.get(at).is_some_and(|item| item.title == step || item.id == Some(step))),
        }?;
        let begin = at.saturating_add(1);
        let below = items.get(begin..within.end)?.iter().take_while(|item| item.depth > depth).count();
        within = begin..begin.saturating_add(below);
        found = items.get(at);
    }
    found?.image.map(<[u8]>::to_vec)
}

/// What the script sets `default` to, but for the entry that boots once.
fn variable(menu: &[u8]) -> Option<&[u8]> {
    let lines = menu.split(|&byte| byte == b'\n').take(MOST_LINES).map(<[u8]>::trim_ascii);
    let values = lines.filter_map(|line| line.strip_prefix(b"set default=")).map(unquoted);
    values.filter(|value| *value != b"${next_entry}").last()
}

fn unquoted(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    match text {
        [b'"', inside @ .., b'"'] | [b'\'', inside @ .., b'\''] => inside,
        _ => text,
    }
}

/// All entries and submenus.
fn items(menu: &[u8]) -> Vec<Item<'_>> {
    let mut items: Vec<Item<'_>> = Vec::new();
    // For each block that is open: is it a submenu?
    let mut blocks = Vec::new();
    for line in menu.split(|&byte| byte == b'\n').take(MOST_LINES).map(<[u8]>::trim_ascii) {
        let words = words(line);
        let command = words.first().copied().unwrap_or_default();
        match command {
            b"menuentry" | b"submenu" => {
                let id = words.iter().position(|word| *word == b"--id" || *word == b"$menuentry_id_option");
                let id = id.and_then(|at| words.get(at.saturating_add(1))).copied();
                let title = words.get(1).copied().unwrap_or_default();
                let depth = blocks.iter().filter(|is_submenu| **is_submenu).count();
                items.push(Item { depth, title, id, image: None });
            }
            b"linux" | b"linux16" | b"linuxefi" => {
                let path = words.get(1).copied().unwrap_or_default();
                if let Some(item) = items.last_mut().filter(|_| !blocks.is_empty()) {
                    item.image = item.image.or(path.rsplit(|&byte| byte == b'/').next());
                }
            }
            b"}" => {
                blocks.pop();
            }
            _ => {}
        }
        if line.ends_with(b"{") && blocks.len() < MOST_LINES {
            blocks.push(command == b"submenu");
        }
    }
    items
}

/// The words of a line, those in quotes without them.
fn words(line: &[u8]) -> Vec<&[u8]> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        let Some(&first) = rest.first() else { return words };
        let (word, after) = match first {
            b'\'' | b'"' => {
                let inside = rest.get(1..).unwrap_or_default();
                let end = memchr::memchr(first, inside).unwrap_or(inside.len());
                (inside.get(..end), inside.get(end.saturating_add(1)..))
            }
            _ => {
                let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                (rest.get(..end), rest.get(end..))
            }
        };
        words.push(word.unwrap_or_default());
        rest = after.unwrap_or_default();
    }
}

/// The file name of the kernel that GRUB Legacy boots.
pub(super) fn old_default(menu: &[u8]) -> Option<Vec<u8>> {
    let mut number = 0;
    let mut images: Vec<Option<&[u8]>> = Vec::new();
    for line in menu.split(|&byte| byte == b'\n').take(MOST_LINES).map(<[u8]>::trim_ascii) {
        let mut words =
            line.split(|byte| byte.is_ascii_whitespace() || *byte == b'=').filter(|word| !word.is_empty());
        match words.next().unwrap_or_default() {
            b"default" => {
                number = std::str::from_utf8(words.next()?).ok()?.parse::<usize>().ok()?;
            }
            b"title" => images.push(None),
            b"kernel" => {
                if let Some(image) = images.last_mut() {
                    *image = words.next().and_then(|path| path.rsplit(|&byte| byte == b'/').next());
                }
            }
            _ => {}
        }
    }
    images.get(number).copied().flatten().map(<[u8]>::to_vec)
}
