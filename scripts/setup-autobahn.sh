#!/bin/bash
# setup-autobahn.sh DIR: makes DIR/wstest, the Autobahn|Testsuite.
#
# The suite is Python 2 only, and runs here on PyPy 2.7 unpacked from Debian's
# previous-but-one release; nothing is installed system-wide. ws:// only: TLS
# needs packages that have no builds for PyPy 2. Idempotent; about 35 s, 200 MB.
# Needs: apt-get and dpkg-deb, Python 3 with venv and pip, a C compiler.
set -euo pipefail

readonly RELEASE=bullseye
readonly PYPY_PACKAGES=(pypy pypy-lib pypy-dev libffi7 libssl1.1)
# What pip needs to run under PyPy 2 and to build the rest.
readonly BOOTSTRAP=(pip==20.3.4 setuptools==44.1.1 wheel==0.36.2 incremental==16.10.1 typing==3.10.0.0)
readonly SUITE=(
  autobahntestsuite==25.10.1 autobahn==0.10.9 Twisted==19.10.0 txaio==2.1.0 klein==17.10.0
  Werkzeug==1.0.1 jinja2==2.11.3 markupsafe==1.1.1 zope.interface==4.6.0 six==1.16.0
  incremental==16.10.1 attrs==19.3.0 constantly==15.1.0 Automat==0.8.0 hyperlink==19.0.0
  idna==2.10 PyHamcrest==1.9.0 typing==3.10.0.0 unittest2==1.1.0 linecache2==1.0.0
  traceback2==1.4.0 argparse==1.4.0 setuptools==44.1.1
)

mkdir -p "$1"
root=$(realpath "$1")
cd "$root"
works() { [ -x wstest ] && ./wstest -a > /dev/null 2>&1; }
if works; then
  echo "$root/wstest"
  exit 0
fi

say() { echo "Setting the Autobahn Testsuite up: $*" >&2; }

# PyPy from the Debian mirror that this machine already uses, through a private apt state.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -E '/debian/?$' | sort -u | head -n 1)
if [ -z "$mirror" ]; then
  echo "setup-autobahn.sh: apt has no Debian mirror configured" >&2
  exit 1
fi
say "PyPy, from Debian $RELEASE into $root (about a minute, 200 MB, once) ..."
mkdir -p apt/lists/partial apt/cache/archives/partial packages pypy
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $RELEASE main" > apt/sources.list
private=(
  -o "Dir::Etc::sourcelist=$root/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o "Dir::State::lists=$root/apt/lists" -o "Dir::Cache=$root/apt/cache" -o APT::Sandbox::User=root
)
apt-get "${private[@]}" update -qq
(cd packages && apt-get "${private[@]}" download -qq "${PYPY_PACKAGES[@]}")
for package in packages/*.deb; do dpkg-deb -x "$package" pypy; done
libraries=$(dirname "$(find "$root/pypy/usr/lib" -name libssl.so.1.1 | head -n 1)")

say "the suite and what it needs, from PyPI ..."
# The suite, installed by a pip that still knows Python 2.
mkdir -p wheels bootstrap
python3 -m venv python3
for package in "${BOOTSTRAP[@]}"; do
  python3/bin/pip download -q --no-deps --python-version 2.7 --only-binary=:all: -d wheels "$package"
done
for wheel in wheels/*.whl; do python3 -m zipfile -e "$wheel" bootstrap; done
LD_LIBRARY_PATH=$libraries PYTHONPATH=$root/bootstrap pypy/usr/bin/pypy -m pip install -q --no-compile --no-deps \
  --no-build-isolation --no-cache-dir --disable-pip-version-check --upgrade --target site "${SUITE[@]}" 2>&1 |
  grep -v DEPRECATION || true
# A namespace package that PYTHONPATH alone does not make one.
touch site/zope/__init__.py
# Twisted's TLS module as names without content: nothing here uses TLS.
cat > site/sitecustomize.py <<'PYTHON'
import sys
import types

NAMES = ('Certificate CertificateOptions ClientContextFactory ContextFactory '
         'DefaultOpenSSLContextFactory PrivateCertificate optionsForClientTLS platformTrust')


class Absent(object):
    def __init__(self, *args, **kwargs):
        pass


ssl = types.ModuleType('twisted.internet.ssl')
ssl.supported = False
for name in NAMES.split():
    setattr(ssl, name, Absent)
sys.modules['twisted.internet.ssl'] = ssl
import twisted.internet
twisted.internet.ssl = ssl
PYTHON

cat > wstest <<WSTEST
#!/bin/bash
export LD_LIBRARY_PATH=$libraries PYTHONPATH=$root/site
exec $root/pypy/usr/bin/pypy -m autobahntestsuite.wstest "\$@"
WSTEST
chmod +x wstest
works || { echo "setup-autobahn.sh: wstest does not run" >&2; exit 1; }
echo "$root/wstest"
