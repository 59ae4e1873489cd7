//! Every kind of entry as a document, and back.

use super::*;

fn failure() -> Outcome {
    Err(Failure {
        kind: 3,
        message: "no \"room\"".to_owned(),
        detail: Some("{}".to_owned()),
    })
}

/// One of each kind, with every variant of what is in it.
fn every_kind() -> Vec<Entry> {
    let mut all = vec![
        Entry::Begin(Box::new(Begin {
            format: kael_engine::journal::FORMAT,
            version: "1".to_owned(),
            guest: [1; 32],
            bundle: [2; 32],
            script: [3; 32],
            name: "s.lua".to_owned(),
            args: vec!["a".to_owned(), String::new()],
            memory: 1 << 40,
            want_result: true,
            tenant: "t".to_owned(),
        })),
        Entry::Turn {
            digest: [4; 16],
            asked: "t.a, 1 cancelled".to_owned(),
            delivered: vec![
                Delivered {
                    id: 1,
                    delivery: Delivery::At(9),
                },
                Delivered {
                    id: 2,
                    delivery: Delivery::Own(Ok("[]".to_owned())),
                },
                Delivered {
                    id: u32::MAX,
                    delivery: Delivery::Own(failure()),
                },
            ],
        },
        Entry::Prints {
            count: 2,
            bytes: u64::MAX,
            digest: [5; 16],
        },
        Entry::Intent(Box::new(Intent {
            id: 1,
            call: 2,
            name: "t.a".to_owned(),
            params: "{\"a\":1}".to_owned(),
            key: "k".to_owned(),
            once: true,
            definition: "d".to_owned(),
            attempt: 3,
        })),
        Entry::Cancel {
            by: "ann".to_owned(),
        },
        Entry::Takeover { epoch: 4 },
        Entry::CallsCancelled { ids: vec![1, 2] },
    ];
    for answer in [Ok("null".to_owned()), failure()] {
        all.push(Entry::Own {
            name: "kael.clock".to_owned(),
            answer: answer.clone(),
        });
        all.push(Entry::Outcome {
            id: 1,
            outcome: answer,
            duration: 5,
        });
    }
    for wait in [
        Wait::Until(1),
        Wait::Signal("go".to_owned(), None),
        Wait::Signal("go".to_owned(), Some(2)),
        Wait::Child("0199".to_owned(), Some(3)),
        Wait::Approval("ab".to_owned(), None),
        Wait::Letter(7, "ann".to_owned()),
    ] {
        all.push(Entry::Wait { id: 1, wait });
    }
    for verdict in [
        Verdict::Done("1".to_owned()),
        Verdict::Failed("lost".to_owned()),
        Verdict::Retry,
    ] {
        let by = "bob".to_owned();
        all.push(Entry::Resolve(Box::new(Resolve { id: 1, by, verdict })));
    }
    for (kind, result) in [
        (EndKind::Done, Some("1".to_owned())),
        (EndKind::Failed, None),
        (EndKind::Limit, None),
        (EndKind::Exited, None),
        (EndKind::Cancelled, None),
        (EndKind::OutputClosed, None),
        (EndKind::Fault, None),
    ] {
        let text = "why".to_owned();
        all.push(Entry::End(Box::new(End { kind, text, result })));
    }
    all
}

#[test]
fn every_kind_of_entry_is_made_of_its_document_again() {
    let mut kinds = std::collections::BTreeSet::new();
    for entry in every_kind() {
        let text = serde_json::to_string(&EntryDocument::from(&entry)).expect("JSON");
        let document: EntryDocument = serde_json::from_str(&text).expect(&text);
        let again = document.entry();
        assert_eq!(again.as_ref(), Some(&entry), "{text}");
        assert_eq!(again.map(|entry| entry.encode()), Some(entry.encode()));
        kinds.insert(entry.kind());
    }
    // A kind that is added is in this test, too.
    let known: std::collections::BTreeSet<u8> = (0..=u8::MAX)
        .filter(|kind| {
            let error = Entry::decode(*kind, &[]).err();
            error.is_none_or(|error| error.what != "no such kind of entry")
        })
        .collect();
    assert_eq!(kinds, known);
}
