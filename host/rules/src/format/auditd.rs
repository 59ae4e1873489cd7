//! Lines of the Linux audit daemon: `type=… msg=audit(TIME:SERIAL): key=value …`.

use serde_json::{Map, Value};

/// Fields that the daemon writes as hexadecimal digits where their text has odd characters.
const ENCODED: [&str; 8] = [
    "proctitle",
    "exe",
    "comm",
    "name",
    "cwd",
    "cmd",
    "acct",
    "data",
];

/// The record as an object of texts; none where the line is no such record.
pub(super) fn json(line: &str) -> Option<Value> {
    let line = line.trim();
    // Newer daemons add what numbers mean behind this character.
    let line = line.split('\u{1d}').next().unwrap_or(line);
    let (head, rest) = line.split_once("msg=audit(")?;
    let (stamp, body) = rest.split_once("):")?;
    let (time, serial) = stamp.split_once(':')?;
    let mut fields = Map::new();
    add(&mut fields, head);
    fields.get("type")?;
    fields.insert("time".to_owned(), Value::String(time.to_owned()));
    fields.insert("serial".to_owned(), Value::String(serial.to_owned()));
    add(&mut fields, body);
    Some(Value::Object(fields))
}

/// Adds pairs of a key and a value, and those inside of a quoted `msg`.
fn add(fields: &mut Map<String, Value>, text: &str) {
    let mut rest = text.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.rsplit(char::is_whitespace).next().unwrap_or(key);
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, quoted, next) = match quote {
            Some(quote) => match after[1..].split_once(quote) {
                Some((value, next)) => (value, true, next),
                None => (&after[1..], true, ""),
            },
            None => {
                let end = after.find(char::is_whitespace).unwrap_or(after.len());
                (&after[..end], false, &after[end..])
            }
        };
        if key == "msg" && quote == Some('\'') {
            add(fields, value);
        } else if !key.is_empty() {
            let argument = key
                .strip_prefix('a')
                .is_some_and(|number| number.parse::<u32>().is_ok());
            let execve = fields.get("type").is_some_and(|kind| kind == "EXECVE");
            let encoded = ENCODED.contains(&key) || argument && execve;
            let text = match encoded && !quoted {
                true => decoded(value).unwrap_or_else(|| value.to_owned()),
                false => value.to_owned(),
            };
            fields.insert(key.to_owned(), Value::String(text));
        }
        rest = next.trim_start();
    }
}

/// The text of hexadecimal digits; a zero byte stands between arguments.
fn decoded(digits: &str) -> Option<String> {
    if digits.is_empty()
        || !digits.len().is_multiple_of(2)
        || !digits.bytes().all(|b| b.is_ascii_hexdigit())
    {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    let text = String::from_utf8_lossy(&bytes?).into_owned();
    Some(text.trim_end_matches('\0').replace('\0', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_an_object() {
        assert_eq!(
            json("type=EXECVE msg=audit(1364481363.243:24287): argc=3 a0=\"sh\" a1=\"-c\" a2=6C73202D6C").expect("a record"),
            serde_json::json!({
                "type": "EXECVE", "time": "1364481363.243", "serial": "24287",
                "argc": "3", "a0": "sh", "a1": "-c", "a2": "ls -l"
            })
        );
        assert_eq!(
            json("type=USER_LOGIN msg=audit(1.5:7): pid=9 uid=0 msg='op=login acct=\"root\" res=failed'").expect("a record"),
            serde_json::json!({
                "type": "USER_LOGIN", "time": "1.5", "serial": "7", "pid": "9", "uid": "0",
                "op": "login", "acct": "root", "res": "failed"
            })
        );
        assert_eq!(json("type=EOE"), None);
        assert_eq!(json("hello"), None);
    }
}
