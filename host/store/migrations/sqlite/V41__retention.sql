-- What is kept of a run that is over, and how many bytes a tenant has in the store.

-- 2: everything. 1: its events and its result are being removed. 0: this row alone.
ALTER TABLE srv_runs ADD COLUMN kept INTEGER NOT NULL DEFAULT 2;
CREATE INDEX srv_runs_whole ON srv_runs (tenant, ended) WHERE ended IS NOT NULL AND kept > 0;
CREATE INDEX srv_runs_summaries ON srv_runs (tenant, ended) WHERE ended IS NOT NULL AND kept = 0;
-- Says whether a script is still in use.
CREATE INDEX srv_runs_by_source ON srv_runs (tenant, source);

CREATE TABLE srv_storage (
    tenant INTEGER NOT NULL PRIMARY KEY,
    bytes INTEGER NOT NULL
) STRICT;
INSERT INTO srv_storage (tenant, bytes) SELECT id, 0 FROM srv_tenants;
UPDATE srv_storage SET bytes = bytes
    + coalesce((SELECT sum(length(bytes)) FROM srv_sources WHERE srv_sources.tenant = srv_storage.tenant), 0)
    + coalesce((SELECT sum(length(body)) FROM srv_events JOIN srv_runs ON srv_runs.id = srv_events.run
                WHERE srv_runs.tenant = srv_storage.tenant), 0)
    + coalesce((SELECT sum(length(CAST(result AS BLOB))) FROM srv_results JOIN srv_runs ON srv_runs.id = srv_results.run
                WHERE srv_runs.tenant = srv_storage.tenant), 0);

CREATE TRIGGER srv_storage_tenant AFTER INSERT ON srv_tenants BEGIN
    INSERT INTO srv_storage (tenant, bytes) VALUES (NEW.id, 0);
END;
CREATE TRIGGER srv_storage_event_added AFTER INSERT ON srv_events BEGIN
    UPDATE srv_storage SET bytes = bytes + length(NEW.body)
    WHERE tenant = (SELECT tenant FROM srv_runs WHERE id = NEW.run);
END;
CREATE TRIGGER srv_storage_event_removed AFTER DELETE ON srv_events BEGIN
    UPDATE srv_storage SET bytes = bytes - length(OLD.body)
    WHERE tenant = (SELECT tenant FROM srv_runs WHERE id = OLD.run);
END;
CREATE TRIGGER srv_storage_result_added AFTER INSERT ON srv_results BEGIN
    UPDATE srv_storage SET bytes = bytes + length(CAST(NEW.result AS BLOB))
    WHERE tenant = (SELECT tenant FROM srv_runs WHERE id = NEW.run);
END;
CREATE TRIGGER srv_storage_result_removed AFTER DELETE ON srv_results BEGIN
    UPDATE srv_storage SET bytes = bytes - length(CAST(OLD.result AS BLOB))
    WHERE tenant = (SELECT tenant FROM srv_runs WHERE id = OLD.run);
END;
CREATE TRIGGER srv_storage_source_added AFTER INSERT ON srv_sources BEGIN
    UPDATE srv_storage SET bytes = bytes + length(NEW.bytes) WHERE tenant = NEW.tenant;
END;
CREATE TRIGGER srv_storage_source_removed AFTER DELETE ON srv_sources BEGIN
    UPDATE srv_storage SET bytes = bytes - length(OLD.bytes) WHERE tenant = OLD.tenant;
END;
