//! Events of Windows as XML, one a line: the elements of `System`, and the data by their names.

use serde_json::{Map, Value};

/// The event as an object of texts; none where the line is no such event.
pub(super) fn json(line: &str) -> Option<Value> {
    let line = line.trim();
    if !line.starts_with("<Event") {
        return None;
    }
    let mut fields = Map::new();
    let mut rest = line;
    // The start tag whose text comes next: its name, and the attribute `Name`.
    let mut open: Option<(&str, Option<String>)> = None;
    while let Some(at) = rest.find('<') {
        let text = &rest[..at];
        let end = rest[at..].find('>')? + at;
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if let Some((opened, data)) = open.take()
                && opened == name.trim()
            {
                let key = data.unwrap_or_else(|| opened.to_owned());
                fields.insert(key, Value::String(unescaped(text)));
            }
            continue;
        }
        let empty = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let name = tag.split_whitespace().next().unwrap_or_default();
        if name == "TimeCreated" {
            let time = attribute(tag, "SystemTime")?;
            fields.insert("SystemTime".to_owned(), Value::String(time));
        }
        if name == "Provider"
            && let Some(provider) = attribute(tag, "Name")
        {
            fields.insert("Provider".to_owned(), Value::String(provider));
        }
        open = (!empty && !tag.starts_with(['?', '!'])).then(|| (name, attribute(tag, "Name")));
    }
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// The value of an attribute in a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    loop {
        let at = rest.find(name)?;
        let before = rest[..at].chars().next_back();
        let after = rest[at + name.len()..].trim_start();
        rest = &rest[at + name.len()..];
        if !before.is_some_and(char::is_whitespace) {
            continue;
        }
        let Some(value) = after.strip_prefix('=').map(str::trim_start) else {
            continue;
        };
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let value = &value[1..];
        return Some(unescaped(&value[..value.find(quote)?]));
    }
}

/// Text without references to characters.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = rest.find(';').filter(|end| *end <= 10) else {
            out.push('&');
            rest = &rest[1..];
            continue;
        };
        let name = &rest[1..end];
        let c = match name {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => name.strip_prefix('#').and_then(|number| {
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(digits) => u32::from_str_radix(digits, 16).ok(),
                    None => number.parse().ok(),
                };
                char::from_u32(code?)
            }),
        };
        match c {
            Some(c) => out.push(c),
            None => out.push_str(&rest[..=end]),
        }
        rest = &rest[end + 1..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_sysmon_is_an_object() {
        let line = "<Event xmlns='http://x'><System><Provider Name='Sysmon' Guid='{5}'/><EventID>1</EventID>\
            <TimeCreated SystemTime='2020-10-18T23:50:05.910Z'/><Computer>W5</Computer></System><EventData>\
            <Data Name='CommandLine'>cmd /c &quot;a &amp;&#38; b&quot;</Data><Data Name=\"ProcessId\">4824</Data>\
            <Data Name='Empty'></Data></EventData></Event>";
        assert_eq!(
            json(line).expect("an event"),
            serde_json::json!({
                "Provider": "Sysmon", "EventID": "1", "SystemTime": "2020-10-18T23:50:05.910Z", "Computer": "W5",
                "CommandLine": "cmd /c \"a && b\"", "ProcessId": "4824", "Empty": ""
            })
        );
        assert_eq!(json("{}"), None);
        assert_eq!(json("<Event"), None);
    }
}
