//! The commands of the REPL itself, such as `:help`.

use std::path::PathBuf;

/// The output of `:help`.
pub(super) const HELP: &str = "\
Lua is evaluated, and values are printed. What is not complete goes on in the next line. Variables stay, those of \
`local` until the end of their input.

  :describe NAME  all there is to know of an action
  :load FILE      evaluate a file
  :reset          load the repo anew and forget all variables
  :help           this
  :quit           end; Ctrl-D does, too

Tab completes names. Ctrl-C drops what was typed, or stops what is being evaluated. Lines that begin with a space are not \
kept in the history. `actions.` and two Tabs shows what can be called.
";

const NAMES: [&str; 5] = [":describe", ":load", ":reset", ":help", ":quit"];

/// One command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReplCommand {
    Describe(String),
    Load(PathBuf),
    Reset,
    Help,
    Quit,
}

/// Whether a line is a command. No Lua begins with a colon, except a label with `::`.
pub(super) fn is_command(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with(':') && !line.starts_with("::")
}

/// The names of commands that begin like this line.
pub(super) fn names(line: &str) -> Vec<String> {
    let fits = NAMES.iter().filter(|name| name.starts_with(line));
    fits.map(|name| (*name).to_owned()).collect()
}

/// The part of an action's name at the end of a line such as `:describe pro`.
pub(super) fn names_an_action(line: &str) -> Option<&str> {
    argument_of(":describe", line)
}

/// The part of a file's name at the end of a line such as `:load x`.
pub(super) fn names_a_file(line: &str) -> Option<&str> {
    argument_of(":load", line)
}

fn argument_of<'a>(command: &str, line: &'a str) -> Option<&'a str> {
    let (name, argument) = line.trim_start().split_once(' ')?;
    (name.len() > 1 && command.starts_with(name)).then(|| argument.trim_start())
}

impl ReplCommand {
    /// Reads a command. The beginning of its name is enough.
    ///
    /// # Errors
    /// A message with the commands.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim();
        let (name, argument) = match line.split_once(char::is_whitespace) {
            Some((name, argument)) => (name, argument.trim()),
            None => (line, ""),
        };
        let fit = NAMES
            .iter()
            .find(|known| name.len() > 1 && known.starts_with(name));
        let Some(fit) = fit else {
            return Err(format!(
                "there is no `{name}`: try :describe NAME, :load FILE, :reset, :help or :quit"
            ));
        };
        let bare = |command| match argument {
            "" => Ok(command),
            _ => Err(format!("{fit} takes no argument, got `{argument}`")),
        };
        match *fit {
            ":describe" if argument.is_empty() => {
                Err(":describe needs the name of an action: :describe prometheus.query".to_owned())
            }
            // The name as Lua writes it works, too.
            ":describe" => Ok(Self::Describe(
                argument
                    .strip_prefix("actions.")
                    .unwrap_or(argument)
                    .to_owned(),
            )),
            ":load" if argument.is_empty() => {
                Err(":load needs the name of a file: :load script.lua".to_owned())
            }
            ":load" => Ok(Self::Load(PathBuf::from(argument))),
            ":reset" => bare(Self::Reset),
            ":help" => bare(Self::Help),
            _ => bare(Self::Quit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_and_mistakes_are_named() {
        assert_eq!(ReplCommand::parse(":q"), Ok(ReplCommand::Quit));
        assert_eq!(
            ReplCommand::parse("  :describe  actions.a.b "),
            Ok(ReplCommand::Describe("a.b".into()))
        );
        assert_eq!(
            ReplCommand::parse(":load my file.lua"),
            Ok(ReplCommand::Load("my file.lua".into()))
        );
        for (line, error) in [
            (
                ":x",
                "there is no `:x`: try :describe NAME, :load FILE, :reset, :help or :quit",
            ),
            (
                ":",
                "there is no `:`: try :describe NAME, :load FILE, :reset, :help or :quit",
            ),
            (":load", ":load needs the name of a file: :load script.lua"),
            (":quit now", ":quit takes no argument, got `now`"),
        ] {
            assert_eq!(ReplCommand::parse(line), Err(error.to_owned()));
        }
        assert!(is_command(" :help") && !is_command("::label::") && !is_command("x:y()"));
    }

    #[test]
    fn what_is_to_be_completed_is_known() {
        assert_eq!(names(":de"), [":describe"]);
        assert_eq!(names_an_action(":d pro"), Some("pro"));
        assert_eq!(names_an_action(":load pro"), None);
        assert_eq!(names_a_file(":load a/b"), Some("a/b"));
        assert_eq!(names_a_file("x = 1"), None);
    }
}
