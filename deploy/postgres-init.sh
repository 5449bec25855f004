#!/bin/sh
# Run once, when the database cluster is made: a user and a database for each of the two owners.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$POSTGRES_PASSWORD" -U "$POSTGRES_USER" -d postgres <<'SQL'
CREATE ROLE temporal LOGIN CREATEDB PASSWORD :'password';
CREATE ROLE promote LOGIN PASSWORD :'password';
CREATE DATABASE promote OWNER promote;
SQL
