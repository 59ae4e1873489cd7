-- The token of each person who has signed in by an OpenID Connect provider. Its secret is known to nobody: sessions have it.
CREATE TABLE srv_people (
    -- SHA-256 of the provider and its name for the person.
    subject BLOB NOT NULL PRIMARY KEY,
    token BLOB NOT NULL
);
