-- How many runs of each tenant wait for a time, a signal, another run or a person, so that a submit need not count them.
CREATE TABLE srv_asleep (
    tenant INTEGER NOT NULL PRIMARY KEY,
    runs INTEGER NOT NULL
) STRICT;
INSERT INTO srv_asleep (tenant, runs) SELECT tenant, count(*) FROM srv_runs WHERE state = 5 GROUP BY tenant;
CREATE TRIGGER srv_asleep_begins AFTER UPDATE OF state ON srv_runs WHEN NEW.state = 5 AND OLD.state <> 5 BEGIN
    INSERT INTO srv_asleep (tenant, runs) VALUES (NEW.tenant, 1)
    ON CONFLICT (tenant) DO UPDATE SET runs = runs + 1;
END;
CREATE TRIGGER srv_asleep_ends AFTER UPDATE OF state ON srv_runs WHEN NEW.state <> 5 AND OLD.state = 5 BEGIN
    UPDATE srv_asleep SET runs = runs - 1 WHERE tenant = NEW.tenant;
END;
CREATE TRIGGER srv_asleep_removed AFTER DELETE ON srv_runs WHEN OLD.state = 5 BEGIN
    UPDATE srv_asleep SET runs = runs - 1 WHERE tenant = OLD.tenant;
END;

-- Signals and other letters of runs count for the storage of their tenant. A run that has not begun is in srv_runs alone.
UPDATE srv_storage SET bytes = bytes
    + coalesce((SELECT sum(length(CAST(payload AS BLOB))) FROM inbox JOIN srv_runs ON srv_runs.id = inbox.run
                WHERE srv_runs.tenant = srv_storage.tenant), 0);
CREATE TRIGGER srv_storage_letter_added AFTER INSERT ON inbox WHEN EXISTS (SELECT 1 FROM srv_storage) BEGIN
    UPDATE srv_storage SET bytes = bytes + length(CAST(NEW.payload AS BLOB))
    WHERE tenant = (SELECT tenant FROM srv_runs WHERE id = NEW.run
                    UNION ALL SELECT tenant FROM runs WHERE id = NEW.run LIMIT 1);
END;
CREATE TRIGGER srv_storage_letter_removed AFTER DELETE ON inbox WHEN EXISTS (SELECT 1 FROM srv_storage) BEGIN
    UPDATE srv_storage SET bytes = bytes - length(CAST(OLD.payload AS BLOB))
    WHERE tenant = (SELECT tenant FROM srv_runs WHERE id = OLD.run
                    UNION ALL SELECT tenant FROM runs WHERE id = OLD.run LIMIT 1);
END;
