---@meta _

-- What a script finds beside Lua's own library. Written by kael-host actions types: changes are lost.

--- The script's arguments, from index 1; its name at index 0.
---@type table<integer, string>
arg = {}

--- An action that failed, as `pcall` catches it. It prints, concatenates and matches like the text of its message.
---@class kael.Failure
---@field action string The name of the action.
---@field kind "unknown_action"|"invalid_params"|"denied"|"timeout"|"failed"|"bad_output"|"unavailable"|"cancelled"
---@field message string
---@field detail kael.FailureDetail
---@operator concat(any): string

---@class kael.FailureDetail
---@field exit_code? integer
---@field signal? integer
---@field stderr? string The end of what it wrote to stderr.
---@field frames? string[] The functions of WebAssembly that were running when it trapped.
---@field hint? string

--- Calls a function. When it fails, the second result is the error: for an action that failed, a `kael.Failure`.
---@param f fun(...: any): any ...
---@param ... any
---@return boolean ok
---@return any ...
function pcall(f, ...) end

--- Runs functions side by side and returns their first results in order; `parallel({ f, g })` returns a list. When some
--- fail, the error of the lowest index is raised after the rest have settled.
---@overload fun(list: (fun(): any)[]): any[]
---@param ... fun(): any
---@return any ...
function parallel(...) end

--- The index and the value of the first function to settle, or its error; the rest is cancelled.
---@overload fun(list: (fun(): any)[]): integer, any
---@param ... fun(): any
---@return integer index
---@return any value
function race(...) end

--- Waits, beside other branches; waiting is not computing.
---@param time number|string seconds, or a text such as "90s", "1h30m" or "2d"
function sleep(time) end

--- Waits for a signal (`kael-host runs signal`), and returns what came with it. Needs a run with a journal.
---@param name string
---@param options? { timeout?: number|string }
---@return any
function wait_for(name, options) end

--- Says how far the run is; `kael-host runs ls` shows it. Needs a run with a journal.
---@param text string|number
function status(text) end

--- Seconds since 1970, with fractions.
---@return number
function now() end

---@class kael.NewRun
---@field script string the text of the script
---@field name? string how errors name it
---@field args? string[]
---@field inputs? table<string, string>
---@field wait? boolean whether to wait for its result
---@field on_parent_end? "cancel"|"abandon"

---@class kael.runs
runs = {}

--- Starts another run, and returns its id; with `wait = true` its result. Needs a run with a journal.
---@param options kael.NewRun
---@return any
function runs.start(options) end

--- Waits for a run that this one has started, and returns its result.
---@param id string
---@param options? { timeout?: number|string }
---@return any
function runs.wait(id, options) end

--- What `kael-host run` was given on stdin, all of it.
---@return string
function input() end

--- The files of `kael-host run --input NAME=FILE`, by their names.
---@type table<string, string>
inputs = {}

--- Null in JSON.
---@class kael.Null

---@class kael.json
json = {}

--- Null: a field that is there and has no value.
---@type kael.Null
json.null = nil

--- A value as JSON.
---@param value any
---@return string
function json.encode(value) end

--- A value as JSON over several lines.
---@param value any
---@return string
function json.pretty(value) end

--- A value from JSON. Nulls in tables are left out, unless `{ null = json.null }` keeps them.
---@param text string
---@param options? { null?: any }
---@return any
function json.decode(text, options) end

--- A table that is a list, even when it is empty.
---@generic T
---@param list? T[]
---@return T[]
function json.array(list) end

--- All outputs of a jq filter, as the values of the call. `variables` are `$name` in the filter. Nulls are nil and left
--- out of tables, unless `{ null = json.null }` keeps them.
---@param value any
---@param filter string
---@param variables? table<string, any>
---@param options? { null?: any }
---@return any ...
function jq(value, filter, variables, options) end

--- Rows as text, and tables and charts for the page of `kael-host run --html`.
---@class kael.report
report = {}

--- A key, or a key and a title: `{ "cpu", "CPU %" }` or `{ key = "cpu", title = "CPU %" }`.
---@alias kael.Column string|integer|string[]|{ key: string|integer, title?: string }

--- A table aligned by the cells that a terminal shows; it is on the page, too.
---@param rows table[]
---@param columns? kael.Column[] All keys, sorted, when there are none.
---@param options? { title?: string }
---@return string
function report.table(rows, columns, options) end

--- Comma-separated values; `safe` keeps a spreadsheet from taking a text for a formula.
---@param rows table[]
---@param columns? kael.Column[]
---@param options? { safe?: boolean }
---@return string
function report.csv(rows, columns, options) end

--- A JSON list, a row a line, keys in the order of the columns.
---@param rows table[]
---@param columns? kael.Column[]
---@return string
function report.json(rows, columns) end

--- A table in Markdown, in which no cell is markup.
---@param rows table[]
---@param columns? kael.Column[]
---@return string
function report.markdown(rows, columns) end

--- A chart for the page.
---@param kind "line"|"area"|"bar"|"scatter"
---@param rows table[]
---@param options? { x?: any, y?: any, series?: any, title?: string, x_title?: string, y_title?: string }
function report.chart(kind, rows, options) end

--- A value as Lua would write it, `depth` levels of it.
---@param value any
---@param depth? integer
---@return string
function inspect(value, depth) end

--- Prints a value as Lua would write it.
---@param value any
---@param depth? integer
function pp(value, depth) end

--- The keys of a table, sorted.
---@generic K
---@param t table<K, any>
---@return K[]
function keys(t) end

--- One field of every element of a list, where it is there.
---@param list table[]
---@param key any
---@return any[]
function pluck(list, key) end

--- Stands for a secret that only the host has, for a parameter that its action declares as "secret".
---@param name string
---@return table
function secret(name) end

--- How many entries a table has, or how many of them `test(value, key)` accepts.
---@param t table
---@param test? fun(value: any, key: any): any
---@return integer
function count(t, test) end

--- The options of a request.
---@class (exact) kael.HttpOptions
---@field headers? table<string, string|number|string[]>
---@field query? table<string, any>
---@field body? string|table
---@field json? any
---@field form? table<string, any>
---@field multipart? { name: string, value: string, filename?: string, type?: string }[]
---@field auth? { token?: string, username?: string, password?: string }
---@field timeout? number Seconds.
---@field redirects? integer
---@field follow_redirects? boolean
---@field max_bytes? integer
---@field retries? integer

---@class kael.HttpAnswer
---@field status integer
---@field headers table<string, string> Names in lower case.
---@field body string
---@field url string
---@field repeated? table<string, string[]>
---@field json fun(self: kael.HttpAnswer): any
---@field header_list fun(self: kael.HttpAnswer, name: string): string[]

--- Requests to the servers that the policy opens.
---@class kael.http
http = {}

--- GET.
---@param url string
---@param opts? kael.HttpOptions
---@return kael.HttpAnswer
function http.get(url, opts) end

--- DELETE.
---@param url string
---@param opts? kael.HttpOptions
---@return kael.HttpAnswer
function http.delete(url, opts) end

--- HEAD.
---@param url string
---@param opts? kael.HttpOptions
---@return kael.HttpAnswer
function http.head(url, opts) end

--- OPTIONS.
---@param url string
---@param opts? kael.HttpOptions
---@return kael.HttpAnswer
function http.options(url, opts) end

--- POST.
---@param url string
---@param body? string|table
---@param opts? kael.HttpOptions
---@return kael.HttpAnswer
function http.post(url, body, opts) end

--- PUT.
---@param url string
---@param body? string|table
---@param opts? kael.HttpOptions
---@return kael.HttpAnswer
function http.put(url, body, opts) end

--- PATCH.
---@param url string
---@param body? string|table
---@param opts? kael.HttpOptions
---@return kael.HttpAnswer
function http.patch(url, body, opts) end

--- A client whose requests have these options.
---@param opts? kael.HttpOptions
---@return any
function http.client(opts) end

--- A text for a path or a query.
---@param text any
---@return string
function http.escape(text) end

--- A table as a query.
---@param t table<string, any>
---@return string
function http.form(t) end

--- Files below the folders that the policy opens.
---@class kael.fs
fs = {}

--- The text of a file.
---@param path string
---@return string
function fs.read(path) end

--- The bytes of a file.
---@param path string
---@return string
function fs.read_bytes(path) end

--- The lines of a file.
---@param path string
---@return fun(): string
function fs.lines(path) end

--- Writes a file.
---@param path string
---@param text string
function fs.write(path, text) end

--- Writes a file.
---@param path string
---@param bytes string
function fs.write_bytes(path, bytes) end

--- Adds to a file.
---@param path string
---@param text string
function fs.append(path, text) end

--- The entries of a folder.
---@param path string
---@return { name: string, path: string, type: string }[]
function fs.list(path) end

--- The entries of a folder and those below.
---@param path string
---@param opts? { depth?: integer }
---@return { name: string, path: string, type: string }[]
function fs.readdir(path, opts) end

--- The paths that fit a pattern.
---@param pattern string
---@return string[]
function fs.glob(pattern) end

--- What a path names.
---@param path string
---@return table
function fs.stat(path) end

--- Whether something is there.
---@param path string
---@return boolean
function fs.exists(path) end

--- Makes a folder.
---@param path string
function fs.mkdir(path) end

--- Removes a file or a folder.
---@param path string
function fs.remove(path) end

--- Moves a file or a folder.
---@param path string
---@param to string
function fs.rename(path, to) end

--- Copies a file.
---@param path string
---@param to string
---@return integer
function fs.copy(path, to) end

--- Sets the mode of a file.
---@param path string
---@param mode integer|string
function fs.chmod(path, mode) end

--- Replaces a Lua pattern in a file.
---@param path string
---@param pattern string
---@param replacement any
---@return integer
function fs.sub_in_file(path, pattern, replacement) end

--- The variables that the policy opens.
---@class kael.env
env = {}

--- The value of a variable, or a stand-in for it.
---@param name string
---@return string|nil
function env.get(name) end

--- Every open variable.
---@return { key: string, value: string }[]
function env.list() end

--- Sets a variable for this script.
---@param name string
---@param value? string
function env.set(name, value) end

--- Lines among the messages of the host.
---@class kael.log
log = {}

--- A line of this level.
---@param text any
---@param fields? table<string, any>
function log.debug(text, fields) end

--- A line of this level.
---@param text any
---@param fields? table<string, any>
function log.info(text, fields) end

--- A line of this level.
---@param text any
---@param fields? table<string, any>
function log.warn(text, fields) end

--- A line of this level.
---@param text any
---@param fields? table<string, any>
function log.error(text, fields) end

--- YAML 1.2.
---@class kael.yaml
yaml = {}

--- The one document.
---@param text string
---@return any
function yaml.parse(text) end

--- Every document.
---@param text string
---@return any[]
function yaml.parse_all(text) end

--- A document.
---@param value any
---@return string
function yaml.encode(value) end

--- TOML.
---@class kael.toml
toml = {}

--- The table.
---@param text string
---@return table
function toml.parse(text) end

--- A document.
---@param t table
---@return string
function toml.encode(t) end

--- Bytes as text.
---@class kael.base64
base64 = {}

--- The text.
---@param s string
---@param opts? { url?: boolean }
---@return string
function base64.encode(s, opts) end

--- The bytes.
---@param text string
---@return string
function base64.decode(text) end

--- Digests, random texts and JSON web tokens.
---@class kael.crypto
crypto = {}

--- A digest in hexadecimal: sha256, unless another algorithm is named.
---@param text string
---@param algorithm? "md5"|"sha1"|"sha224"|"sha256"|"sha384"|"sha512"|"sha3-224"|"sha3-256"|"sha3-384"|"sha3-512"
---@return string
function crypto.hash(text, algorithm) end

--- The same with a key; with `raw` as bytes.
---@param key string
---@param text string
---@param algorithm? string
---@param raw? boolean
---@return string
function crypto.hmac(key, text, algorithm, raw) end

--- The digest of a file that the policy opens.
---@param path string
---@param algorithm? string
---@return string
function crypto.hash_file(path, algorithm) end

--- So many unpredictable letters and digits: 32 without a number.
---@param length? integer
---@return string
function crypto.random(length) end

--- So many unpredictable bytes.
---@param length integer
---@return string
function crypto.random_bytes(length) end

--- A random UUID.
---@return string
function crypto.uuid() end

--- A signed token. A key is a text, or `secret("NAME")`.
---@param claims table
---@param key string|table
---@param algorithm? string
---@param opts? { kid?: string }
---@return string
function crypto.jwt_sign(claims, key, algorithm, opts) end

--- Checks a token. A key is a text, a set of keys, or `secret("NAME")`.
---@param token string
---@param key string|table
---@param opts? { algorithm?: string, audience?: string|string[], issuer?: string|string[], leeway?: integer, validate_exp?: boolean, validate_nbf?: boolean, required_claims?: string[] }
---@return { header: table, claims: table }
function crypto.jwt_verify(token, key, opts) end

--- The header and the claims of a token, which are not checked.
---@param token string
---@return { header: table, claims: table }
function crypto.jwt_decode(token) end

--- Databases that the policy opens by name.
---@class kael.db
db = {}

---@class kael.db.connection
---@field name string
---@field query fun(self: kael.db.connection, sql: string, params?: table, opts?: { timeout?: number }): table[]
---@field one fun(self: kael.db.connection, sql: string, params?: table, opts?: { timeout?: number }): table|nil
---@field execute fun(self: kael.db.connection, sql: string, params?: table, opts?: { timeout?: number }): { rows_affected: integer, last_insert_id: integer }
---@field transaction fun(self: kael.db.connection, statements: (string|table)[], opts?: { timeout?: number }): { rows_affected: integer, last_insert_id: integer }[]
---@field close fun(self: kael.db.connection)

--- A database by the name that a grant gives it.
---@param name string
---@return kael.db.connection
function db.connect(name) end

--- The rows that a statement reads, as tables by the names of columns.
---@param connection kael.db.connection
---@param sql string
---@param params? table
---@param opts? { timeout?: number }
---@return table[]
function db.query(connection, sql, params, opts) end

--- The first row.
---@param connection kael.db.connection
---@param sql string
---@param params? table
---@param opts? { timeout?: number }
---@return table|nil
function db.one(connection, sql, params, opts) end

--- Runs a statement that changes something.
---@param connection kael.db.connection
---@param sql string
---@param params? table
---@param opts? { timeout?: number }
---@return { rows_affected: integer, last_insert_id: integer }
function db.execute(connection, sql, params, opts) end

--- Runs statements, each `{ sql, params }` or a text, in one transaction.
---@param connection kael.db.connection
---@param statements (string|table)[]
---@param opts? { timeout?: number }
---@return { rows_affected: integer, last_insert_id: integer }[]
function db.transaction(connection, statements, opts) end

--- Does nothing: nothing is open between two calls.
---@param connection kael.db.connection
function db.close(connection) end

--- Regular expressions, in linear time.
---@class kael.regex
regex = {}

--- Whether it matches.
---@param text string
---@param pattern string
---@return boolean
function regex.match(text, pattern) end

--- The first match.
---@param text string
---@param pattern string
---@return { match: string, groups: table }|nil
function regex.find(text, pattern) end

--- All matches.
---@param text string
---@param pattern string
---@return string[]
function regex.find_all(text, pattern) end

--- The text with every match replaced.
---@param text string
---@param pattern string
---@param replacement string|function
---@return string
function regex.replace(text, pattern, replacement) end

--- A value of JSON: `json.decode`.
---@param text string
---@return any
function json.parse(text) end

--- Seconds since 1970, with fractions.
---@return number
function time() end

-- What a module of the actions repo finds while the repo loads.

---@class (exact) kael.Definition
---@field source string A folder, absolute or relative to the actions repo, or a git repository.
---@field executor "native"|"docker"|"wasm"
---@field entrypoint? string The file to run.
---@field subdir? string A folder within the source.
---@field description? string
---@field defaults? table<string, any> Parameters that a script can override.
---@field locked? table<string, any> Parameters that a script cannot override.
---@field params? table What the parameters must be: the short form, or JSON Schema.
---@field returns? any What a result must be: the short form, or JSON Schema.
---@field example? any A result.
---@field env? string[] Variables that the action sees.
---@field timeout? number|string Seconds, or a text such as "5m".
---@field tag? string A tag, branch or commit, for git sources.
---@field type? "python"|"node"|"shell"|"other"
---@field interpreter? string
---@field deps? string[] Packages of Python that it needs, such as "requests>=2".
---@field input? "json"|"args"|"positional"|"argv"|"env"
---@field args_order? string[]
---@field dashdash? boolean With input "positional": `--` stands before the values.
---@field argv? (string|string[])[] The whole command line, with places for parameters: "{name}", "--option={name}".
---@field output? "json"|"last-json"|"text"|"lines"|"csv"|"ndjson"|{ csv: { separator: string } }
---@field ok_exit? integer[] Exit statuses that are an answer, beside 0.
---@field with_status? boolean A result is a table of `status` and `output`.
---@field cache? number|string How long a result may be used again.
---@field retry? kael.Retry
---@field writable? string[] What the action may write.
---@field reads? string[] With executor "native": all that the action may read, beside what it needs to run.
---@field limits? kael.ActionLimits
---@field dirs? table<string, { path: string, mode?: "read"|"read-write" }> With executor "wasm": folders that it sees.
---@field network? string[] With executor "wasm": where it may connect to.
---@field sha256? string With executor "wasm": the digest that the file must have.

---@class (exact) kael.Retry
---@field attempts? integer
---@field backoff? number|string
---@field on? ("timeout"|"failed"|"bad_output"|"unavailable")[]

---@class (exact) kael.ActionLimits
---@field memory? string
---@field cpu? number|string
---@field file_size? string
---@field processes? integer
---@field open_files? integer

--- Defines an action. What it returns is called with a table of parameters.
---@param definition kael.Definition
---@return fun(params?: table): any
function define_action(definition) end

---@class (exact) kael.McpServer
---@field command? string[] The command line that starts the server.
---@field url? string Where the server is, if it is not started.
---@field lock string|table The module with the tools that were reviewed, which `kael-host actions mcp add` writes.
---@field effects? "none"|"idempotent"|"once"|table<string, string> What calls do to the world: of all tools, or of each by its name; "once" without it.
---@field env? string[] Variables that the server sees.
---@field secrets? table<string, string> Secrets that it sees, by the names of variables.
---@field secret? string With `url`: the secret that is its bearer token.
---@field network? string[] With `url`: addresses of a local network that its name may have.
---@field timeout? number|string Seconds of a call, or a text such as "5m".
---@field writable? string[] What the server may write.
---@field limits? kael.ActionLimits

--- Defines an action for each tool of an MCP server that a lock file holds.
---@param server kael.McpServer
---@return table<string, fun(params?: table): any>
function mcp_server(server) end
