//! Every kind of entry survives being written and read, and nothing else is read as one.

use super::*;

fn every_kind() -> Vec<Entry> {
    let failure = Failure {
        kind: 4,
        message: "no".to_owned(),
        detail: Some(r#"{"exit_code":7}"#.to_owned()),
    };
    let turn = |delivered| Entry::Turn {
        digest: [7; 16],
        asked: "t.a".to_owned(),
        delivered,
    };
    vec![
        Entry::Begin(Box::new(Begin {
            format: 1,
            version: "0.1.0".to_owned(),
            guest: [1; 32],
            bundle: [2; 32],
            script: [3; 32],
            name: "é.lua".to_owned(),
            args: vec![String::new(), "--x".to_owned()],
            memory: 1 << 40,
            want_result: true,
            tenant: "default".to_owned(),
        })),
        turn(vec![]),
        turn(vec![
            Delivered {
                id: u32::MAX,
                delivery: Delivery::At(u64::MAX),
            },
            Delivered {
                id: 0,
                delivery: Delivery::Own(Err(failure.clone())),
            },
        ]),
        Entry::Own {
            name: "kael.clock".to_owned(),
            answer: Ok("{}".to_owned()),
        },
        Entry::Prints {
            count: 3,
            bytes: 128,
            digest: [9; 16],
        },
        Entry::Intent(Box::new(Intent {
            id: 300,
            call: 2,
            name: "t.put".to_owned(),
            params: "{}".to_owned(),
            key: "00ff".to_owned(),
            once: true,
            definition: "abc".to_owned(),
            attempt: 2,
        })),
        Entry::Outcome {
            id: 1,
            outcome: Err(failure),
            duration: 12_345,
        },
        Entry::Wait {
            id: 1,
            wait: Wait::Until(1 << 50),
        },
        Entry::Wait {
            id: 2,
            wait: Wait::Signal("approved".to_owned(), Some(1 << 50)),
        },
        Entry::Wait {
            id: 3,
            wait: Wait::Child("0199c3f2".to_owned(), None),
        },
        Entry::Wait {
            id: 2,
            wait: Wait::Letter(7, "ann".to_owned()),
        },
        Entry::Wait {
            id: 4,
            wait: Wait::Approval("ab12".to_owned(), Some(5)),
        },
        Entry::Resolve(Box::new(Resolve {
            id: 9,
            by: "me".to_owned(),
            verdict: Verdict::Failed("lost".to_owned()),
        })),
        Entry::Resolve(Box::new(Resolve {
            id: 9,
            by: "me".to_owned(),
            verdict: Verdict::Retry,
        })),
        Entry::Cancel {
            by: "me".to_owned(),
        },
        Entry::Takeover { epoch: 2 },
        Entry::End(Box::new(End {
            kind: EndKind::Limit,
            text: "calls".to_owned(),
            result: None,
        })),
        Entry::CallsCancelled {
            ids: vec![1, 300, u32::MAX],
        },
    ]
}

#[test]
fn every_kind_survives_being_written_and_read() {
    let mut kinds: Vec<u8> = Vec::new();
    for entry in every_kind() {
        let body = entry.encode();
        kinds.push(entry.kind());
        assert_eq!(Entry::decode(entry.kind(), &body), Ok(entry.clone()));
        // Neither less nor more of it is an entry.
        for end in 0..body.len() {
            assert!(
                Entry::decode(entry.kind(), &body[..end]).is_err(),
                "{entry:?}"
            );
        }
        let more = [&body[..], &[0]].concat();
        assert!(Entry::decode(entry.kind(), &more).is_err(), "{entry:?}");
    }
    kinds.dedup();
    assert_eq!(kinds, (0..12).collect::<Vec<u8>>());
    assert!(Entry::decode(12, &[]).is_err());
}

#[test]
fn what_is_read_of_any_bytes_is_written_as_those_bytes() {
    // A generator of our own, so that a failure has the same bytes again.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let seeds: Vec<_> = every_kind();
    for _ in 0..20_000 {
        let entry = &seeds[random() as usize % seeds.len()];
        let mut body = entry.encode();
        for _ in 0..1 + random() % 3 {
            let at = random() as usize % body.len();
            body[at] = random() as u8;
        }
        if let Ok(read) = Entry::decode(entry.kind(), &body) {
            assert_eq!(read.encode(), body, "{read:?}");
        }
    }
}

#[test]
fn a_count_that_no_entry_has_takes_no_memory() {
    let mut body = vec![0; 17];
    body.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    assert!(Entry::decode(1, &body).is_err());
}
