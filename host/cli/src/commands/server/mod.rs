//! `kael-host serve`, and the commands that talk to a server; one file a command.

mod approvals;
pub(crate) mod args;
mod cancel;
mod db;
mod follow;
mod hook;
mod login;
mod logs;
mod ps;
mod schedule;
mod script;
mod secret;
mod serve;
mod session;
mod show;
mod submit;
mod tenant;
mod token;
pub(crate) mod waiting_args;
mod waits;

use kael_engine::environment::Environment;
use kael_server::client::{Client, ClientError};

use crate::args::Shared;
use crate::exit;
use crate::report::Problem;
use crate::runtime::{Driven, block_with_signals};
use args::Target;

pub(crate) use approvals::{approve, deny, list as approvals};
pub(crate) use cancel::run as cancel;
pub(crate) use db::run as db;
pub(crate) use hook::run as hook;
pub(crate) use login::run as login;
pub(crate) use logs::run as logs;
pub(crate) use ps::run as ps;
pub(crate) use schedule::run as schedule;
pub(crate) use script::run as script;
pub(crate) use secret::run as secret;
pub(crate) use serve::{run as serve, settings_of};
pub(crate) use show::run as show;
pub(crate) use submit::run as submit;
pub(crate) use tenant::run as tenant;
pub(crate) use token::run as token;
pub(crate) use waits::{resolve, resume, signal};

/// What a command of a client has at hand.
struct Context<'a> {
    shared: &'a Shared,
    environment: &'a Environment,
    json: bool,
}

impl<'a> Context<'a> {
    fn new(shared: &'a Shared, environment: &'a Environment, target: &Target) -> Self {
        Self {
            shared,
            environment,
            json: target.json,
        }
    }

    /// Tells what went wrong.
    fn fail(&self, problem: &Problem, code: u8) -> u8 {
        problem.report(self.shared, self.json, code)
    }

    /// Tells why the server did not do what it was asked.
    fn refused(&self, error: &ClientError) -> u8 {
        let (problem, code) = of_client_error(error);
        self.fail(&problem, code)
    }

    /// The server and the token, from the command line, the environment, or the last sign-in.
    fn client(&self, target: &Target) -> Result<Client, u8> {
        let kept = session::read(self.environment)
            .map_err(|why| self.fail(&Problem::usage(why), exit::CONFIG))?;
        let text = |name: &str| {
            let value = self.environment.get(name)?;
            value.to_str().map(str::to_owned)
        };
        let named = target.server.clone().or_else(|| text("KAEL_SERVER"));
        let address = named.or_else(|| kept.as_ref().map(|kept| kept.server.clone()));
        let Some(address) = address else {
            let problem = Problem::usage("no server is known".to_owned()).hinted(
                "kael-host login LINK signs in to one; KAEL_SERVER and KAEL_TOKEN name one, too",
            );
            return Err(self.fail(&problem, exit::USAGE));
        };
        let client = Client::new(&address).map_err(|error| self.refused(&error))?;
        // A kept token is for the server that gave it, and no other.
        let own = kept.filter(|kept| {
            Client::new(&kept.server).is_ok_and(|of| of.server() == client.server())
        });
        let token = text("KAEL_TOKEN").or_else(|| own.as_ref().map(|own| own.token.clone()));
        let tenant = target.tenant.clone().or_else(|| text("KAEL_TENANT"));
        let authorities = self.environment.path("SSL_CERT_FILE");
        Ok(client.token(token).tenant(tenant).authorities(authorities))
    }

    /// Drives a future to its end, or to a signal.
    fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, u8> {
        match block_with_signals(future) {
            Ok(Driven::Done(done)) => Ok(done),
            Ok(Driven::Signal(number)) => Err(exit::SIGNAL + number),
            Err(error) => Err(self.fail(&Problem::no_threads(&error), exit::CONFIG)),
        }
    }

    /// The same for something that a server is asked.
    fn ask<T>(&self, future: impl Future<Output = Result<T, ClientError>>) -> Result<T, u8> {
        self.wait(future)?.map_err(|error| self.refused(&error))
    }
}

/// The server that a command names, or the one that one has signed in to.
pub(super) fn client(
    shared: &Shared,
    environment: &Environment,
    server: Option<&str>,
    json: bool,
) -> Result<Client, u8> {
    let target = Target {
        server: server.map(str::to_owned),
        tenant: None,
        json,
    };
    Context::new(shared, environment, &target).client(&target)
}

/// What a refusal looks like, and its exit code.
pub(super) fn of_client_error(error: &ClientError) -> (Problem, u8) {
    let problem = Problem::usage(error.to_string());
    match error {
        ClientError::Address(_) => (problem, exit::USAGE),
        ClientError::Unreachable { .. } | ClientError::Strange { .. } => (
            problem.hinted("is it the address of a running kael-host serve?"),
            exit::UNAVAILABLE,
        ),
        ClientError::Refused(refused) => {
            let problem = match &refused.hint {
                Some(hint) => problem.hinted(hint),
                None => problem,
            };
            let code = match refused.status {
                401 | 403 => exit::DENIED,
                422 if refused.kind.ends_with(":script_error") => exit::SCRIPT_FAILED,
                429 | 500.. => exit::UNAVAILABLE,
                _ => exit::USAGE,
            };
            (problem, code)
        }
    }
}

/// The code of a command that did what it was asked, or has told why not.
fn code(result: Result<u8, u8>) -> u8 {
    result.unwrap_or_else(|code| code)
}
