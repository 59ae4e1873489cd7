-- No alert of the service fires.
local prometheus = require("assay.prometheus")
for _, alert in ipairs(prometheus.alerts(env.get("PROMETHEUS_URL"))) do
  if alert.labels.service == "billing" then error(alert.labels.alertname .. " fires") end
end
