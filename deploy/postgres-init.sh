#!/bin/sh
# Run once, when the cluster is made: an owner for the databases of each of the two systems, with no
# right beyond them.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\set temporal `cat "$POSTGRES_TEMPORAL_PASSWORD_FILE"`
\set promote `cat "$POSTGRES_PROMOTE_PASSWORD_FILE"`
CREATE ROLE temporal LOGIN PASSWORD :'temporal';
CREATE ROLE promote LOGIN PASSWORD :'promote';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
CREATE DATABASE promote OWNER promote;
REVOKE CONNECT ON DATABASE temporal, temporal_visibility, promote FROM PUBLIC;
SQL
