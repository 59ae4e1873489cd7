//! What a run for Assay does otherwise: what stands before the script, its exit codes, and the
//! document of the tool mode.

mod envelope;
mod globals;
pub(crate) mod modules;

use crate::exit;

pub(crate) use envelope::envelope;
pub(crate) use globals::{blocked, notes};

/// What a run for Assay does otherwise.
#[derive(Debug, Clone, Default)]
pub(crate) struct ForAssay {
    /// Whether stdout gets one JSON document, and the exit code is 0.
    pub(crate) tool: bool,
    /// Lua that stands before the script, on its first line.
    pub(crate) prelude: String,
    /// The modules of the folders, by the names of inputs.
    pub(crate) inputs: Vec<(String, Vec<u8>)>,
}

impl ForAssay {
    /// Puts the prelude before a script; its lines keep their numbers.
    pub(crate) fn prepared(&self, source: Vec<u8>) -> Vec<u8> {
        if self.prelude.is_empty() {
            return source;
        }
        // The first line of a script that can be executed is no Lua.
        let rest = match source.strip_prefix(b"#") {
            Some(line) => {
                let end = line.iter().position(|byte| *byte == b'\n');
                end.map_or(&[][..], |end| &line[end..])
            }
            None => &source,
        };
        [self.prelude.as_bytes(), rest].concat()
    }

    /// Assay knows two exit codes: 0, and 1 for everything else. `exited` is the code that the
    /// script chose.
    pub(crate) fn code(&self, code: u8, exited: Option<u8>) -> u8 {
        match (self.tool, exited) {
            _ if code >= exit::SIGNAL => code,
            (true, _) => exit::SUCCESS,
            (false, Some(code)) => code,
            (false, None) => u8::from(code != exit::SUCCESS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prelude_keeps_the_numbers_of_lines() {
        let assay = ForAssay {
            prelude: "x=nil;".to_owned(),
            ..ForAssay::default()
        };
        let prepared =
            |text: &str| String::from_utf8(assay.prepared(text.as_bytes().to_vec())).expect("text");
        assert_eq!(prepared("a()\nb()"), "x=nil;a()\nb()");
        assert_eq!(prepared("#!/usr/bin/assay\nb()"), "x=nil;\nb()");
        assert_eq!(prepared("#!/usr/bin/assay"), "x=nil;");
    }

    #[test]
    fn exit_codes_are_assays() {
        let (script, tool) = (
            ForAssay::default(),
            ForAssay {
                tool: true,
                ..ForAssay::default()
            },
        );
        let codes = [0, exit::CONFIG, exit::LIMIT, exit::SIGNAL + 2];
        assert_eq!(codes.map(|code| script.code(code, None)), [0, 1, 1, 130]);
        assert_eq!(codes.map(|code| tool.code(code, None)), [0, 0, 0, 130]);
        assert_eq!(script.code(7, Some(7)), 7);
    }
}
