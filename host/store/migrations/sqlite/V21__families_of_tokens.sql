-- The token whose one-time link made this one: who takes that away takes both.
ALTER TABLE srv_tokens ADD COLUMN parent BLOB;
CREATE INDEX srv_tokens_by_parent ON srv_tokens (parent) WHERE parent IS NOT NULL;
