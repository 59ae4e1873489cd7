-- Who has cancelled a run that ran: it is ended when the server comes back, if the server dies before the run does.
ALTER TABLE srv_runs ADD COLUMN cancelled_by TEXT;
CREATE INDEX srv_runs_to_cancel ON srv_runs (id) WHERE cancelled_by IS NOT NULL;
