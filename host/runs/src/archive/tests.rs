//! A file with a run is read only as it was written: every byte counts.

use kael_engine::journal::{Begin, Chain, End, EndKind, Entry, Intent, LogRow, Wait, ZERO};
use kael_engine::limits::Limits;
use kael_engine::text::hex;

use super::*;
use crate::limits::StoredLimits;
use crate::stored_args::StoredArgs;
use crate::texts;

const SCRIPT: &str = "print('ä')";

fn entries() -> Vec<Entry> {
    let begin = Begin {
        format: kael_engine::journal::FORMAT,
        script: texts::digest(SCRIPT.as_bytes()),
        bundle: texts::digest(b"{}"),
        name: "script.lua".to_owned(),
        args: vec!["a \"b\"\n".to_owned()],
        ..Begin::default()
    };
    vec![
        Entry::Begin(Box::new(begin)),
        Entry::Own {
            name: "kael.seed".to_owned(),
            answer: Ok("7".to_owned()),
        },
        Entry::Intent(Box::new(Intent {
            id: 1,
            call: 1,
            name: "t.note".to_owned(),
            params: "{}".to_owned(),
            key: "k".to_owned(),
            once: true,
            definition: "d".to_owned(),
            attempt: 1,
        })),
        Entry::Outcome {
            id: 1,
            outcome: Ok("null".to_owned()),
            duration: 3,
        },
        Entry::Wait {
            id: 2,
            wait: Wait::Signal("go".to_owned(), None),
        },
        Entry::End(Box::new(End {
            kind: EndKind::Done,
            text: String::new(),
            result: Some("1".to_owned()),
        })),
    ]
}

/// Two commits: of the first three entries, and of the rest.
fn log() -> Log {
    log_of(&entries())
}

fn log_of(entries: &[Entry]) -> Log {
    let last = entries.len() as u64 - 1;
    let (mut rows, mut chain) = (Vec::new(), Chain::after(&ZERO));
    for (seq, entry) in entries.iter().enumerate() {
        let (seq, body) = (seq as u64, entry.encode());
        chain.add(seq, 5, entry.kind(), &body);
        let commit = [2, last].contains(&seq).then(|| {
            let end = std::mem::replace(&mut chain, Chain::after(&ZERO)).end(9);
            chain = Chain::after(&end);
            (end, 9)
        });
        rows.push(LogRow {
            seq,
            at: 5,
            kind: entry.kind(),
            body,
            commit,
        });
    }
    Log::read(rows).expect("whole")
}

pub(crate) fn archive() -> Archive {
    let input = b"\xff\x00".to_vec();
    let args = StoredArgs {
        inputs: vec![("i".to_owned(), hex(&texts::digest(&input)))],
        ..StoredArgs::default()
    };
    let run = RunId::from_bytes([7; 16]);
    Archive {
        run,
        head: Head {
            format: FORMAT,
            kael: "1".to_owned(),
            run: run.to_string(),
            state: "succeeded".to_owned(),
            reason: None,
            created: 1,
            started: Some(1),
            ended: Some(2),
            ending: Some("{}".to_owned()),
            usage: None,
            status: Some("half".to_owned()),
            args: serde_json::to_string(&args).expect("JSON"),
            limits: serde_json::to_string(&StoredLimits::from(&Limits::default())).expect("JSON"),
            labels: [("team".to_owned(), "web".to_owned())].into(),
            origin: Some("/actions".to_owned()),
        },
        log: log(),
        letters: vec![Letter {
            number: 3,
            what: 0,
            name: "go".to_owned(),
            payload: "{}".to_owned(),
            sender: "ann".to_owned(),
            once: None,
            at: 4,
        }],
        texts: vec![
            (texts::digest(SCRIPT.as_bytes()), SCRIPT.as_bytes().to_vec()),
            (texts::digest(&input), input),
        ],
        repo: Some(b"{}".to_vec()),
        output: vec![b'x'; PART + 3],
    }
}

fn written(archive: &Archive) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(archive, &mut bytes).expect("written");
    bytes
}

fn again(mut bytes: &[u8]) -> Result<Archive, ArchiveError> {
    read(&mut bytes)
}

#[test]
fn a_run_is_read_as_it_was_written() {
    let bytes = written(&archive());
    let read = again(&bytes).expect("a run");
    assert_eq!(written(&read), bytes);
    assert_eq!((read.texts.len(), read.output.len()), (2, PART + 3));
    assert_eq!(read.log.entries(), entries());
}

#[test]
fn one_changed_byte_anywhere_is_found_where_it_is() {
    let bytes = written(&Archive {
        output: b"some\n".to_vec(),
        ..archive()
    });
    let mut line = 1;
    for at in 0..bytes.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            let error = again(&changed).expect_err("it was changed");
            // What an entry says is held by the chain: an entry of the same commit is named.
            let ends = match line {
                2..=4 => 4,
                5..=7 => 7,
                line => line,
            };
            assert!(
                (line..=ends).contains(&error.line),
                "{at} in line {line}: {error}"
            );
        }
        line += u64::from(bytes[at] == b'\n');
    }
}

#[test]
fn a_file_that_was_cut_off_or_has_more_is_refused() {
    let bytes = written(&Archive {
        output: b"some\n".to_vec(),
        ..archive()
    });
    for end in 0..bytes.len() {
        let error = again(&bytes[..end]).expect_err("it was cut off");
        let lines = bytes[..end].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(error.line, lines as u64 + 1, "{end}");
        assert!(matches!(error.fault, Fault::CutOff), "{end}: {error}");
    }
    let twice = [bytes.clone(), bytes.clone()].concat();
    let error = again(&twice).expect_err("it is there twice");
    assert!(matches!(error.fault, Fault::Behind), "{error}");
    // Whole lines that are missing, moved or twice.
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for at in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(at);
        again(&fewer.concat()).expect_err("a line is missing");
        let mut more = lines.clone();
        more.insert(at, lines[at]);
        again(&more.concat()).expect_err("a line is there twice");
        if at > 0 {
            let mut moved = lines.clone();
            moved.swap(at, at - 1);
            again(&moved.concat()).expect_err("a line was moved");
        }
    }
}

#[test]
fn nothing_deep_or_long_is_read() {
    for (bytes, wanted) in [
        (b"".to_vec(), "the file ends here"),
        (b"\n".to_vec(), "is not the beginning of a run"),
        (b"\xff\n".to_vec(), "it is no text"),
        (
            [vec![b'['; 1 << 19], b"\n".to_vec()].concat(),
            "is not the beginning of a run",
        ),
        (
            b"{\"kind\":\"export_end\",\"lines\":0,\"sha256\":\"\"}\n".to_vec(),
            "is not what",
        ),
    ] {
        let error = again(&bytes).expect_err("it is no run");
        assert!(error.to_string().contains(wanted), "{error}");
        assert_eq!(error.line, 1);
    }
    let mut endless = std::io::BufReader::new(std::io::repeat(b'x'));
    let error = read(&mut endless).expect_err("it does not end");
    assert!(matches!(error.fault, Fault::LongLine), "{error}");
    let other = Archive {
        head: Head {
            format: 2,
            ..archive().head
        },
        ..archive()
    };
    let error = again(&written(&other)).expect_err("it is newer");
    assert!(matches!(error.fault, Fault::Format(2)), "{error}");
    // Something is missing or too much.
    for (texts, repo) in [
        (Vec::new(), archive().repo),
        (archive().texts, None),
        (archive().texts, Some(b"[]".to_vec())),
        ([archive().texts, archive().texts].concat(), archive().repo),
    ] {
        let other = Archive {
            texts,
            repo,
            ..archive()
        };
        let error = again(&written(&other)).expect_err("it is not all there");
        assert!(matches!(error.fault, Fault::Missing(_)), "{error}");
    }
}

/// What is in a file is bounded field by field: an export that would not be read again is not made.
#[test]
fn every_part_of_a_file_is_bounded() {
    let head = |change: fn(&mut Head)| {
        let mut archive = archive();
        change(&mut archive.head);
        archive
    };
    let long = || "x".repeat(MAX_WORDS + 1);
    let many = |count: usize| -> Archive {
        let mut entries = entries();
        let own = entries[1].clone();
        entries.splice(1..1, std::iter::repeat_n(own, count));
        let log = log_of(&entries);
        Archive { log, ..archive() }
    };
    let letter = |number: i64, bytes: usize| Letter {
        number,
        payload: "x".repeat(bytes),
        ..archive().letters[0].clone()
    };
    let cases: Vec<(Archive, &str)> = vec![
        (
            head(|head| head.reason = Some("x".repeat(MAX_WORDS + 1))),
            "the field `reason`",
        ),
        (
            head(|head| head.status = Some("x".repeat(MAX_WORDS + 1))),
            "the field `status`",
        ),
        (
            head(|head| head.origin = Some("x".repeat(MAX_WORDS + 1))),
            "the field `origin`",
        ),
        (
            head(|head| head.usage = Some("x".repeat(MAX_WORDS + 1))),
            "the field `usage`",
        ),
        (
            head(|head| head.ending = Some("x".repeat(MAX_DOCUMENT + 1))),
            "the field `ending`",
        ),
        (
            head(|head| head.args = "x".repeat(MAX_DOCUMENT + 1)),
            "the field `args`",
        ),
        (
            head(|head| head.labels = [("k".to_owned(), "x".repeat(MAX_LABELS))].into()),
            "the field `labels`",
        ),
        (
            head(|head| {
                let labels = (0..=MAX_LABEL_COUNT).map(|n| (n.to_string(), String::new()));
                head.labels = labels.collect();
            }),
            "the field `labels`",
        ),
        (
            Archive {
                head: Head {
                    limits: long(),
                    ..archive().head
                },
                ..archive()
            },
            "the field `limits`",
        ),
        (
            head(|head| head.args = format!("[{}1]", "1,".repeat(MAX_VALUES))),
            "a line may have 1000000 values",
        ),
        (many(MAX_ENTRIES), "a journal may have 300 entries"),
        (
            Archive {
                output: vec![b'x'; MAX_PARTS as usize],
                ..archive()
            },
            "and output of a run may have 4 MiB together",
        ),
        (
            Archive {
                letters: (1..6).map(|number| letter(number, 1 << 20)).collect(),
                ..archive()
            },
            "and output of a run may have 4 MiB together",
        ),
        (
            Archive {
                letters: (1..=301).map(|number| letter(number, 1)).collect(),
                ..archive()
            },
            "a journal may have 300 entries",
        ),
    ];
    for (archive, wanted) in cases {
        let error = again(&written(&archive)).expect_err(wanted);
        assert!(error.to_string().contains(wanted), "{error}");
    }
    // A line of short values would take a hundred times its bytes.
    let mut line = b"{\"seq\":0,\"kind\":\"calls_cancelled\",\"ids\":[".to_vec();
    line.extend(b"1,".repeat(MAX_VALUES));
    line.extend(b"1]}\n");
    let mut bytes = written(&archive());
    let first = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .expect("a line")
        + 1;
    bytes.splice(first..first, line);
    let error = again(&bytes).expect_err("too many");
    assert!(
        matches!(error.fault, Fault::Values) && error.line == 2,
        "{error}"
    );
    // Entries that are large together.
    let mut large = entries();
    for _ in 0..3 {
        large.insert(
            1,
            Entry::Own {
                name: "kael.input".to_owned(),
                answer: Ok("x".repeat(400 << 10)),
            },
        );
    }
    let large = Archive {
        log: log_of(&large),
        ..archive()
    };
    let error = again(&written(&large)).expect_err("too large");
    assert!(matches!(error.fault, Fault::LargeJournal), "{error}");
}
