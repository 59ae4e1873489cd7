-- held: 1 for a delivery that a restored backup had still to make. It may have been made since, so that a person decides.
ALTER TABLE srv_deliveries ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
DROP INDEX srv_deliveries_by_subscription;
CREATE INDEX srv_deliveries_by_subscription ON srv_deliveries (subscription, held, next);
