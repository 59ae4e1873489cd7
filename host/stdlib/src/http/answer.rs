//! An answer, as scripts get it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, RETRY_AFTER};
use hyper::http::response::Parts;
use serde_json::{Map, Value};

use super::masked::Masked;
use crate::wire;

/// An answer that was read to its end.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    url: String,
    /// By what the rest of it is read.
    stream: Option<String>,
    /// What stands in place of a value wherever the answer holds it, and the value.
    masks: Vec<(String, String)>,
}

impl Answer {
    pub(super) fn new(head: Parts, body: Vec<u8>, url: String) -> Self {
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            url,
            stream: None,
            masks: Vec::new(),
        }
    }

    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// An answer whose events are read by a handle, and which has no body.
    pub(super) fn with_stream(self, handle: String) -> Self {
        Self {
            stream: Some(handle),
            ..self
        }
    }

    /// Whether the server says that it may answer otherwise soon.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self.status, 429 | 502 | 503 | 504)
    }

    /// How long the server asks to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.header(&RETRY_AFTER)?.parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// Has a mask put wherever the answer holds a value. `taken` has each value after its mask.
    pub(super) fn mask<'a>(&mut self, taken: impl Iterator<Item = (&'a str, &'a str)>) {
        let masks = taken.map(|(mask, value)| (mask.to_owned(), value.to_owned()));
        self.masks = masks.collect();
    }

    /// The bytes of its body.
    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    fn hidden<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.masks.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let taken = self.masks.iter();
        let taken = taken.map(|(mask, value)| (mask.as_str(), value.as_str()));
        Cow::Owned(Masked::new(taken).whole(bytes))
    }

    fn masked(&self, bytes: &[u8]) -> String {
        let hidden = self.hidden(bytes).into_owned();
        String::from_utf8(hidden).unwrap_or_else(|error| wire::chars(error.as_bytes()))
    }

    /// The table of a script: `status`, `headers` by names in lower case, `url`, and `body`, or
    /// `bytes` with a character for each byte where that is no text. Names that came more than once
    /// are in `repeated`, too.
    pub(super) fn json(&self) -> Vec<u8> {
        let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in &self.headers {
            let value = self.masked(value.as_bytes());
            lists.entry(name.as_str()).or_default().push(value);
        }
        let joined = |(name, values): (&&str, &Vec<String>)| {
            // Cookies have commas of their own.
            let whole = match *name {
                "set-cookie" => values.first().cloned().unwrap_or_default(),
                _ => values.join(", "),
            };
            ((*name).to_owned(), Value::from(whole))
        };
        let headers: Map<String, Value> = lists.iter().map(joined).collect();
        let mut answer = Map::new();
        answer.insert("status".to_owned(), self.status.into());
        answer.insert("headers".to_owned(), headers.into());
        answer.insert("url".to_owned(), self.masked(self.url.as_bytes()).into());
        let repeated = lists.iter().filter(|(_, values)| values.len() > 1);
        let repeated: Map<String, Value> = repeated
            .map(|(name, values)| ((*name).to_owned(), values.clone().into()))
            .collect();
        if !repeated.is_empty() {
            answer.insert("repeated".to_owned(), repeated.into());
        }
        if let Some(handle) = &self.stream {
            answer.insert("stream".to_owned(), handle.as_str().into());
            return Value::Object(answer).to_string().into_bytes();
        }
        let body = self.hidden(&self.body);
        match std::str::from_utf8(&body) {
            Ok(text) => answer.insert("body".to_owned(), text.into()),
            Err(_) => answer.insert("bytes".to_owned(), wire::chars(&body).into()),
        };
        Value::Object(answer).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_within_another_leaves_nothing_of_that() {
        let head = hyper::Response::builder()
            .header("x-echo", "s3cret-one")
            .body(());
        let (head, ()) = head.expect("an answer").into_parts();
        let body = b"s3cret and s3cret-one".to_vec();
        let mut answer = Answer::new(head, body, "http://x/?t=s3cret-one".to_owned());
        answer.mask([("[short]", "s3cret"), ("[long]", "s3cret-one")].into_iter());
        let answer: Value = serde_json::from_slice(&answer.json()).expect("JSON");
        assert_eq!(answer["body"], "[short] and [long]");
        assert_eq!(answer["headers"]["x-echo"], "[long]");
        assert_eq!(answer["url"], "http://x/?t=[long]");
    }
}
