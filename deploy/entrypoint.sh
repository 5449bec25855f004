#!/bin/sh
# Where the database's URL has no password, libpq takes it from PGPASSWORD; a secret is a file.
set -eu
if [ -n "${PGPASSWORD_FILE:-}" ]; then
    PGPASSWORD=$(cat "$PGPASSWORD_FILE")
    export PGPASSWORD
fi
exec promote "$@"
