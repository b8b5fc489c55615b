#!/bin/sh
# Installs the packages that pack.js has made into an empty folder, without install scripts, and runs
# the smoke test on them, on both transports: `sh test-tarball.sh FOLDER`. A tarball instead of a
# folder is one that was packed in a clone and has its binary. Needs node and npm.
set -eu

scripts=$(cd "$(dirname "$0")" && pwd)
if [ -d "$1" ]; then
  target=$(node -p "require('$scripts/../../lib/loading/load').currentTarget()")
  dist=$(cd "$1" && pwd)
  # Before a version is published, npm cannot find the binary's package by itself.
  set -- "$dist"/ferrows-*.tgz "$dist/platforms/ferrows-$target"-*.tgz
else
  set -- "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"
fi
app=$(mktemp -d)
trap 'rm -rf "$app"' EXIT

cd "$app"
cp "$scripts/smoke.js" .
echo '{ "private": true }' > package.json
npm install --ignore-scripts --no-audit --no-fund --no-package-lock "$@"
node smoke.js ferrows
FERROWS_TRANSPORT=stream node smoke.js ferrows
node --input-type=module -e "import { WebSocketServer } from 'ferrows'; new WebSocketServer({ noServer: true })"
