//! One try of a delivery: a signed request, and whether the receiver has taken it.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use kael_net::{HeadBounds, Trust, connect_http};

use super::address::Place;
use crate::tables::subscriptions::{DeliveryRow, SubscriptionRow};
use crate::time::{self, SECOND};
use crate::triggers::signature;

/// How long a receiver may take.
const ANSWER: Duration = Duration::from_secs(15);
/// The head of an answer; its body is not read.
const HEAD: HeadBounds = HeadBounds {
    bytes: 16 << 10,
    headers: 100,
};

/// Sends a delivery.
///
/// # Errors
/// Why it did not arrive.
pub(super) async fn send(
    trust: &Trust,
    place: &Place,
    subscription: &SubscriptionRow,
    delivery: &DeliveryRow,
) -> Result<(), String> {
    let request = request(place, subscription, delivery)?;
    let sent = async {
        let mut connection = connect_http(&place.target, &place.network, trust, HEAD)
            .await
            .map_err(|error| match place.network.advice() {
                Some(advice) => format!("{error}: {advice}"),
                None => error.to_string(),
            })?;
        let answer = connection.send_request(request).await;
        answer.map_err(|error| error.to_string())
    };
    let answer = tokio::time::timeout(ANSWER, sent)
        .await
        .map_err(|_| format!("no answer within {} s", ANSWER.as_secs()))??;
    match answer.status() {
        status if status.is_success() => Ok(()),
        // A redirect would be another address than the one that was checked.
        status => Err(format!("the answer has status {}", status.as_u16())),
    }
}

fn request(
    place: &Place,
    subscription: &SubscriptionRow,
    delivery: &DeliveryRow,
) -> Result<Request<Full<Bytes>>, String> {
    let id = delivery.id.to_string();
    let seconds = time::now() / SECOND;
    let signature = signature::sign(&subscription.secret, seconds, &id, delivery.body.as_bytes());
    let text = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
    let mut request = Request::new(Full::new(Bytes::from(delivery.body.clone())));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = place.path.clone();
    let headers = request.headers_mut();
    headers.insert(HOST, text(&place.authority)?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let own = concat!("kael/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(own));
    headers.insert("kael-event", text(&delivery.event)?);
    headers.insert("kael-delivery", text(&id)?);
    headers.insert("kael-signature", text(&signature)?);
    Ok(request)
}
