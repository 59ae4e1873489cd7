//! The reason in what git, pip and npm print when they fail: each says more behind it.

/// The line with the reason, if one of these tools has failed.
pub(super) fn reason(lines: &[&str]) -> Option<String> {
    let found = [npm(lines), pip(lines), git(lines)];
    let last = found.into_iter().flatten().max_by_key(|(end, _)| *end)?;
    // What another program says afterwards counts more, unless it only passes the failure on.
    let after = lines.get(last.0..).unwrap_or_default();
    after.iter().all(|line| passes_on(line)).then_some(last.1)
}

/// What those say who ran the tool, and advice that it ends with.
fn passes_on(line: &str) -> bool {
    let line = line.trim();
    let words = [
        "Error: Failed to ",
        "Error: Process exited",
        "Error: git",
        "Failed to install",
        "[notice]",
        "WARNING: ",
        "note: ",
        "hint: ",
        "make: ",
        "npm notice",
        "Please make sure you have the correct access rights",
        "and the repository exists.",
    ];
    line.is_empty() || words.iter().any(|start| line.starts_with(start))
}

/// `fatal: …` or `error: …`, and what a server or ssh said before it where git itself only guesses.
fn git(lines: &[&str]) -> Option<(usize, String)> {
    // Who runs git puts words of its own in front of the first line.
    let line = |at: usize| {
        let text = lines[at].trim();
        let own = ["fatal: ", "error: pathspec "]
            .iter()
            .find_map(|start| text.find(start));
        match text.starts_with("Error: ") {
            true => own.map_or(text, |from| &text[from..]),
            false => text,
        }
    };
    let own =
        |at: &usize| line(*at).starts_with("fatal: ") || line(*at).starts_with("error: pathspec ");
    let at = (0..lines.len()).rev().find(own)?;
    let guess = line(at).contains("Could not read from remote repository")
        || line(at).contains("unable to access")
        || line(at).contains("early EOF")
        || line(at).contains("the remote end hung up");
    let why = line(at)
        .trim_start_matches("fatal: ")
        .trim_start_matches("error: ");
    if !guess {
        return Some((at + 1, why.to_owned()));
    }
    // What stands before it: `Permission denied (publickey).`, `ERROR: Repository not found.`,
    // another `fatal: …`.
    let before = (0..at).rev().map(line).find(|text| {
        !text.is_empty()
            && !text.contains("Cloning into")
            && !["remote: Enumerating", "Warning: ", "Connection closed"]
                .iter()
                .any(|start| text.starts_with(start))
    });
    let told = before.map(|text| {
        text.trim_start_matches("fatal: ")
            .trim_start_matches("ERROR: ")
            .trim_start_matches("remote: ")
            .to_owned()
    });
    // With an address in it git says why itself.
    let said = why.contains("unable to access").then(|| why.to_owned());
    Some((at + 1, said.or(told).unwrap_or_else(|| why.to_owned())))
}

/// The last `ERROR: …`, or what a package that cannot be built says.
fn pip(lines: &[&str]) -> Option<(usize, String)> {
    let text = |line: &str| {
        let line = line.trim_start_matches([' ', '│', '╰', '─', '>', '×', '╭']);
        line.strip_prefix("ERROR: ")
            .or_else(|| line.strip_prefix("error: "))
            .map(str::to_owned)
    };
    let is_pip = |line: &&str| {
        [
            "Could not find a version",
            "No matching distribution",
            "ResolutionImpossible",
            "subprocess-exited",
            "Could not install packages",
            "pip",
            "Invalid requirement",
            "Could not open requirements file",
            "Failed building wheel",
            "metadata-generation-failed",
            "Cannot install",
            "Hash mismatch",
            "THESE PACKAGES DO NOT MATCH",
        ]
        .iter()
        .any(|word| line.contains(word))
    };
    if !lines.iter().any(is_pip) {
        return None;
    }
    let told: Vec<(usize, String)> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| Some((at, text(line)?)))
        .collect();
    let (last, _) = told.last()?;
    // These name the requirement; what follows them does not.
    let naming = [
        "No matching distribution",
        "Cannot install",
        "Invalid requirement",
        "Could not find a version",
    ];
    let named = naming
        .iter()
        .find_map(|start| told.iter().rev().find(|(_, text)| text.starts_with(start)));
    let (_, why) = named.or(told.last())?;
    Some((last + 1, why.clone()))
}

/// The first line of an npm error that is no code, number, path or call.
fn npm(lines: &[&str]) -> Option<(usize, String)> {
    let text = |line: &str| {
        let rest = line
            .strip_prefix("npm error ")
            .or_else(|| line.strip_prefix("npm ERR! "))?;
        Some(rest.trim().to_owned())
    };
    let last = lines
        .iter()
        .rposition(|line| line.starts_with("npm error") || line.starts_with("npm ERR!"))?;
    let told: Vec<String> = lines.iter().filter_map(|line| text(line)).collect();
    let about = [
        "code ",
        "errno ",
        "syscall ",
        "path ",
        "dest ",
        "A complete log",
        "command sh",
    ];
    let mut reasons = told
        .iter()
        .filter(|line| !line.is_empty() && !about.iter().any(|start| line.starts_with(start)));
    let why = reasons.next()?;
    if why == "command failed" {
        // What it printed says more.
        let more = reasons.find(|line| line.contains("rror: "));
        return Some((last + 1, more.unwrap_or(why).clone()));
    }
    // npm repeats its code in front of every line.
    let code = told.iter().find_map(|line| line.strip_prefix("code E"));
    let why = match code {
        Some(code) => why
            .trim_start_matches(&format!("E{code} "))
            .trim_start_matches(&format!("{code} ")),
        None => why,
    };
    Some((last + 1, why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<String> {
        reason(&text.lines().collect::<Vec<_>>())
    }

    #[test]
    fn gits_reason_is_not_its_advice() {
        let advice =
            "\nPlease make sure you have the correct access rights\nand the repository exists.\n";
        for (text, expected) in [
            (
                format!("Cloning into 'x'...\nfatal: '/srv/no.git' does not appear to be a git repository\nfatal: Could not read from remote repository.\n{advice}Error: git clone failed\n"),
                "'/srv/no.git' does not appear to be a git repository",
            ),
            (
                format!("Cloning into 'x'...\nssh: Could not resolve hostname no.example: Name or service not known\nfatal: Could not read from remote repository.\n{advice}"),
                "ssh: Could not resolve hostname no.example: Name or service not known",
            ),
            (
                format!("git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.\n{advice}"),
                "git@github.com: Permission denied (publickey).",
            ),
            (
                format!("ERROR: Repository not found.\nfatal: Could not read from remote repository.\n{advice}"),
                "Repository not found.",
            ),
            (
                "fatal: unable to access 'https://no.example/a.git/': Could not resolve host: no.example\n".to_owned(),
                "unable to access 'https://no.example/a.git/': Could not resolve host: no.example",
            ),
            (
                "fatal: Remote branch v9 not found in upstream origin\n".to_owned(),
                "Remote branch v9 not found in upstream origin",
            ),
            (
                "Error: Failed to checkout version 'v9': error: pathspec 'v9' did not match any file(s) known to git\n\n".to_owned(),
                "pathspec 'v9' did not match any file(s) known to git",
            ),
            (
                "Error: Failed to clone git repository: fatal: destination path 'x' already exists and is not an empty directory.\n".to_owned(),
                "destination path 'x' already exists and is not an empty directory.",
            ),
            (
                "fatal: repository 'https://example.org/a.git/' not found\n".to_owned(),
                "repository 'https://example.org/a.git/' not found",
            ),
        ] {
            assert_eq!(told(&text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(told("fatal: x\nand so the report is not there\n"), None);
    }

    #[test]
    fn pips_reason_names_the_requirement() {
        for (text, expected) in [
            (
                "ERROR: Could not find a version that satisfies the requirement no-such==9.9 (from versions: none)\nERROR: No matching distribution found for no-such==9.9\n\n[notice] A new release of pip is available\nError: Failed to install Python dependencies from requirements.txt\n",
                "No matching distribution found for no-such==9.9",
            ),
            (
                "ERROR: Cannot install a==1 and b==2 because these package versions have conflicting dependencies.\nERROR: ResolutionImpossible: for help visit https://pip.pypa.io\n",
                "Cannot install a==1 and b==2 because these package versions have conflicting dependencies.",
            ),
            (
                "ERROR: Invalid requirement: 'a b c' (from line 1 of requirements.txt)\n",
                "Invalid requirement: 'a b c' (from line 1 of requirements.txt)",
            ),
        ] {
            assert_eq!(told(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn npms_reason_is_neither_its_code_nor_its_log() {
        for (text, expected) in [
            (
                "npm error code E404\nnpm error 404 Not Found - GET https://registry.npmjs.org/no-such - Not found\nnpm error 404\nnpm error 404  'no-such@9.9.9' is not in this registry.\nnpm error A complete log of this run can be found in: /x/debug.log\nError: Failed to install node dependencies\n",
                "Not Found - GET https://registry.npmjs.org/no-such - Not found",
            ),
            (
                "npm ERR! code ERESOLVE\nnpm ERR! ERESOLVE unable to resolve dependency tree\nnpm ERR! \n",
                "unable to resolve dependency tree",
            ),
            (
                "npm error code 1\nnpm error path /x/node_modules/y\nnpm error command failed\nnpm error command sh -c node-gyp rebuild\nnpm error gyp ERR! stack Error: not found: make\n",
                "gyp ERR! stack Error: not found: make",
            ),
        ] {
            assert_eq!(told(text).as_deref(), Some(expected), "{text}");
        }
    }
}
