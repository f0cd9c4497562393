-- Schema 2: sentences that a user asks, and published numbers. Views are made anew after the last migration.

CREATE TABLE cloze (
    run VARCHAR NOT NULL, step INTEGER NOT NULL,
    text VARCHAR NOT NULL, position USMALLINT NOT NULL,
    tokens UINTEGER[10] NOT NULL, logps FLOAT[10] NOT NULL
);

CREATE TABLE baselines (
    name VARCHAR NOT NULL, task VARCHAR NOT NULL, metric VARCHAR NOT NULL, label VARCHAR NOT NULL,
    step INTEGER, value DOUBLE NOT NULL, source VARCHAR NOT NULL
);
