#!/bin/sh
# Brings Temporal's two databases to the schema of this image; doing it again changes nothing.
# Where the databases are, the SQL_* variables of temporal-sql-tool say.
set -eu
SQL_PASSWORD=$(cat "$SQL_PASSWORD_FILE")
export SQL_PASSWORD

# $1 the database, $2 the directory with its schema's versions
bring_up_to_date() {
    temporal-sql-tool --database "$1" setup-schema --version 0.0
    temporal-sql-tool --database "$1" update-schema \
        --schema-dir "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

bring_up_to_date temporal temporal
bring_up_to_date temporal_visibility visibility
