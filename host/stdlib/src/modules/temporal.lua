--- @module assay.temporal
--- @description Temporal: workflows, their history, signals, schedules, task queues and namespaces.
--- @category workflow
--- @keywords temporal, workflows, durable, signals, schedules, queues
--- @quickref M.client(url, opts?) -> c | token, or username and password
--- @quickref c.system:info() -> info | version and capabilities
--- @quickref c.system:health() -> bool | whether it answers
--- @quickref c.namespaces:list(opts?) -> {namespaces, next_page_token} | a page; opts.page_size
--- @quickref c.namespaces:all() -> iterator | page by page
--- @quickref c.namespaces:get(name) -> namespace|nil | one of them
--- @quickref c.workflows:list(opts?) -> {executions, nextPageToken} | a page; opts are query, page_size, page_token, namespace
--- @quickref c.workflows:all(opts?) -> iterator | every workflow that fits, page by page
--- @quickref c.workflows:search(query, opts?) -> {executions, nextPageToken} | such as "WorkflowType='Pay'"
--- @quickref c.workflows:get(id, run_id?) -> description|nil | one of them
--- @quickref c.workflows:history(id, run_id?, opts?) -> {history} | a page of its events; opts.maximum_page_size
--- @quickref c.workflows:events(id, run_id?) -> iterator | all its events
--- @quickref c.workflows:start(id, opts) -> {runId, started} | opts are type, task_queue, input, and any field of the API
--- @quickref c.workflows:signal(id, name, input?, opts?) -> true | opts.run_id
--- @quickref c.workflows:cancel(id, opts?) -> true | asks it to end; opts.run_id
--- @quickref c.workflows:terminate(id, reason?, opts?) -> true | ends it at once; opts.run_id
--- @quickref c.workflows:is_running(id) -> bool | false for one that is not there
--- @quickref c.workflows:wait_complete(id, seconds?) -> description | asks every second, for 60 s
--- @quickref c.task_queues:get(name, opts?) -> {pollers} | opts.task_queue_type
--- @quickref c.schedules:list(opts?) -> {schedules} | a page; opts.maximum_page_size
--- @quickref c.schedules:all() -> iterator | page by page
--- @quickref c.schedules:get(id) -> schedule|nil | one of them
--- @quickref M.payloads(...) -> payloads | values as Temporal carries them
local service = require("assay.client")
local M = {}

-- "json/plain", as payloads name it.
local JSON <const> = "anNvbi9wbGFpbg=="

--- Values as payloads, each as JSON.
function M.payloads(...)
  local list = {}
  for i, value in ipairs({ ... }) do list[i] = { metadata = { encoding = JSON }, data = base64.encode(json.encode(value)) } end
  return { payloads = list }
end

function M.client(url, opts)
  opts = opts or {}
  local c, s = service.new("temporal", url, opts)
  local default = opts.namespace or "default"
  local function at(...) return "/api/v1" .. service.path(...) end
  local function ns(o, ...) return at("namespaces", o and o.namespace or default, ...) end
  -- Every element of a list in pages, which a token links.
  local function pages(path, query, field)
    return coroutine.wrap(function()
      repeat
        local page = s.get(path, { query = query })
        for _, one in ipairs(page[field] or {}) do coroutine.yield(one) end
        query.nextPageToken = page.nextPageToken
      until not page.nextPageToken or page.nextPageToken == ""
    end)
  end
  local function info() return s.get("/api/v1/system-info") end
  -- The API has no other way to ask for its health.
  c.system = service.part({ info = info, health = function() return s.answer("GET", "/api/v1/system-info").status == 200 end }, "info")
  c.namespaces = service.part {
    list = function(o) return s.get(at("namespaces"), { query = { pageSize = o and o.page_size, nextPageToken = o and o.page_token } }) end,
    all = function() return pages(at("namespaces"), { pageSize = 100 }, "namespaces") end,
    get = function(name) return s.get(at("namespaces", name), { none = 404 }) end,
  }
  local function list(o)
    o = o or {}
    return s.get(ns(o, "workflows"), { query = { query = o.query, pageSize = o.page_size, nextPageToken = o.page_token } })
  end
  local function get(id, run) return s.get(ns(nil, "workflows", id), { none = 404, query = { ["execution.runId"] = run } }) end
  local function execution(id, o) return { workflowId = id, runId = o and o.run_id } end
  local function status_of(found) return found and found.workflowExecutionInfo and found.workflowExecutionInfo.status end
  local RUNNING <const> = "WORKFLOW_EXECUTION_STATUS_RUNNING"
  c.workflows = service.part {
    list = list, get = get,
    all = function(o)
      o = o or {}
      return pages(ns(o, "workflows"), { query = o.query, pageSize = o.page_size or 100 }, "executions")
    end,
    search = function(query, o)
      local with = { query = query }
      for key, value in pairs(o or {}) do with[key] = value end
      return list(with)
    end,
    history = function(id, run, o)
      return s.get(ns(nil, "workflows", id, "history"), { query = { ["execution.runId"] = run, maximumPageSize = o and o.maximum_page_size,
        nextPageToken = o and o.page_token } })
    end,
    events = function(id, run)
      return coroutine.wrap(function()
        local query = { ["execution.runId"] = run }
        repeat
          local page = s.get(ns(nil, "workflows", id, "history"), { query = query })
          for _, event in ipairs(page.history and page.history.events or {}) do coroutine.yield(event) end
          query.nextPageToken = page.nextPageToken
        until not page.nextPageToken or page.nextPageToken == ""
      end)
    end,
    start = function(id, o)
      local body = {}
      for key, value in pairs(o) do body[key] = value end
      body.workflowType, body.taskQueue = { name = o.type }, { name = o.task_queue }
      body.type, body.task_queue, body.namespace = nil, nil, nil
      if o.input ~= nil then body.input = M.payloads(o.input) end
      return s.post(ns(o, "workflows", id), { body = body })
    end,
    signal = function(id, name, input, o)
      local body = { workflowExecution = execution(id, o) }
      if input ~= nil then body.input = M.payloads(input) end
      s.post(ns(o, "workflows", id, "signal", name), { body = body })
      return true
    end,
    cancel = function(id, o)
      s.post(ns(o, "workflows", id, "cancel"), { body = { workflowExecution = execution(id, o) } })
      return true
    end,
    terminate = function(id, reason, o)
      s.post(ns(o, "workflows", id, "terminate"), { body = { workflowExecution = execution(id, o), reason = reason } })
      return true
    end,
    is_running = function(id) return status_of(get(id)) == RUNNING end,
    wait_complete = function(id, seconds)
      return service.wait("temporal", "workflow " .. id .. " not complete", seconds or 60, 1, function()
        local found = get(id)
        -- One that is not there will not end.
        if not found then return nil, "there is no workflow " .. id end
        return status_of(found) ~= RUNNING and found
      end)
    end,
  }
  c.task_queues = service.part({
    get = function(name, o) return s.get(ns(o, "task-queues", name), { query = { taskQueueType = o and o.task_queue_type } }) end,
  }, "get")
  c.schedules = service.part {
    list = function(o) return s.get(ns(o, "schedules"), { query = { maximumPageSize = o and o.maximum_page_size, nextPageToken = o and o.page_token } }) end,
    all = function() return pages(ns(nil, "schedules"), { maximumPageSize = 100 }, "schedules") end,
    get = function(id) return s.get(ns(nil, "schedules", id), { none = 404 }) end,
  }
  service.flat(c, {
    health = { "system", "health" }, system_info = { "system", "info" }, namespace = { "namespaces", "get" },
    search = { "workflows", "search" }, workflow = { "workflows", "get" }, workflow_history = { "workflows", "history" },
    signal_workflow = { "workflows", "signal" }, cancel_workflow = { "workflows", "cancel" },
    terminate_workflow = { "workflows", "terminate" }, task_queue = { "task_queues", "get" }, schedule = { "schedules", "get" },
    is_workflow_running = { "workflows", "is_running" }, wait_workflow_complete = { "workflows", "wait_complete" },
  })
  return c
end

return M
