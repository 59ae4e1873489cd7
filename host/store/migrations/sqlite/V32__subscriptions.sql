-- Webhooks that go out: who wants to hear of which events, and what is still to be sent.

CREATE TABLE srv_subscriptions (
    id BLOB PRIMARY KEY,
    tenant INTEGER NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    secret TEXT NOT NULL,
    by TEXT NOT NULL,
    created INTEGER NOT NULL,
    -- Why nothing is sent any more.
    stopped TEXT,
    -- What became of the last try.
    last TEXT,
    last_at INTEGER,
    UNIQUE (tenant, name)
) STRICT;

-- The body is the same at every try. A row goes when it was delivered or given up.
CREATE TABLE srv_deliveries (
    id BLOB PRIMARY KEY,
    subscription BLOB NOT NULL,
    event TEXT NOT NULL,
    body TEXT NOT NULL,
    tries INTEGER NOT NULL,
    next INTEGER NOT NULL
) STRICT;
CREATE INDEX srv_deliveries_by_time ON srv_deliveries (next);
CREATE INDEX srv_deliveries_by_subscription ON srv_deliveries (subscription, next);
