-- What rules have found, by tenant. An alert that is sent again is there once.
CREATE TABLE srv_alerts (
    tenant INTEGER NOT NULL,
    id BLOB NOT NULL,
    at INTEGER NOT NULL,
    alert TEXT NOT NULL,
    rule TEXT NOT NULL,
    severity INTEGER NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;
CREATE UNIQUE INDEX srv_alerts_once ON srv_alerts (tenant, alert);
CREATE INDEX srv_alerts_by_rule ON srv_alerts (tenant, rule, id);
