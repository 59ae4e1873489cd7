"""An OpenID Connect provider that lies as the code of a sign-in says: `MODE~NONCE`."""

import base64
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

KEY = RSAKey.generate_key(2048, {"kid": "one"})
OTHER = RSAKey.generate_key(2048, {"kid": "one"})
PUBLIC = KEY.as_dict(private=False)


def plain(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def token(issuer, mode, nonce):
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": "kael",
        "sub": "ann",
        "nonce": nonce,
        "iat": now,
        "exp": now + 600,
        "groups": ["devs"],
    }
    wrong = {
        "issuer": {"iss": "http://127.0.0.1:1"},
        "audience": {"aud": "another"},
        "nonce": {"nonce": "another"},
        "expired": {"iat": now - 7200, "exp": now - 3600},
        "no-nonce": {"nonce": None},
    }
    claims.update(wrong.get(mode, {}))
    claims = {name: value for name, value in claims.items() if value is not None}
    header = {"alg": "RS256", "kid": "one"}
    if mode == "none":
        return plain({"alg": "none"}) + "." + plain(claims) + "."
    if mode == "shared":
        # Signed with what everybody knows: the public key, or the secret of the client.
        secret = OctKey.import_key("the-secret-of-the-client-which-is-long-enough")
        return jwt.encode({"alg": "HS256"}, claims, secret)
    if mode == "key":
        return jwt.encode(header, claims, OTHER)
    made = jwt.encode(header, claims, KEY)
    if mode == "changed":
        head, _, signature = made.split(".")
        claims["groups"] = ["ops"]
        return head + "." + plain(claims) + "." + signature
    return made


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def say(self, document, status=200):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        issuer = "http://" + self.headers["Host"]
        if self.path == "/jwks":
            return self.say({"keys": [{**PUBLIC, "use": "sig", "alg": "RS256"}]})
        self.say(
            {
                "issuer": issuer,
                "authorization_endpoint": issuer + "/authorize",
                "token_endpoint": issuer + "/token",
                "jwks_uri": issuer + "/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            }
        )

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        mode, _, nonce = form["code"][0].partition("~")
        if not form.get("code_verifier"):
            return self.say({"error": "invalid_request"}, 400)
        issuer = "http://" + self.headers["Host"]
        answer = {"access_token": "x", "token_type": "Bearer"}
        if mode != "no-token":
            answer["id_token"] = token(issuer, mode, nonce)
        self.say(answer)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
