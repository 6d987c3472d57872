"""Makes tokens with PyJWT: a JSON list of what each is to be on standard input, a list of tokens on standard output."""

import json
import sys

import jwt

json.dump(
    [
        jwt.encode(wanted["claims"], wanted["key"], wanted["alg"], {"kid": wanted["kid"]})
        for wanted in json.load(sys.stdin)
    ],
    sys.stdout,
)
