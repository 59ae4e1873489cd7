//! `kael-host serve`, and the commands that talk to a server; one file a command.

mod approvals;
pub(crate) mod args;
mod cancel;
mod db;
mod follow;
mod fork;
mod hook;
mod login;
mod logs;
mod ps;
mod repo;
mod schedule;
mod script;
mod secret;
mod serve;
mod session;
mod show;
mod submit;
mod tenant;
mod token;
mod waits;

use kael_engine::environment::Environment;
use kael_server::client::{Client, ClientError};

use crate::args::Shared;
use crate::exit;
use crate::report::Problem;
use crate::runtime::{Driven, block_with_signals};
use args::{ServerCommand, Target};

pub(crate) use serve::settings_of;

/// Runs one of the commands of this room.
pub(crate) fn run(shared: &Shared, command: ServerCommand, environment: &Environment) -> u8 {
    match command {
        ServerCommand::Serve(command) => serve::run(shared, &command, environment),
        ServerCommand::Db(command) => db::run(shared, &command, environment),
        ServerCommand::Login(command) => login::run(shared, &command, environment),
        ServerCommand::Submit(command) => submit::run(shared, &command, environment),
        ServerCommand::Ps(command) => ps::run(shared, &command, environment),
        ServerCommand::Logs(command) => logs::run(shared, &command, environment),
        ServerCommand::Show(command) => show::run(shared, &command, environment),
        ServerCommand::Cancel(command) => cancel::run(shared, &command, environment),
        ServerCommand::Approvals(command) => approvals::list(shared, &command, environment),
        ServerCommand::Approve(command) => approvals::approve(shared, &command, environment),
        ServerCommand::Deny(command) => approvals::deny(shared, &command, environment),
        ServerCommand::Signal(command) => waits::signal(shared, &command, environment),
        ServerCommand::Resume(command) => waits::resume(shared, &command, environment),
        ServerCommand::Fork(command) => fork::run(shared, &command, environment),
        ServerCommand::Resolve(command) => waits::resolve(shared, &command, environment),
        ServerCommand::Repo(command) => repo::run(shared, &command, environment),
        ServerCommand::Secret(command) => secret::run(shared, &command, environment),
        ServerCommand::Token(command) => token::run(shared, &command, environment),
        ServerCommand::Tenant(command) => tenant::run(shared, &command, environment),
        ServerCommand::Script(command) => script::run(shared, &command, environment),
        ServerCommand::Schedule(command) => schedule::run(shared, &command, environment),
        ServerCommand::Hook(command) => hook::run(shared, &command, environment),
    }
}

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
