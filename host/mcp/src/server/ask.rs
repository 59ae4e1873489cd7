//! Asks a person through the client: an elicitation, in the form that the client knows and the
//! person who started the server wants.

use rmcp::RoleServer;
use rmcp::model::{
    ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema, ProtocolVersion,
};
use rmcp::service::RequestContext;
use serde::{Deserialize, Serialize};

use kael_authoring::context::plain;
use kael_engine::gate::approval::{Answer, Question};

use super::Approvals;

/// Bytes of parameters that a person can be shown: what cannot be read is not approved.
const MAX_SHOWN: usize = 16 << 10;

/// How a client can ask the person in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It repeats its request with the answer.
    Repeat(Shape),
    /// It answers a request of the server's.
    Request(Shape),
    /// It cannot.
    None,
}

/// What the person is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The address of the page.
    Url,
    /// A form of the client's own.
    Form,
}

/// What a client that repeats its request brings back, sealed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Resumed {
    pub(super) run: String,
    pub(super) question: u64,
}

impl Way {
    /// What the client of a request can do, and the person who started the server wants.
    pub(crate) fn of(context: &RequestContext<RoleServer>, wanted: Approvals) -> Self {
        let capabilities = context.client_capabilities().unwrap_or_default();
        let Some(can) = capabilities.elicitation else {
            return Self::None;
        };
        // Before there were two shapes, a client that could ask at all had forms.
        let has_form = can.form.is_some() || can.url.is_none();
        let shape = match wanted {
            Approvals::Page if can.url.is_some() => Shape::Url,
            Approvals::Form if has_form => Shape::Form,
            _ => return Self::None,
        };
        let repeats = context
            .protocol_version()
            .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
        match repeats {
            true => Self::Repeat(shape),
            false => Self::Request(shape),
        }
    }
}

/// Why a question cannot be put to anybody.
pub(super) fn unfit(question: &Question) -> Option<Answer> {
    let too_large = question.params.len() > MAX_SHOWN;
    too_large.then(|| Answer::Unasked("its parameters are too large to be shown".to_owned()))
}

/// What a person reads: the call, with its parameters as the host has merged them, and the rules.
/// Nothing of it is the model's own word.
pub(super) fn words(question: &Question) -> String {
    let mut words = format!(
        "A script wants to call {} with {}.",
        plain(&question.action),
        plain(&question.params)
    );
    for rule in &question.rules {
        words += &format!(" Rule: {}.", plain(&rule.to_string()));
        if let Some(reason) = &rule.reason {
            words += &format!(" Reason: {}.", plain(reason));
        }
    }
    words
}

/// The request that a client shows.
pub(super) fn request(
    shape: Shape,
    question: &Question,
    url: &str,
    id: &str,
) -> Result<ElicitRequestParams, &'static str> {
    let message = words(question);
    Ok(match shape {
        Shape::Url => ElicitRequestParams::UrlElicitationParams {
            meta: None,
            message: format!("{message} Open the page to approve or deny it."),
            url: url.to_owned(),
            elicitation_id: id.to_owned(),
        },
        Shape::Form => ElicitRequestParams::FormElicitationParams {
            meta: None,
            message,
            requested_schema: ElicitationSchema::builder()
                .required_bool("approve")
                .build()?,
        },
    })
}

/// What a form said. Only an explicit yes is one.
pub(super) fn answer(result: &ElicitResult) -> Answer {
    let yes = result.action == ElicitationAction::Accept
        && result
            .content
            .as_ref()
            .and_then(|content| content.get("approve")?.as_bool())
            == Some(true);
    match yes {
        true => Answer::Yes,
        false => Answer::No,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_explicit_yes_approves() {
        let accepted = |content| ElicitResult::new(ElicitationAction::Accept).with_content(content);
        assert_eq!(answer(&accepted(json!({ "approve": true }))), Answer::Yes);
        for other in [
            json!({ "approve": false }),
            json!({ "approve": "yes" }),
            json!({}),
            json!(true),
        ] {
            assert_eq!(answer(&accepted(other)), Answer::No);
        }
        for action in [ElicitationAction::Decline, ElicitationAction::Cancel] {
            let result = ElicitResult::new(action).with_content(json!({ "approve": true }));
            assert_eq!(answer(&result), Answer::No);
        }
        assert_eq!(
            answer(&ElicitResult::new(ElicitationAction::Accept)),
            Answer::No
        );
    }

    #[test]
    fn what_a_person_reads_has_no_hidden_characters() {
        let question = Question {
            action: "a\u{202e}b".to_owned(),
            params: "{\"x\":\"\u{200b}\u{e0041}y\"}".to_owned(),
            rules: Vec::new(),
            within: None,
        };
        assert_eq!(
            words(&question),
            "A script wants to call ab with {\"x\":\"y\"}."
        );
    }
}
