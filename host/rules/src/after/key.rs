//! Keys: the values of some fields of an event, as bytes that are equal only where the values are.

use kael_engine::sandbox::FieldValue;

use crate::event::Event;
use crate::schema::Schema;

/// The slots of a key's fields.
pub(super) fn slots(by: &[String], schema: &Schema) -> Vec<usize> {
    by.iter().filter_map(|path| schema.slot(path)).collect()
}

/// The key of an event, and whether it has all fields.
pub(super) fn key(event: &Event, slots: &[usize]) -> (Vec<u8>, bool) {
    let (mut key, mut whole) = (Vec::new(), true);
    for slot in slots {
        let value = event.fields.get(*slot).and_then(Option::as_ref);
        whole &= value.is_some();
        add(&mut key, value);
    }
    (key, whole)
}

fn add(key: &mut Vec<u8>, value: Option<&FieldValue>) {
    let mut text = |tag: u8, bytes: &[u8]| {
        key.push(tag);
        key.extend((bytes.len() as u64).to_le_bytes());
        key.extend(bytes);
    };
    match value {
        None => key.push(0),
        // A number is the same whichever type its field has.
        Some(FieldValue::I64(value)) if *value >= 0 => text(2, &value.to_le_bytes()),
        Some(FieldValue::I64(value)) => text(1, &value.to_le_bytes()),
        Some(FieldValue::U64(value)) => text(2, &value.to_le_bytes()),
        Some(FieldValue::Bool(value)) => key.extend([3, u8::from(*value)]),
        Some(FieldValue::F64(value)) => text(4, &value.to_bits().to_le_bytes()),
        Some(FieldValue::String(value)) => text(5, value.as_bytes()),
        Some(FieldValue::Bytes(value)) => text(6, value),
        Some(FieldValue::Array(value)) => text(7, value.as_bytes()),
    }
}
