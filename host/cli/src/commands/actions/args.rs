//! The command line of `kael-host actions`.

use std::path::PathBuf;

use clap::Subcommand;

use kael_engine::confinement::Confinement;

/// List, check, call and change the actions of a repo.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Example:\n  kael-host --actions ./actions actions list")]
pub(crate) struct Actions {
    #[command(subcommand)]
    pub(crate) command: ActionsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ActionsCommand {
    List(List),
    Describe(Describe),
    Validate(Validate),
    Exec(Box<Exec>),
    Fetch(Fetch),
    Add(Box<Add>),
    Init(Init),
    Edit(Edit),
    Remove(Remove),
    Types(Types),
    #[cfg(feature = "mcp")]
    Mcp(Servers),
}

/// Print the tree of actions with their descriptions.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host --actions ./actions actions list")]
pub(crate) struct List {
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print everything about one action, with a sample call.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host --actions ./actions actions describe text.wordcount")]
pub(crate) struct Describe {
    /// The action's dotted name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Check the whole repo: every definition and schema, sources and entry points. Prints all problems
/// at once.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host --actions ./actions actions validate\n  kael-host --actions ./actions actions \
validate --json\n\nExits with 0, or with 3 when something is wrong."
)]
pub(crate) struct Validate {
    /// Fetch git repositories that were not fetched yet, and check them too.
    #[arg(long)]
    pub(crate) fetch: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Call one action, through the same gate as a script. Its result is printed as JSON.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host --actions ./actions actions exec text.wordcount --param text='a b'\n  \
kael-host --actions ./actions actions exec text.wordcount --params '{\"text\":\"a b\"}'\n  \
jq '{text: .body}' page.json | kael-host --actions ./actions actions exec text.wordcount"
)]
pub(crate) struct Exec {
    /// The action's dotted name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// One parameter: JSON if it is valid JSON and the schema does not want a string, otherwise a
    /// string. `a.b=1` sets a field of a table. Repeatable.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) param: Vec<String>,
    /// All parameters as one JSON object. Without --params and --param they are read from stdin,
    /// unless stdin is a terminal.
    #[arg(long, value_name = "JSON", conflicts_with = "param")]
    pub(crate) params: Option<String>,
    /// Do not use or keep a result.
    #[arg(long, conflicts_with = "refresh")]
    pub(crate) no_cache: bool,
    /// Run it again, and keep the new result.
    #[arg(long)]
    pub(crate) refresh: bool,
    /// Hold the call to the rules of this policy file, too. Repeatable.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Vec<std::path::PathBuf>,
    /// Call it only if its definition says effects = "none", or that it keeps results.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Append a line for the call to this audit log (mode 0600).
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<std::path::PathBuf>,
    /// Deny actions whose name matches. Repeatable.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) deny: Vec<String>,
    /// How much confinement it needs: all, what the machine offers, or none [default: best-effort].
    #[arg(long, value_name = "required|best-effort|off")]
    pub(crate) confinement: Option<Confinement>,
    /// Print one JSON report: the result or error, and the time it took.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Bring the git sources of all actions to this machine, or that of one, and print the commit of each.
///
/// Calls fetch a source that is not there by themselves, and then use it as it is: a branch that has moved on is seen
/// with --refresh.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host --actions ./actions actions fetch\n  \
kael-host --actions ./actions actions fetch db.query --refresh\n\nExits with 0, or with 6 when a source cannot be fetched."
)]
pub(crate) struct Fetch {
    /// The action's dotted name [default: every action].
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Fetch anew what is there.
    #[arg(long)]
    pub(crate) refresh: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write the definition of an action from a folder, a file or a git repository, and put it into the tree.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host --actions ./actions actions add ./tools/report.py ops\n  \
kael-host --actions ./actions actions add git@github.com:someone/tools.git ops --entrypoint query.py --tag v1.2.0"
)]
pub(crate) struct Add {
    /// A folder, a file, or a git repository.
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    /// The namespace in the tree, such as `ops.reports` [default: the root].
    #[arg(
        value_name = "NAMESPACE",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) namespace: String,
    /// Its name [default: from the entry point].
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The file to run, if there are several.
    #[arg(long, value_name = "FILE")]
    pub(crate) entrypoint: Option<String>,
    /// A folder within the source.
    #[arg(long, value_name = "DIR")]
    pub(crate) subdir: Option<String>,
    /// The tag, branch or commit of a git repository.
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// The executor: native or docker.
    #[arg(long, value_name = "EXECUTOR", default_value = "native")]
    pub(crate) executor: String,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Create an actions repo with a working example.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host actions init ./actions")]
pub(crate) struct Init {
    /// The folder, which must be new or empty.
    #[arg(value_name = "DIR", default_value = "actions")]
    pub(crate) folder: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Open the definition of an action in $VISUAL or $EDITOR, then check the repo.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  EDITOR=nano kael-host --actions ./actions actions edit text.wordcount"
)]
pub(crate) struct Edit {
    /// The action's dotted name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Print the findings of the check as one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Remove an action from the repo: its file, and the line that requires it. Asks first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host --actions ./actions actions remove text.wordcount")]
pub(crate) struct Remove {
    /// The action's dotted name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write EmmyLua annotations of the repo for editors: actions with their parameters and results,
/// and the globals of scripts.
///
/// Writes .kael/types, and names it in .luarc.json (lua-language-server) and .emmyrc.json
/// (emmylua_ls). Annotations directly above a `define_action` are kept and take precedence.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host --actions ./actions actions types -o .")]
pub(crate) struct Types {
    /// The folder that the editor opens.
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(feature = "mcp")]
/// Make actions of the tools of an MCP server.
///
/// What scripts and models read of the tools comes from a lock file that you review. A tool that its
/// server describes otherwise afterwards is not called.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  kael-host --actions ./actions actions mcp add files mcp-server-filesystem /srv\n  kael-host --actions \
./actions actions mcp diff files"
)]
pub(crate) struct Servers {
    #[command(subcommand)]
    pub(crate) command: ServerCommand,
}

#[cfg(feature = "mcp")]
#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    Add(ServerAdd),
    Diff(ServerDiff),
    Update(ServerUpdate),
}

#[cfg(feature = "mcp")]
/// Ask a server once, and write its tools into a lock file and a module of the repo.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kael-host --actions ./actions actions mcp add github --env GITHUB_TOKEN github-mcp-server stdio"
)]
pub(crate) struct ServerAdd {
    /// The table of its actions: `github` makes `actions.github.TOOL`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// A variable that the server sees. Repeatable.
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Vec<String>,
    /// A secret: VARIABLE=NAME for a program, NAME for the token of a server at a URL. Repeatable.
    #[arg(long, value_name = "SECRET")]
    pub(crate) secret: Vec<String>,
    /// Addresses, such as 10.0.0.0/8:443, that the name in the URL may have. Repeatable.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) network: Vec<String>,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
    /// The URL of a server; or the program that speaks the protocol on stdin and stdout, and its arguments.
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) command: Vec<String>,
}

#[cfg(feature = "mcp")]
/// Compare what a server says of its tools now with what was reviewed; exit code 1 when it differs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host --actions ./actions actions mcp diff github")]
pub(crate) struct ServerDiff {
    /// The table of its actions.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(feature = "mcp")]
/// Show what changed, ask, and write the lock file anew.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host --actions ./actions actions mcp update github")]
pub(crate) struct ServerUpdate {
    #[command(flatten)]
    pub(crate) of: ServerDiff,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[cfg(feature = "mcp")]
impl ServerCommand {
    /// Whether one JSON document is wanted.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Add(add) => add.json,
            Self::Diff(diff) => diff.json,
            Self::Update(update) => update.of.json,
        }
    }
}
