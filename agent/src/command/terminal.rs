//! What people read on a terminal: times, and text of strangers. Its control characters could move the cursor and
//! overwrite what is there, and marks of direction could show an address or an amount backwards: both are shown as
//! escapes.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    time::{Duration, UNIX_EPOCH},
};

use serde_json::Value;

/// The text on one line, with escapes (`\u{1b}`) for what would act on a terminal.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    escaped_but(text, &[], |character| character.escape_unicode().to_string())
}

/// An object of JSON, in which a string can have escapes for all of it.
pub(super) fn json(value: &Value) -> String {
    let escape = |character: char| format!("\\u{:04x}", u32::from(character));
    escaped_but(&value.to_string(), &[], escape).into_owned()
}

/// Writes a body as it came, so that it can be piped on, and with escapes to a terminal. There, and where more bodies
/// follow, it ends its line.
pub(super) fn write_body(body: &[u8], more_follow: bool) -> io::Result<()> {
    let mut output = io::stdout().lock();
    let is_terminal = output.is_terminal();
    output.write_all(&shown_body(body, is_terminal, more_follow))
}

fn shown_body(body: &[u8], is_terminal: bool, more_follow: bool) -> Cow<'_, [u8]> {
    let mut shown = Cow::Borrowed(body);
    if is_terminal {
        let text = String::from_utf8_lossy(body);
        let escape = |character: char| character.escape_unicode().to_string();
        shown = Cow::Owned(escaped_but(&text, &['\n', '\t'], escape).into_owned().into_bytes());
    }
    let ends_line = body.is_empty() || body.ends_with(b"\n");
    if (is_terminal || more_follow) && !ends_line {
        shown.to_mut().push(b'\n');
    }
    shown
}

/// A time in unix seconds, as people read it: `2026-01-31T12:00:00Z`.
pub(super) fn time(unix: i64) -> String {
    let since_epoch = Duration::from_secs(unix.try_into().unwrap_or_default());
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since_epoch).to_string()
}

fn escaped_but<'a>(text: &'a str, kept: &[char], escape: impl Fn(char) -> String) -> Cow<'a, str> {
    let acts = |character: char| acts_on_terminal(character) && !kept.contains(&character);
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let escape = |character| if acts(character) { escape(character) } else { String::from(character) };
    text.chars().map(escape).collect::<String>().into()
}

/// Controls (also those that one byte above 127 stands for), line separators, and marks of direction.
fn acts_on_terminal(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_shown_as_an_escape() {
        for (text, shown) in [
            ("insufficient_funds", "insufficient_funds"),
            ("für 3 €, 日本", "für 3 €, 日本"),
            ("\u{1b}[2Jpaid", "\\u{1b}[2Jpaid"),
            ("a\rb\nc\u{7f}\u{9b}", "a\\u{d}b\\u{a}c\\u{7f}\\u{9b}"),
            ("pay \u{202e}001\u{2069}", "pay \\u{202e}001\\u{2069}"),
        ] {
            assert_eq!(escaped(text), shown);
        }
    }

    #[test]
    fn a_body_ends_its_line_on_a_terminal_and_before_the_next_and_is_piped_as_it_came() {
        for (body, is_terminal, more_follow, shown) in [
            ("wheat", false, false, "wheat"),
            ("wheat", false, true, "wheat\n"),
            ("wheat", true, false, "wheat\n"),
            ("wheat\n", true, true, "wheat\n"),
            ("", true, true, ""),
            ("\u{1b}[2J\ta\nb", true, false, "\\u{1b}[2J\ta\nb\n"),
            ("\u{1b}[2J", false, false, "\u{1b}[2J"),
        ] {
            let told = shown_body(body.as_bytes(), is_terminal, more_follow);
            assert_eq!(told, shown.as_bytes(), "{body:?} {is_terminal} {more_follow}");
        }
        // A picture must arrive as it is.
        assert_eq!(*shown_body(&[0x89, 0xff], false, false), [0x89, 0xff]);
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = json!({ "body": "\u{1b}]0;x\u{7}\u{9b}1m\u{202e}1.00\u{2028}" });
        let text = json(&value);
        assert!(!text.contains(acts_on_terminal), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
