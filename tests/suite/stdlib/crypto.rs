//! `crypto`: digests and random texts in the sandbox, and tokens whose keys may be secrets.

use kael_tests::Kael;

const RSA: &str = include_str!("../../fixtures/jwt/rsa.pem");
const RSA_PUBLIC: &str = include_str!("../../fixtures/jwt/rsa.pub.pem");
const EC: &str = include_str!("../../fixtures/jwt/ec.pem");
const EC_PUBLIC: &str = include_str!("../../fixtures/jwt/ec.pub.pem");
const JWKS: &str = include_str!("../../fixtures/jwt/jwks.json");

fn session() -> Kael {
    let keys = format!(
        "return {{ rsa = [[{RSA}]], rsa_public = [[{RSA_PUBLIC}]], ec = [[{EC}]], ec_public = [[{EC_PUBLIC}]], jwks = json.decode([[{JWKS}]]) }}"
    );
    Kael::new()
        .file("actions/init.lua", "return {}")
        .file("actions/keys.lua", keys)
        .option(&["--actions", "actions"])
}

#[test]
fn digests_are_made_of_any_bytes() {
    let ran = session().script(
        "print(crypto.hash('abc'), crypto.hash('', 'md5'))
         print(crypto.hash('\\0\\xff', 'sha3-256'), #crypto.hash('', 'SHA-512'))
         print(crypto.hmac('Jefe', 'what do ya want for nothing?'), #crypto.hmac('k', '\\xff', 'sha1', true))
         print(select(2, pcall(crypto.hash, 'x', 'sha')))
         print(select(2, pcall(crypto.hash, {})))",
    );
    ran.exits(0).prints(
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\td41d8cd98f00b204e9800998ecf8427e
17709a2e0d4734ada82a5f7042e459c726ed979924216b5eedc769422d6558cf\t128
5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\t20
crypto.hash: no algorithm \"sha\": there are md5, sha1, sha224, sha256, sha384, sha512, sha3-224, sha3-256, sha3-384, sha3-512
crypto.hash: expected a string as argument 1, got table
",
    );
}

#[test]
fn random_texts_differ_and_have_their_shape() {
    let ran = session().script(
        "local a, b = crypto.random(), crypto.random()
         print(#a, a ~= b, a:match('^%w+$') == a, #crypto.random(4096), #crypto.random_bytes(5))
         local u = crypto.uuid()
         print(#u, u:match('^%x+%-%x+%-4%x%x%x%-[89ab]%x%x%x%-%x+$') == u, u ~= crypto.uuid())
         print(select(2, pcall(crypto.random, 0)))",
    );
    ran.exits(0).prints(
        "32\ttrue\ttrue\t4096\t5\n36\ttrue\ttrue\ncrypto.random: the length is a whole number from 1 to 4096\n",
    );
}

#[test]
fn tokens_are_signed_and_checked_by_every_kind_of_key() {
    let ran = session().script(
        "local keys = require('keys')
         local claims = { sub = 'me', exp = os.time() + 60, aud = 'you' }
         local rsa = crypto.jwt_sign(claims, keys.rsa, 'RS256', { kid = 'one' })
         local read = crypto.jwt_decode(rsa)
         print(read.header.alg, read.header.kid, read.claims.sub)
         print(crypto.jwt_verify(rsa, keys.rsa_public, { audience = 'you' }).claims.sub, crypto.jwt_verify(rsa, keys.jwks).header.kid)
         print(crypto.jwt_verify(crypto.jwt_sign(claims, keys.ec, 'ES256'), keys.ec_public).claims.sub)
         local shared = crypto.jwt_sign(claims, 'a shared key', 'HS256')
         print(crypto.jwt_verify(shared, 'a shared key').claims.sub)
         -- A public key is no shared one, and no other key passes.
         local forged = crypto.jwt_sign(claims, keys.rsa_public, 'HS256')
         for _, try in ipairs {
           { forged, keys.rsa_public }, { forged, keys.jwks }, { shared, 'another key' }, { rsa, keys.rsa_public, { audience = 'x' } },
           { rsa, keys.rsa_public, { algorithm = 'RS512' } }, { rsa, keys.ec_public }, { rsa, keys.rsa_public, { audiance = 'x' } },
         } do print(select(2, pcall(crypto.jwt_verify, table.unpack(try)))) end",
    );
    ran.exits(0).prints(
        "RS256\tone\tme
me\tone
me
me
kael.crypto.jwt_verify failed: the token does not pass: it is signed with HS256, which takes a shared key, and this one is public
kael.crypto.jwt_verify failed: the token does not pass: it names no key, and the set has several
kael.crypto.jwt_verify failed: the token does not pass: its signature is not of this key
kael.crypto.jwt_verify failed: the token does not pass: its audience is another
kael.crypto.jwt_verify failed: the token does not pass: it is signed with RS256
kael.crypto.jwt_verify failed: the key is none for RS256: InvalidKeyFormat
crypto.jwt_verify: no option `audiance` (did you mean `audience`?)
",
    );
}

#[test]
fn a_key_may_be_a_secret_that_a_policy_gives() {
    let with = |policy: &str| {
        session()
            .file("key", "a shared key of the team")
            .file("p.yaml", format!("version: 1\ndefault: allow\n{policy}"))
            .run_with(&["--policy", "p.yaml"])
    };
    let list = |kael: Kael| {
        let folder = kael.path().display().to_string();
        let list = format!("version: 1\nsecrets:\n  jwt/key: {{ file: {folder}/key }}\n");
        kael.file("config/kael/secrets.yaml", list)
            .script("local token = crypto.jwt_sign({ a = 1 }, secret('jwt/key'), 'HS256')
                     print(crypto.jwt_verify(token, 'a shared key of the team', { validate_exp = false }).claims.a)
                     print(secret('jwt/key'))")
    };
    let ran = list(with(
        "secrets: [{ use: \"jwt/*\", in: \"kael.crypto.jwt_sign\" }]\n",
    ));
    ran.exits(0).prints("1\n[secret jwt/key]\n");
    let ran = list(with("secrets: []\n"));
    ran.exits(4).says("may not use the secret `jwt/key`");
    let ran = with("rules: [{ deny: \"kael.crypto.*\" }]\n")
        .script("crypto.jwt_sign({ a = 1 }, 'a key', 'HS256')");
    ran.exits(4).says("kael.crypto.jwt_sign failed: denied");
}
