// s3rver, which knows the signatures of version 4 and does not check them, behind a check of them.
const { createHash, createHmac } = require("crypto");
const [, port, directory] = process.argv;
const SECRET = "a-key-of-the-store";

const sha = (text) => createHash("sha256").update(text).digest("hex");
const mac = (key, text) => createHmac("sha256", key).update(text).digest();
const encode = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());

function expected(method, url, headers) {
  const [path, search = ""] = url.split("?");
  const query = new URLSearchParams(search.replace(/\+/g, "%2B"));
  const inUrl = query.get("X-Amz-Signature");
  let credential, names, signature, date, payload;
  if (inUrl) {
    [credential, names] = [query.get("X-Amz-Credential"), query.get("X-Amz-SignedHeaders")];
    [signature, date, payload] = [inUrl, query.get("X-Amz-Date"), "UNSIGNED-PAYLOAD"];
    query.delete("X-Amz-Signature");
  } else {
    const found = /^AWS4-HMAC-SHA256 Credential=([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=(\w+)$/.exec(headers.authorization || "");
    if (!found) return false;
    [, credential, names, signature] = found;
    [date, payload] = [headers["x-amz-date"], headers["x-amz-content-sha256"]];
  }
  const pairs = [...query].map(([name, value]) => encode(name) + "=" + encode(value)).sort().join("&");
  const list = names.split(";");
  if (!list.includes("host")) return false;
  const signed = list.map((name) => name + ":" + headers[name].trim() + "\n").join("");
  const request = [method, path, pairs, signed, names, payload].join("\n");
  const [id, ...scope] = credential.split("/");
  const text = ["AWS4-HMAC-SHA256", date, scope.join("/"), sha(request)].join("\n");
  const key = scope.reduce(mac, "AWS4" + SECRET);
  return id === "KAEL" && mac(key, text).toString("hex") === signature;
}

require("s3rver/lib/models/account").DUMMY_ACCOUNT.createKeyPair("KAEL", SECRET);
const server = new (require("s3rver"))({ address: "127.0.0.1", port: Number(port), directory, silent: true });
server.middleware.unshift(async (ctx, next) => {
  if (expected(ctx.method, ctx.req.url, ctx.req.headers)) return next();
  ctx.status = 403;
  ctx.body = "<Error><Code>SignatureDoesNotMatch</Code><Message>It is &lt;another&gt; one</Message></Error>";
});
server.run();
