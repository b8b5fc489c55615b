#!/bin/sh
# Installs a packed package into an empty folder, without install scripts, and runs the smoke test
# on it, on both transports: `sh test-tarball.sh TARBALL`. Needs node and npm.
set -eu

scripts=$(cd "$(dirname "$0")" && pwd)
tarball=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
app=$(mktemp -d)
trap 'rm -rf "$app"' EXIT

cd "$app"
cp "$scripts/smoke.js" .
echo '{ "private": true }' > package.json
npm install --ignore-scripts --no-audit --no-fund --no-package-lock "$tarball"
node smoke.js ferrows
FERROWS_TRANSPORT=stream node smoke.js ferrows
node --input-type=module -e "import { WebSocketServer } from 'ferrows'; new WebSocketServer({ noServer: true })"
