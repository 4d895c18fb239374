use std::fmt::{self, Write};

/// Text of a stranger's, for logs: escaped, and cut after so many characters that a line stays a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Foreign<'t>(pub(crate) &'t str);

const MAX_CHARS: usize = 64;

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, char) in self.0.chars().enumerate() {
            if count == MAX_CHARS {
                return f.write_char('…');
            }
            match char {
                '\\' | '"' => write!(f, "\\{char}")?,
                ' '..='~' => f.write_char(char)?,
                // Line breaks forge lines, escapes command terminals, directional marks hide what stands there.
                _ => write!(f, "\\u{{{:x}}}", u32::from(char))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_printable_ascii_is_written_and_not_much_of_it() {
        for (raw, expected) in [
            ("evt_1", "evt_1"),
            ("a\nb\rc\0", "a\\u{a}b\\u{d}c\\u{0}"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("\u{202e}\u{2028}é", "\\u{202e}\\u{2028}\\u{e9}"),
            ("\"\\", "\\\"\\\\"),
        ] {
            assert_eq!(Foreign(raw).to_string(), expected);
        }
        let long = "x".repeat(1_000_000);
        assert_eq!(Foreign(&long).to_string(), format!("{}…", "x".repeat(64)));
        assert_eq!(Foreign(&long[..64]).to_string(), long[..64]);
    }
}
