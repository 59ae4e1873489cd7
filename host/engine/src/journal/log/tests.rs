//! A journal that was changed anywhere is found out, with the place.

use super::*;
use crate::journal::End;
use crate::journal::entry::{EndKind, Outcome};

/// Three commits.
fn rows() -> Vec<LogRow> {
    let outcome: Outcome = Ok("1".to_owned());
    let entries = [
        Entry::Begin(Box::new(Begin {
            format: FORMAT,
            ..Begin::default()
        })),
        Entry::Takeover { epoch: 1 },
        Entry::Own {
            name: "kael.seed".to_owned(),
            answer: outcome.clone(),
        },
        Entry::Outcome {
            id: 1,
            outcome,
            duration: 7,
        },
        Entry::End(Box::new(End {
            kind: EndKind::Done,
            text: String::new(),
            result: None,
        })),
    ];
    let (mut rows, mut head) = (Vec::new(), ZERO);
    let mut chain = Chain::after(&head);
    for (seq, entry) in entries.iter().enumerate() {
        let (seq, body) = (seq as u64, entry.encode());
        chain.add(seq, 5, entry.kind(), &body);
        let ends = [1, 3, 4].contains(&seq);
        let commit = ends.then(|| (std::mem::replace(&mut chain, Chain::after(&ZERO)).end(9), 9));
        if let Some((end, _)) = commit {
            head = end;
            chain = Chain::after(&head);
        }
        rows.push(LogRow {
            seq,
            at: 5,
            kind: entry.kind(),
            body,
            commit,
        });
    }
    rows
}

#[test]
fn a_whole_journal_is_read() {
    let log = Log::read(rows()).expect("whole");
    assert_eq!((log.entries().len(), log.head().1), (5, 9));
    assert_eq!(log.clone().up_to(2).entries().len(), 3);
    assert_eq!(log.up_to(90).entries().len(), 5);
}

#[test]
fn every_bit_that_is_changed_is_found_in_its_commit() {
    let whole = rows();
    for (at, row) in whole.iter().enumerate() {
        for bit in 0..8 * row.body.len() {
            let mut changed = whole.clone();
            changed[at].body[bit / 8] ^= 1 << (bit % 8);
            let Err(Broken::Chain { from, to }) = Log::read(changed) else {
                panic!("bit {bit} of entry {at} is not found");
            };
            assert!(
                (from..=to).contains(&(at as u64)),
                "{from} to {to}, not {at}"
            );
        }
        for change in [
            |row: &mut LogRow| row.at += 1,
            |row: &mut LogRow| row.kind ^= 1,
            |row: &mut LogRow| row.body.push(0),
            |row: &mut LogRow| row.seq += 1,
            |row: &mut LogRow| row.commit = Some(([0; 32], 9)),
        ] {
            let mut changed = whole.clone();
            change(&mut changed[at]);
            assert!(Log::read(changed).is_err(), "entry {at}");
        }
    }
}

#[test]
fn entries_that_are_missing_doubled_swapped_or_loose_are_found() {
    let whole = rows();
    for at in 0..whole.len() {
        let mut missing = whole.clone();
        missing.remove(at);
        // A journal whose last commit is gone is a shorter journal.
        assert_eq!(Log::read(missing).is_ok(), at == 4, "without {at}");
        let mut doubled = whole.clone();
        doubled.insert(at, whole[at].clone());
        assert!(
            matches!(Log::read(doubled), Err(Broken::Gap { .. })),
            "{at}"
        );
    }
    let mut swapped = whole.clone();
    swapped.swap(1, 2);
    (swapped[1].seq, swapped[2].seq) = (1, 2);
    assert!(Log::read(swapped).is_err());
    let loose = whole[..3].to_vec();
    assert_eq!(Log::read(loose).err(), Some(Broken::Loose { from: 2 }));
    assert_eq!(Log::read(vec![]).err(), Some(Broken::NoBeginning));
}
