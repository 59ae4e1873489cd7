//! Sends alerts to a server, beside the evaluation.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::Method;
use kael_server::client::{Client, ClientError, MAX_SENT_ALERTS, SentAlerts, TakenAlerts};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::args::Run;
use crate::args::Shared;
use crate::commands::server;
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::stderr;
use kael_engine::environment::Environment;
use kael_rules::alert::Alert;

/// Alerts that wait to be sent. Behind them the evaluation waits.
const WAITING: usize = 10_000;
/// How long to wait after a server could not be reached, for each time in a row.
const AGAIN: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// Takes alerts for a server.
pub(super) struct Sender {
    alerts: mpsc::Sender<serde_json::Value>,
    thread: JoinHandle<Option<ClientError>>,
}

impl Sender {
    /// Finds the server, and starts. Gives the exit code of what is wrong.
    pub(super) fn start(
        shared: &Shared,
        run: &Run,
        address: Option<&str>,
        environment: &Environment,
    ) -> Result<Self, u8> {
        let client = server::client(shared, environment, address, run.json)?;
        let failed = |error: std::io::Error| {
            Problem::no_threads(&error).report(shared, run.json, exit::CONFIG)
        };
        let tasks = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let (alerts, waiting) = mpsc::channel(WAITING);
        let thread = thread::Builder::new()
            .name("alerts".to_owned())
            .spawn(move || tasks.block_on(sent(&client, waiting)))
            .map_err(failed)?;
        Ok(Self { alerts, thread })
    }

    /// Hands alerts over. Waits while too many do.
    pub(super) fn take(&self, alerts: &[Alert]) {
        for alert in alerts {
            // Once a server has refused, the thread takes no more; its reason comes out at the end.
            let value = serde_json::from_str(&alert.line).unwrap_or_default();
            self.alerts.blocking_send(value).ok();
        }
    }

    /// Waits until the server has all alerts. Gives the exit code where it does not take them.
    pub(super) fn finish(self, shared: &Shared) -> Result<(), u8> {
        drop(self.alerts);
        match self.thread.join() {
            Ok(None) | Err(_) => Ok(()),
            Ok(Some(error)) => {
                let (problem, code) = server::of_client_error(&error);
                Err(problem.report(shared, false, code))
            }
        }
    }
}

/// Sends what comes, in pieces; gives the reason why a server takes nothing.
async fn sent(
    client: &Client,
    mut waiting: mpsc::Receiver<serde_json::Value>,
) -> Option<ClientError> {
    let mut piece = Vec::new();
    while waiting.recv_many(&mut piece, MAX_SENT_ALERTS).await > 0 {
        let alerts = SentAlerts {
            alerts: std::mem::take(&mut piece),
        };
        let mut waits = AGAIN.into_iter();
        loop {
            let answer = client.send::<TakenAlerts>(Method::POST, "/v1/alerts", &alerts);
            match (answer.await, waits.next()) {
                (Ok(_), _) => break,
                (Err(error), Some(wait)) if may_pass(&error) => {
                    let text = escape_control(&format!("{error}; trying again")).to_string();
                    stderr::write(format!("{text}\n").as_bytes());
                    sleep(wait).await;
                }
                (Err(error), _) => return Some(error),
            }
        }
    }
    None
}

/// Whether the same request may be taken later.
fn may_pass(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } => true,
        ClientError::Refused(problem) => problem.status == 429 || problem.status >= 500,
        ClientError::Address(_) | ClientError::Strange { .. } => false,
    }
}
