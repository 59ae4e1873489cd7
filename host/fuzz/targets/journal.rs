//! Entries of a journal: what can be read is written as the bytes that it was read from, and a log of any bytes is refused or whole.
#![no_main]

use kael_engine::journal::{Chain, Entry, Log, LogRow, ZERO};
use libfuzzer_sys::fuzz_target;

// Each row: its kind, two bytes of length, its body.
fuzz_target!(|bytes: &[u8]| {
    let (mut rows, mut rest) = (Vec::new(), bytes);
    while let [kind, low, high, more @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(more.len());
        let (body, after) = more.split_at(length);
        if let Ok(entry) = Entry::decode(*kind, body) {
            assert_eq!((entry.kind(), entry.encode()), (*kind, body.to_vec()));
        }
        rows.push(LogRow {
            seq: rows.len() as u64,
            at: 7,
            kind: *kind,
            body: body.to_vec(),
            commit: None,
        });
        rest = after;
    }
    let mut chain = Chain::after(&ZERO);
    for row in &rows {
        chain.add(row.seq, row.at, row.kind, &row.body);
    }
    if let Some(last) = rows.last_mut() {
        last.commit = Some((chain.end(0), 0));
    }
    if let Ok(log) = Log::read(rows.clone()) {
        assert_eq!(log.rows().collect::<Vec<_>>(), rows);
        let last = rows.len() - 1;
        // One other bit anywhere is found.
        for (row, bit) in [(0, 0), (last, 7)] {
            let mut changed = rows.clone();
            match changed[row].body.last_mut() {
                Some(byte) => *byte ^= 1 << bit,
                None => changed[row].kind ^= 1,
            }
            assert!(Log::read(changed).is_err());
        }
    }
});
