# As jq has them, where jaq has them otherwise: what is null in a list that is joined, objects that are flattened, several
# places that are deleted at once, lists that are picked from, groups that match nothing.
def join($s): reduce .[] as $x (null;
  (if . == null then "" else . + $s end)
  + ($x | if . == null then "" elif isboolean or isnumber then tojson else . end)
) // "";
def flatten: [.[] | recurse(if isarray then .[] else empty end) | select(isarray | not)];
def flatten($d):
  def rec($d): if isarray and $d > 0 then .[] | rec($d - 1) else . end;
  if $d < 0 then error("flatten: the depth must not be negative") else [.[] | rec($d)] end;
def delpaths($paths): reduce ($paths | unique | reverse)[] as $path (.; getpath($path) |= empty);
def del(f): delpaths([path(f)]);
def pick(f): . as $top | reduce path(f) as $path (null; setpath($path; $top | getpath($path)));
def scan(re; flags): matches(re; "g" + flags)[] | [.[].string] | if length > 1 then .[1:] else .[0] end;
def scan(re): scan(re; "");
def nth($n; g): if $n < 0 then error("nth: the index must not be negative") else first(skip($n; g)) end;

def totype(p; e): if p then . else fromjson | if p then . else e end end;
def tonumber: totype(isnumber; error("cannot parse as number"));
def toboolean: totype(isboolean; error("cannot parse as boolean"));
def toarray: if isarray then . else [.] end;

def transpose: [range([.[] | length] | max) as $i | [.[][$i]]];
def in(xs): . as $x | xs | has($x);
def inside(xs): . as $x | xs | contains($x);
def index($i): indices($i) | .[0];
def rindex($i): indices($i) | .[-1];
def ascii: [.] | implode;
def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
def INDEX(stream; f): reduce stream as $row ({}; .[$row | f | tostring] = $row);
def INDEX(f): INDEX(.[]; f);
def leaf_paths: paths(scalars);
def tostream:
  path(def rec: (.[]? | rec), .; rec) as $p
  | getpath($p)
  | reduce path(.[]?) as $q ([$p, .]; [$p + $q]);

def @json: tojson;
def @csv: [.[] | escape_csv] | join(",");
def @tsv: [.[] | escape_tsv] | join("\t");
