//! Annotations that an author wrote above a `define_action`. They replace the generated ones.

/// The annotations above one definition.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Types that they define, line by line.
    pub(super) types: Vec<String>,
    /// Annotations of the action itself.
    pub(super) lines: Vec<String>,
}

/// Tags that define a type.
const TYPES: [&str; 3] = ["@class", "@alias", "@enum"];

impl Kept {
    /// The block of `---` lines directly above a line, which counts from 1.
    pub(super) fn above(source: &str, line: u32) -> Self {
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        let end = (line.saturating_sub(1) as usize).min(lines.len());
        let ours = |line: &&&str| line.starts_with("---") && !line.starts_with("----");
        let count = lines[..end].iter().rev().take_while(ours).count();
        let mut kept = Self::default();
        let mut in_type = false;
        for line in &lines[end - count..end] {
            let text = line[3..].trim_start();
            let defines = TYPES.iter().any(|tag| starts(text, tag));
            let continues = in_type && (starts(text, "@field") || text.starts_with('|'));
            in_type = defines || continues;
            if in_type {
                kept.types.push((*line).to_owned());
            } else {
                kept.lines.push((*line).to_owned());
            }
        }
        kept
    }

    /// Whether an annotation has this tag.
    pub(super) fn says(&self, tag: &str) -> bool {
        self.lines
            .iter()
            .any(|line| starts(line[3..].trim_start(), tag))
    }

    /// Whether a line is plain description.
    pub(super) fn tells(&self) -> bool {
        let text = |line: &String| {
            let text = line[3..].trim();
            !text.is_empty() && !text.starts_with(['@', '|'])
        };
        self.lines.iter().any(text)
    }

    /// The names of the annotated parameters.
    pub(super) fn parameters(&self) -> Vec<String> {
        let name = |line: &String| {
            let rest = line[3..].trim_start().strip_prefix("@param")?.trim_start();
            let end = rest
                .find(|c: char| c.is_whitespace() || c == '?')
                .unwrap_or(rest.len());
            let name = &rest[..end];
            (name == "..." || crate::lua::is_name(name)).then(|| name.to_owned())
        };
        self.lines.iter().filter_map(name).collect()
    }
}

fn starts(text: &str, tag: &str) -> bool {
    text.strip_prefix(tag)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_right_above_is_kept() {
        let source = "--- not this\n\n---@class Row\n---@field n integer\n--- Reads rows.\n---@param opts Options?\n---@return Row[]\nreturn define_action({\n})";
        let kept = Kept::above(source, 8);
        assert_eq!(kept.types, ["---@class Row", "---@field n integer"]);
        assert_eq!(kept.lines.len(), 3);
        assert!(kept.tells() && kept.says("@param") && kept.says("@return"));
        assert_eq!(kept.parameters(), ["opts"]);
        assert_eq!(Kept::above("-- no\n------\nx", 3), Kept::default());
        assert_eq!(Kept::above("x", 9), Kept::default());
    }
}
