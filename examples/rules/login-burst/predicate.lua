local RESULT, FROM, USER = 71, 72, 12

function failed(event) return kestrel.event_get_str(event, RESULT) == "failure" end
function succeeded(event) return kestrel.event_get_str(event, RESULT) == "success" end

function pred_capture(event)
  return { from = kestrel.event_get_str(event, FROM), user = kestrel.event_get_str(event, USER) }
end
