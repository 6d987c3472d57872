#!/usr/bin/env bash
# Has those whom docs/security.md writes for read its blocks: nginx, Caddy and HAProxy their configurations, Python and
# Node.js what makes tokens. Balancers read what deploy/ has for them, too.
set -euo pipefail
cd "$(dirname "$0")/.."
tests=$PWD/tests/browser
signalpost=${SIGNALPOST_BIN:-target/debug/signalpost}
signalpost=$(realpath "$signalpost")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

main() {
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$folder/chat.key" -out "$folder/chat.crt" -days 2 \
    -subj /CN=chat.example.org 2>/dev/null
  cat "$folder/chat.crt" "$folder/chat.key" >"$folder/chat.pem"
  block haproxy >"$folder/haproxy.cfg"
  block caddyfile >"$folder/Caddyfile"
  { echo "pid $folder/pid; events {} http {" && block nginx && echo "}"; } >"$folder/nginx.conf"
  /usr/sbin/nginx -t -e "$folder/error.log" -c "$folder/nginx.conf"
  /usr/sbin/haproxy -c -f "$folder/haproxy.cfg"
  XDG_DATA_HOME=$folder XDG_CONFIG_HOME=$folder caddy validate --config "$folder/Caddyfile" --adapter caddyfile

  deployed

  block python >"$folder/make.py"
  block js >"$folder/make.mjs"
  ln -s "$tests/node_modules" "$folder/node_modules"
  cd "$folder"
  (umask 077 && openssl rand -hex 64 >jwt-secret)
  local token
  for token in "$("$tests/tokens/.venv/bin/python" make.py)" "$(node make.mjs)"; do
    "$signalpost" check-token --jwt-secret-file jwt-secret <<<"$token" | grep '"userId": "ann"'
  done
}

# Only there are the nodes' names known, and there is no Docker here: what compose.yaml sets must be a flag at least.
deployed() {
  local file variable
  for file in nginx.conf haproxy.cfg; do sed 's/node-[abc]:/127.0.0.1:/' "deploy/$file" >"$folder/deployed-$file"; done
  /usr/sbin/nginx -t -e "$folder/error.log" -g "pid $folder/pid;" -c "$folder/deployed-nginx.conf"
  /usr/sbin/haproxy -c -f "$folder/deployed-haproxy.cfg"
  for variable in $(grep -o 'SIGNALPOST_[A-Z_]*' deploy/compose.yaml | sort -u); do
    # All of its help, or it would be cut off while it writes.
    grep -w "$variable" <<<"$("$signalpost" --help)" || { echo "no flag has $variable"; return 1; }
  done
}

# What the document has between ```NAME and ```, with the certificate in this folder.
block() {
  sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" docs/security.md | sed -e '/^```/d' -e "s#/etc/ssl/\|/var/log/nginx/#$folder/#" |
    grep .
}

main
