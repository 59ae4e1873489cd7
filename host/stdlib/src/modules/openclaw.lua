--- @module assay.openclaw
--- @description OpenClaw: tools, messages, scheduled jobs, sessions, model tasks, state and approvals.
--- @category agents
--- @keywords openclaw, agent, messages, llm, cron, state, approval
--- @env OPENCLAW_URL, CLAWD_URL, OPENCLAW_TOKEN, CLAWD_TOKEN, ASSAY_STATE_DIR, OPENCLAW_STATE_DIR, HOME, ASSAY_APPROVAL_RESULT
--- @quickref M.client(url?, opts?) -> c | opts.token, opts.state_dir; else of the variables
--- @quickref c.tools:invoke(tool, action?, args?) -> result | any tool
--- @quickref c.messaging:send(channel, target, message) -> result | to a channel
--- @quickref c.messaging:notify(target, message) -> result | to a person
--- @quickref c.cron:add(job) -> result | a job on a schedule
--- @quickref c.cron:list() -> result | the jobs
--- @quickref c.sessions:spawn(task, opts?) -> result | model, timeout
--- @quickref c.llm:task(prompt, opts?) -> result | model, artifacts, output_schema, temperature, max_output_tokens
--- @quickref c.state:get(key) -> value|nil | from a file below state_dir
--- @quickref c.state:set(key, value) -> true | to its file
--- @quickref c.state:diff(key, value) -> {changed, before, after} | stores it, and compares it by value
--- @quickref c.gates:approve(prompt, context?) -> bool | ASSAY_APPROVAL_RESULT, else waits for the signal `approve`
local service = require("assay.client")
local M = {}

-- The first of these variables that is set and that the policy opens.
local function variable(...)
  for _, name in ipairs({ ... }) do
    local ok, value = pcall(env.get, name)
    if ok and value and value ~= "" then return value end
  end
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local YES <const> = { yes = true, ["true"] = true, approve = true, approved = true, ["1"] = true }

function M.client(url, opts)
  if type(url) == "table" then url, opts = url.url, url end
  opts = opts or {}
  url = url or variable("OPENCLAW_URL", "CLAWD_URL")
  if not url then error("openclaw.client: give the URL, or open the variable OPENCLAW_URL", 2) end
  local c, s = service.new("openclaw", url, { token = opts.token or variable("OPENCLAW_TOKEN", "CLAWD_TOKEN"), timeout = opts.timeout })
  local function invoke(tool, action, args)
    local answer = s.post("/tools/invoke", { body = { tool = tool, action = action, args = args or {} } })
    if type(answer) == "table" and answer.ok == false then
      local wrong = answer.error
      error("openclaw: POST /tools/invoke: " .. tool .. ": " .. tostring(type(wrong) == "table" and wrong.message or wrong), 0)
    end
    if type(answer) == "table" and answer.ok == true and answer.result ~= nil then return answer.result end
    return answer
  end
  c.tools = service.part({ invoke = invoke }, "invoke")
  c.messaging = service.part {
    send = function(channel, target, message) return invoke("message", "send", { channel = channel, target = target, message = message }) end,
    notify = function(target, message) return invoke("message", "send", { target = target, message = message }) end,
  }
  c.cron = service.part {
    add = function(job) return invoke("cron", "add", { job = job }) end,
    list = function() return invoke("cron", "list") end,
  }
  c.sessions = service.part({
    spawn = function(task, o) return invoke("sessions_spawn", nil, { task = task, model = o and o.model, timeout = o and o.timeout }) end,
  }, "spawn")
  c.llm = service.part({
    task = function(prompt, o)
      local args = { prompt = prompt }
      for key, value in pairs(o or {}) do args[key] = value end
      return invoke("llm-task", "run", args)
    end,
  }, "task")

  local function folder()
    local found = opts.state_dir or variable("ASSAY_STATE_DIR", "OPENCLAW_STATE_DIR")
    local home = not found and variable("HOME")
    found = found or home and home .. "/.assay/state"
    if not found then error("openclaw: no folder for the state: give state_dir, or open the variable ASSAY_STATE_DIR", 3) end
    return (found:gsub("/+$", ""))
  end
  -- A key is a name, never a path: what separates folders is encoded.
  local function file(key)
    if type(key) ~= "string" or key == "" then error("openclaw: the key must be a text that is not empty", 4) end
    return folder() .. "/" .. http.escape(key) .. ".json"
  end
  local function state_get(key)
    local path = file(key)
    if not fs.exists(path) then return nil end
    return json.decode(fs.read(path))
  end
  local function state_set(key, value)
    local path = file(key)
    fs.write(path, json.encode(value))
    return true
  end
  c.state = service.part {
    get = state_get, set = state_set,
    diff = function(key, value)
      local before, after = state_get(key), json.decode(json.encode(value))
      state_set(key, value)
      return { changed = not same(before, after), before = before, after = after }
    end,
  }
  c.gates = service.part({
    approve = function(prompt, context)
      local decided = variable("ASSAY_APPROVAL_RESULT")
      if decided then return YES[decided:lower()] == true end
      -- A run with a journal waits without a process, until `kael-host runs signal ID approve true`.
      status(tostring(prompt) .. (context ~= nil and ": " .. json.encode(context) or ""))
      local answer = wait_for("approve")
      if type(answer) == "table" then answer = answer.approved end
      return answer == true or type(answer) == "string" and YES[answer:lower()] == true
    end,
  }, "approve")
  service.flat(c, {
    invoke = { "tools", "invoke" }, send = { "messaging", "send" }, notify = { "messaging", "notify" }, cron_add = { "cron", "add" },
    cron_list = { "cron", "list" }, spawn = { "sessions", "spawn" }, llm_task = { "llm", "task" }, state_get = { "state", "get" },
    state_set = { "state", "set" }, diff = { "state", "diff" }, approve = { "gates", "approve" },
  })
  return c
end

return M
