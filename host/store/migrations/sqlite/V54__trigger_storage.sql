-- Versions of scripts, schedules, fires and deliveries that wait count for the storage of their tenant, too: each row by what it
-- has of texts, and a round number for the rest.
UPDATE srv_storage SET bytes = bytes
    + 200 * (SELECT count(*) FROM srv_scripts WHERE srv_scripts.tenant = srv_storage.tenant)
    + coalesce((SELECT sum(200 + length(CAST(settings AS BLOB))) FROM srv_schedules
                WHERE srv_schedules.tenant = srv_storage.tenant), 0)
    + 100 * (SELECT count(*) FROM srv_fires JOIN srv_schedules ON srv_schedules.id = srv_fires.schedule
             WHERE srv_schedules.tenant = srv_storage.tenant)
    + coalesce((SELECT sum(100 + length(CAST(body AS BLOB))) FROM srv_deliveries
                JOIN srv_subscriptions ON srv_subscriptions.id = srv_deliveries.subscription
                WHERE srv_subscriptions.tenant = srv_storage.tenant), 0);
CREATE TRIGGER srv_storage_script_added AFTER INSERT ON srv_scripts BEGIN
    UPDATE srv_storage SET bytes = bytes + 200 WHERE tenant = NEW.tenant;
END;
CREATE TRIGGER srv_storage_script_removed AFTER DELETE ON srv_scripts BEGIN
    UPDATE srv_storage SET bytes = bytes - 200 WHERE tenant = OLD.tenant;
END;
CREATE TRIGGER srv_storage_schedule_added AFTER INSERT ON srv_schedules BEGIN
    UPDATE srv_storage SET bytes = bytes + 200 + length(CAST(NEW.settings AS BLOB)) WHERE tenant = NEW.tenant;
END;
CREATE TRIGGER srv_storage_schedule_changed AFTER UPDATE OF settings ON srv_schedules BEGIN
    UPDATE srv_storage SET bytes = bytes - length(CAST(OLD.settings AS BLOB)) + length(CAST(NEW.settings AS BLOB))
    WHERE tenant = NEW.tenant;
END;
CREATE TRIGGER srv_storage_schedule_removed AFTER DELETE ON srv_schedules BEGIN
    UPDATE srv_storage SET bytes = bytes - 200 - length(CAST(OLD.settings AS BLOB)) WHERE tenant = OLD.tenant;
END;
-- The schedule of a fire goes behind its fires, and a subscription behind its deliveries.
CREATE TRIGGER srv_storage_fire_added AFTER INSERT ON srv_fires BEGIN
    UPDATE srv_storage SET bytes = bytes + 100
    WHERE tenant = (SELECT tenant FROM srv_schedules WHERE id = NEW.schedule);
END;
CREATE TRIGGER srv_storage_fire_removed AFTER DELETE ON srv_fires BEGIN
    UPDATE srv_storage SET bytes = bytes - 100
    WHERE tenant = (SELECT tenant FROM srv_schedules WHERE id = OLD.schedule);
END;
CREATE TRIGGER srv_storage_delivery_added AFTER INSERT ON srv_deliveries BEGIN
    UPDATE srv_storage SET bytes = bytes + 100 + length(CAST(NEW.body AS BLOB))
    WHERE tenant = (SELECT tenant FROM srv_subscriptions WHERE id = NEW.subscription);
END;
CREATE TRIGGER srv_storage_delivery_removed AFTER DELETE ON srv_deliveries BEGIN
    UPDATE srv_storage SET bytes = bytes - 100 - length(CAST(OLD.body AS BLOB))
    WHERE tenant = (SELECT tenant FROM srv_subscriptions WHERE id = OLD.subscription);
END;
CREATE INDEX srv_scripts_by_digest ON srv_scripts (tenant, digest);
