--- @module assay.email_triage
--- @description Sorts mails into those that need a reply, an action, or neither, by words or by a model.
--- @category mail
--- @keywords email, triage, inbox, categorize, newsletter
--- @quickref M.categorize(emails) -> {needs_reply, needs_action, fyi} | by words of subject and sender
--- @quickref M.categorize_llm(emails, openclaw, opts?) -> {needs_reply, needs_action, fyi} | by a model; prompt, output_schema
local M = {}

local ACTION <const> = { "action required", "urgent", "deadline" }
local SENDERS <const> = { "noreply", "no-reply", "newsletter" }
local SUBJECTS <const> = { "newsletter", "automated" }

local function has(text, words)
  text = tostring(text or ""):lower()
  for _, word in ipairs(words) do
    if text:find(word, 1, true) then return true end
  end
  return false
end

function M.categorize(emails)
  local found = { needs_reply = {}, needs_action = {}, fyi = {} }
  for _, email in ipairs(emails or {}) do
    local bucket = "needs_reply"
    if has(email.subject, ACTION) then
      bucket = "needs_action"
    elseif email.automated == true or has(email.from, SENDERS) or has(email.subject, SUBJECTS) then
      bucket = "fyi"
    end
    table.insert(found[bucket], email)
  end
  return found
end

local SCHEMA <const> = { type = "object", required = { "needs_reply", "needs_action", "fyi" }, properties = {
  needs_reply = { type = "array" }, needs_action = { type = "array" }, fyi = { type = "array" } } }

function M.categorize_llm(emails, openclaw, opts)
  if type(openclaw) ~= "table" or not openclaw.llm then error("email_triage.categorize_llm: the second argument must be a client of assay.openclaw", 2) end
  opts = opts or {}
  local prompt = opts.prompt or "Sort these mails into needs_reply, needs_action and fyi. Answer with lists of the mails."
  local answer = openclaw.llm:task(prompt, { artifacts = emails, output_schema = opts.output_schema or SCHEMA })
  local buckets = type(answer) == "table" and (answer.categories or answer.result or answer)
  if type(buckets) ~= "table" then error("email_triage: the model's answer is no object", 0) end
  return { needs_reply = buckets.needs_reply or {}, needs_action = buckets.needs_action or {}, fyi = buckets.fyi or {} }
end

return M
