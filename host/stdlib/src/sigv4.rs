//! `kael.s3.sign`: signs a request as AWS wants it (Signature Version 4), in its headers or in its
//! URL. It is an action of the host because the key may be a secret, which no script sees.

use std::collections::BTreeMap;
use std::time::SystemTime;

use hyper::Uri;
use ring::{digest, hmac};
use serde::Deserialize;
use serde_json::{Value, json};

use kael_engine::failure::ActionError;
use kael_engine::run_info::timestamp;
use kael_engine::text::{hex, percent_decoded, percent_encoded};

use crate::refusal::{invalid, params};

/// Seconds that a signed URL may hold.
const MAX_EXPIRES: u32 = 7 * 24 * 3600;
/// Of a body that is signed by what it is not.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The SHA-256 of the body in hex.
    body_hash: Option<String>,
    region: Option<String>,
    service: Option<String>,
    access_key: String,
    key: Option<String>,
    secret: Option<String>,
    session_token: Option<String>,
    /// Signs the URL, for so many seconds.
    expires: Option<u32>,
}

/// Signs a request at a time.
pub(crate) fn run(text: &str, now: SystemTime) -> Result<Vec<u8>, ActionError> {
    let asked: Sign = params(text)?;
    // `2026-11-29T19:30:00.123Z` as AWS writes it.
    let stamp = timestamp(now);
    let stamp: String = stamp.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let stamp = format!("{}Z", stamp.split(['.', 'Z']).next().unwrap_or_default());
    signed(asked, &stamp).map(|answer| answer.to_string().into_bytes())
}

fn signed(asked: Sign, stamp: &str) -> Result<Value, ActionError> {
    let key = match (asked.key, asked.secret) {
        (Some(key), None) | (None, Some(key)) => key,
        _ => return Err(invalid("either `key` or `secret` is the secret key")),
    };
    let uri: Uri = asked.url.parse().map_err(|_| invalid("`url` is no URL"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(invalid("`url` is no URL of a server"));
    };
    let word = |name: &str, text: &str| match text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'/')
    {
        true if !text.is_empty() => Ok(()),
        _ => Err(invalid(format!("`{name}` is no word"))),
    };
    let region = asked.region.as_deref().unwrap_or("us-east-1");
    let service = asked.service.as_deref().unwrap_or("s3");
    for (name, text) in [
        ("region", region),
        ("service", service),
        ("access_key", &asked.access_key),
    ] {
        word(name, text)?;
    }
    let default_port = if scheme == "https" { ":443" } else { ":80" };
    let host = authority.as_str();
    let host = host
        .strip_suffix(default_port)
        .unwrap_or(host)
        .to_ascii_lowercase();
    let day = stamp.get(..8).unwrap_or_default();
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let mut headers = BTreeMap::new();
    for (name, value) in asked.headers {
        let words: Vec<&str> = value.split_whitespace().collect();
        headers.insert(name.to_ascii_lowercase(), words.join(" "));
    }
    headers.insert("host".to_owned(), host.clone());
    let mut query = pairs(uri.query().unwrap_or_default())?;
    let body = match &asked.body_hash {
        Some(hash) => hash.clone(),
        None if asked.expires.is_some() => UNSIGNED.to_owned(),
        None => hex(digest::digest(&digest::SHA256, b"").as_ref()),
    };
    let mut added = BTreeMap::new();
    match asked.expires {
        None => {
            added.insert("x-amz-date", stamp.to_owned());
            added.insert("x-amz-content-sha256", body.clone());
            if let Some(token) = &asked.session_token {
                added.insert("x-amz-security-token", token.clone());
            }
            headers.extend(
                added
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.clone())),
            );
        }
        Some(expires) if (1..=MAX_EXPIRES).contains(&expires) => {
            let names = list(&headers);
            let more = [
                ("X-Amz-Algorithm", ALGORITHM.to_owned()),
                ("X-Amz-Credential", format!("{}/{scope}", asked.access_key)),
                ("X-Amz-Date", stamp.to_owned()),
                ("X-Amz-Expires", expires.to_string()),
                ("X-Amz-SignedHeaders", names),
            ];
            let token = asked
                .session_token
                .iter()
                .map(|token| ("X-Amz-Security-Token", token.clone()));
            query.extend(
                more.into_iter()
                    .chain(token)
                    .map(|(name, value)| (name.to_owned(), value)),
            );
        }
        Some(_) => return Err(invalid("`expires` is a number of seconds up to 604800")),
    }
    let (names, query) = (list(&headers), written(query));
    let mut request = format!(
        "{}\n{}\n{query}\n",
        asked.method.to_ascii_uppercase(),
        path(uri.path(), service)
    );
    for (name, value) in &headers {
        request.push_str(&format!("{name}:{value}\n"));
    }
    request.push_str(&format!("\n{names}\n{body}"));
    let digest = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
    let text = format!("{ALGORITHM}\n{stamp}\n{scope}\n{digest}");
    let mut key = format!("AWS4{key}").into_bytes();
    for part in [day, region, service, "aws4_request"] {
        key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes())
            .as_ref()
            .to_vec();
    }
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), text.as_bytes());
    let signature = hex(signature.as_ref());
    if asked.expires.is_some() {
        let path = uri.path();
        return Ok(
            json!({ "url": format!("{scheme}://{host}{path}?{query}&X-Amz-Signature={signature}") }),
        );
    }
    let credential = format!("{}/{scope}", asked.access_key);
    let authorization =
        format!("{ALGORITHM} Credential={credential},SignedHeaders={names},Signature={signature}");
    added.insert("authorization", authorization);
    Ok(json!({ "headers": added }))
}

/// The names of headers as they are signed.
fn list(headers: &BTreeMap<String, String>) -> String {
    headers
        .keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(";")
}

/// A path as it is signed: that of every service but S3 is encoded once more.
fn path(path: &str, service: &str) -> String {
    match service {
        "s3" => path.to_owned(),
        _ => path
            .split('/')
            .map(percent_encoded)
            .collect::<Vec<_>>()
            .join("/"),
    }
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, ActionError> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Some((percent_decoded(name)?, percent_decoded(value)?))
    };
    let parts = query.split('&').filter(|part| !part.is_empty());
    let pairs: Option<_> = parts.map(pair).collect();
    pairs.ok_or_else(|| invalid("a % in the query of `url` stands for no character"))
}

fn written(pairs: Vec<(String, String)>) -> String {
    let mut parts: Vec<_> = pairs
        .iter()
        .map(|(name, value)| (percent_encoded(name), percent_encoded(value)))
        .collect();
    parts.sort();
    let parts = parts.iter().map(|(name, value)| format!("{name}={value}"));
    parts.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(method: &str, path: &str, more: Value) -> Value {
        let mut fields = json!({
            "method": method, "url": format!("https://examplebucket.s3.amazonaws.com{path}"),
            "access_key": "AKIAIOSFODNN7EXAMPLE", "key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        });
        let all = fields.as_object_mut().expect("a table");
        all.extend(more.as_object().expect("a table").clone());
        let asked = serde_json::from_value(fields).expect("a request");
        signed(asked, "20130524T000000Z").expect("signed")
    }

    /// The examples of AWS's own documentation.
    #[test]
    fn requests_are_signed_as_aws_documents() {
        let put = json!({
            "headers": { "Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY" },
            "body_hash": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        });
        for (method, path, more, signature) in [
            (
                "GET",
                "/test.txt",
                json!({ "headers": { "Range": "bytes=0-9" } }),
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "PUT",
                "/test%24file.text",
                put,
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
            (
                "GET",
                "/?lifecycle",
                json!({}),
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "GET",
                "/?prefix=J&max-keys=2",
                json!({}),
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let made = example(method, path, more);
            let authorization = made["headers"]["authorization"].as_str().expect("a header");
            assert!(
                authorization.ends_with(signature),
                "{path}: {authorization}"
            );
        }
        let made = example("GET", "/test.txt", json!({ "expires": 86400 }));
        let url = made["url"].as_str().expect("a URL");
        let signature =
            "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(url.ends_with(signature), "{url}");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (field, value) in [
            ("url", json!("/x")),
            ("url", json!("https://a/?%zz")),
            ("region", json!("a/b")),
            ("access_key", json!("")),
            ("expires", json!(0)),
            ("expires", json!(604_801)),
            ("secret", json!("a second one")),
        ] {
            let mut fields =
                json!({ "method": "GET", "url": "https://a/", "access_key": "a", "key": "k" });
            fields[field] = value;
            let asked = serde_json::from_value(fields).expect("a request");
            assert!(signed(asked, "20130524T000000Z").is_err(), "{field}");
        }
    }
}
