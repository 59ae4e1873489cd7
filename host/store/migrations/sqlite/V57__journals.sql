-- What runs have in their journals counts for the storage of their tenant. A store without tenants has no row to change.
CREATE INDEX runs_by_bundle ON runs (bundle) WHERE bundle IS NOT NULL;
UPDATE srv_storage SET bytes = bytes
    + coalesce((SELECT sum(length(body)) FROM journal JOIN runs ON runs.id = journal.run
                WHERE runs.tenant = srv_storage.tenant), 0)
    + coalesce((SELECT sum(length(bytes)) FROM blobs WHERE blobs.tenant = srv_storage.tenant), 0);
CREATE TRIGGER srv_storage_journal_added AFTER INSERT ON journal WHEN EXISTS (SELECT 1 FROM srv_storage) BEGIN
    UPDATE srv_storage SET bytes = bytes + length(NEW.body)
    WHERE tenant = (SELECT tenant FROM runs WHERE id = NEW.run);
END;
CREATE TRIGGER srv_storage_journal_removed AFTER DELETE ON journal WHEN EXISTS (SELECT 1 FROM srv_storage) BEGIN
    UPDATE srv_storage SET bytes = bytes - length(OLD.body)
    WHERE tenant = (SELECT tenant FROM runs WHERE id = OLD.run);
END;
CREATE TRIGGER srv_storage_blob_added AFTER INSERT ON blobs BEGIN
    UPDATE srv_storage SET bytes = bytes + length(NEW.bytes) WHERE tenant = NEW.tenant;
END;
CREATE TRIGGER srv_storage_blob_removed AFTER DELETE ON blobs BEGIN
    UPDATE srv_storage SET bytes = bytes - length(OLD.bytes) WHERE tenant = OLD.tenant;
END;
