#!/bin/sh
# Makes the namespace TEMPORAL_NAMESPACE as soon as the server takes requests; doing it again changes
# nothing.
set -eu

tries=60
until temporal operator cluster health >/dev/null 2>&1; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
        echo "the Temporal server at $TEMPORAL_ADDRESS does not answer" >&2
        exit 1
    fi
    sleep 2
done

if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
    echo "namespace $TEMPORAL_NAMESPACE is there already"
else
    temporal operator namespace create \
        --namespace "$TEMPORAL_NAMESPACE" --retention "$NAMESPACE_RETENTION"
fi
