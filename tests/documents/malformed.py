"""Files that are wrong in one way each, with the place and words by which that is to be told."""

from __future__ import annotations

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


class Malformed(NamedTuple):
    """A file.

    Attributes:
        place: where in the file, `line:column`, and the field where there is one.
        words: of what is said about it.
    """

    name: str
    content: str | bytes
    place: str
    words: str


TEMPLATE = """\
name: careful
version: "1"
parameters:
  url: {type: string}
  soak: {type: duration, default: 5m}
nodes:
  - {id: check, type: security-check}
  - id: ship
    type: deploy
    needs: [check]
    inputs: {strategy: {type: rolling, batch_size: 10%}}
  - id: look
    type: verify
    needs: [ship]
    when: params.soak != '0s'
    inputs:
      checks:
        - name: health
          http: {url: "${{ params.url }}/healthz"}
  - id: tell
    type: notify
    needs: [look]
    inputs:
      webhook: {url: "https://chat.example.org/hook"}
      text: "${{ release.ref }} is in ${{ environment.name }}"
"""

ENVIRONMENT = """\
tenant: acme
groups:
  leads: [ann, bob]
delegations:
  - {from: ann, to: bob, until: "2026-04-01T00:00:00Z"}
environments:
  - name: staging
    targets:
      - {name: web-1, agent: east}
  - name: production
    order: 1
    auto: {after: staging, soak: 24h}
    targets:
      - {name: web-1, agent: west}
    gates:
      - type: security
        config: {max_critical: 0}
      - type: approval
        when: gates['security'].outcome == 'passed'
        override: {groups: [leads]}
        config: {required: 1, groups: [leads]}
    template:
      name: own
      parameters:
        replicas: {type: integer, default: 2}
      nodes:
        - {id: deploy, type: deploy}
    parameters: {replicas: 3}
"""


def _template(name: str, old: str, new: str, place: str, words: str) -> Malformed:
    assert TEMPLATE.count(old) == 1, old
    return Malformed(name, TEMPLATE.replace(old, new), place, words)


def _environment(name: str, old: str, new: str, place: str, words: str) -> Malformed:
    assert ENVIRONMENT.count(old) == 1, old
    return Malformed(name, ENVIRONMENT.replace(old, new), place, words)


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> str:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return _block(pem)


def _private_pem() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    return _block(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _block(pem: bytes) -> str:
    lines = "".join(f"        {line}\n" for line in pem.decode().splitlines())
    return f"keys:\n  ann:\n    - public_key: |\n{lines}groups:\n"


def _bomb() -> str:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    return "\n".join(levels)


def _mapping_bomb() -> str:
    levels = ["a0: &a0 {k: v}"]
    for i in range(1, 40):
        levels.append(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}")
    return "\n".join(levels)


MALFORMED = [
    # What is no YAML, or too much of it.
    Malformed("empty", "", "1:1", "is empty"),
    Malformed("not UTF-8", b"name: \xff\n", "1:7", "is not UTF-8"),
    Malformed("a control character", "name: a\x07\n", "1:8", "a character that YAML does not"),
    Malformed("an open bracket", "nodes: [1, 2\n", "2:1", "not well-formed"),
    Malformed("a tab as indentation", "nodes:\n\t- 1\n", "2:1", "not well-formed"),
    Malformed("two documents", "name: a\n---\nname: b\n", "2:1", "a second document begins here"),
    Malformed("a key twice", "name: a\nnodes: []\nname: b\n", "3:1: name",
              "already given on line 1"),
    Malformed("a merge key", "nodes: []\n<<: {a: 1}\n", "2:1", "'<<' merges"),
    Malformed("a tag that runs code", "name: !!python/object/apply:os.system [x]\n", "1:1: name",
              "is not supported"),
    Malformed("an alias to nothing", "name: *nowhere\n", "1:7", "the undefined alias *nowhere"),
    Malformed("an alias of itself", "nodes: &a [*a]\n", "1:8: nodes[0]", "contains itself"),
    Malformed("a list of lists of aliases", _bomb(), "1:37: a4[7][8][8][8][9]",
              "too many values"),
    Malformed("a mapping of mappings of aliases", _mapping_bomb(),
              "4:10: a15.x.x.x.x.x.y.x.x.x.y.y.y.x", "too many values"),
    Malformed("deep nesting", "nodes: " + "[" * 20_000, "1:1007", "nested too deeply"),
    Malformed("nesting by aliases",
              "nodes:\n" + "- &a0 [x]\n" + "".join(f"- &a{i} [*a{i - 1}]\n" for i in range(1, 99)),
              "2:3: nodes[62]" + "[0]" * 14 + "…", "nested too deeply"),
    Malformed("many values", "nodes: [" + "a," * 300_000 + "a]", "1:300003",
              "more than 150000 values"),
    Malformed("a file of 50 MB", b"name: a\n" + b"# padding\n" * 5_242_880, "104858:9",
              "larger than 1024 KiB"),
    Malformed("a line of 50 MB", b"name: " + b"a" * 52_428_800, "1:1048577",
              "larger than 1024 KiB"),
    Malformed("an endless number", "order: " + "9" * 100_000, "1:1: order", "beyond what JSON"),
    # Whole files of another kind.
    Malformed("a list", "- a\n", "1:1", "neither environments: nor nodes:"),
    Malformed("a text", "hello\n", "1:1", "neither environments: nor nodes:"),
    Malformed("both kinds", "nodes: []\nenvironments: []\n", "1:1",
              "both environments: and nodes:"),
    Malformed("a misspelt section", "enviroments: []\n", "1:1: enviroments",
              "did you mean 'environments'?"),
    # Templates: keys, types, names.
    _template("an unknown key", "needs: [ship]", "neds: [ship]", "14:5: nodes[2].neds",
              "did you mean 'needs'?"),
    _template("an unknown node type", "type: verify", "type: verfy", "13:5: nodes[2].type",
              "did you mean 'verify'?"),
    _template("no name", "name: careful\n", "", "1:1: name", "is missing; add it"),
    _template("a bad name", "name: careful", "name: Very Careful", "1:1: name", "is not a name"),
    _template("a version as a number", 'version: "1"', "version: 1", "2:1: version",
              "must be text, but is 1; put it in quotes"),
    _template("no nodes", TEMPLATE[TEMPLATE.index("nodes:"):], "nodes: []\n", "6:1: nodes",
              "needs at least 1 entry"),
    _template("nodes as a mapping", TEMPLATE[TEMPLATE.index("nodes:"):], "nodes: {a: 1}\n",
              "6:1: nodes", "must be a list, but is a mapping"),
    _template("a node without a type", "  - {id: check, type: security-check}", "  - {id: check}",
              "7:5: nodes[0].type", "is missing"),
    _template("needs as text", "needs: [check]", "needs: check", "10:5: nodes[1].needs",
              "must be a list"),
    _template("a bad timeout", "needs: [check]", "needs: [check]\n    timeout: soon",
              "11:5: nodes[1].timeout", "'soon' is not a duration"),
    _template("no time at all", "needs: [check]", "needs: [check]\n    timeout: 0s",
              "11:5: nodes[1].timeout", "is not above zero"),
    _template("a bad on_failure", "needs: [check]", "needs: [check]\n    on_failure: explode",
              "11:5: nodes[1].on_failure", "use 'fail', 'continue' or 'rollback'"),
    _template("too many attempts", "needs: [check]", "needs: [check]\n    retry: {attempts: 1000}",
              "11:13: nodes[1].retry.attempts", "at most 100"),
    _template("more nodes than a template has", TEMPLATE[TEMPLATE.index("nodes:"):],
              "nodes:\n" + "".join(f"- {{id: n{at}, type: deploy}}\n" for at in range(20_000)),
              "6:1: nodes", "has more than 500 entries"),
    # Templates: the graph.
    _template("an id twice", "id: tell", "id: check", "20:5: nodes[3].id",
              "2 nodes have the id 'check'"),
    _template("a missing node", "needs: [ship]", "needs: [shipp]", "14:13: nodes[2].needs[0]",
              "did you mean 'ship'?"),
    _template("a node that needs itself", "needs: [ship]", "needs: [look]", "14:5: nodes[2].needs",
              "a cycle: look needs look"),
    _template("a cycle", "{id: check, type: security-check}",
              "{id: check, type: security-check, needs: [tell]}", "7:39: nodes[0].needs",
              "a cycle: "),
    _template("a node out of reach", "params.soak != '0s'", "params.soak != '0s' && 1 > 2",
              "15:5: nodes[2].when", "'look' is never reached"),
    # Templates: inputs.
    _template("an unknown input", "batch_size: 10%", "batchsize: 10%",
              "11:40: nodes[1].inputs.strategy.batchsize", "did you mean 'batch_size'?"),
    _template("an input of the wrong type", "batch_size: 10%", "batch_size: [1]",
              "11:40: nodes[1].inputs.strategy.batch_size", "must be a whole number"),
    _template("an unknown strategy", "type: rolling", "type: leaping",
              "11:14: nodes[1].inputs.strategy", "has the type 'leaping'"),
    _template("a missing input beside an expression", "name: health", "attempts: 2",
              "18:11: nodes[2].inputs.checks[0].name", "is missing"),
    _template("no channel", TEMPLATE[TEMPLATE.index("      webhook:"):], "      subject: hello\n",
              "23:5: nodes[3].inputs", "needs exactly one of webhook, slack, email"),
    _template("what cannot take anything back", "needs: [check]",
              "needs: [check]\n    on_rollback: {type: deploy}", "11:19: nodes[1].on_rollback.type",
              "'deploy' does no work that can be called"),
    # Templates: expressions.
    _template("a syntax error", "params.soak != '0s'", "params.soak !=", "15:5: nodes[2].when",
              "line 1, column 15: Syntax error"),
    _template("an unknown variable", "params.soak != '0s'", "param.soak != '0s'",
              "15:5: nodes[2].when", "line 1, column 6: undeclared reference to 'param.soak'"),
    _template("an unknown field", "${{ release.ref }}", "for ${{ release.reff }}",
              "25:7: nodes[3].inputs.text", "line 1, column 16: undefined field 'reff'"),
    _template("a condition that is a number", "params.soak != '0s'", "1 + 1", "15:5: nodes[2].when",
              "comes to int, where true or false is needed"),
    _template("a condition in braces", "params.soak != '0s'", '"${{ true }}"',
              "15:5: nodes[2].when", "leave out ${{ and }}"),
    _template("an expression without an end", "is in ${{ environment.name }}",
              "is in ${{ environment.name", "25:7: nodes[3].inputs.text",
              "line 1, column 26: an expression begins here and does not end"),
    _template("an unknown parameter", "${{ params.url }}", "${{ params.ulr }}",
              "19:18: nodes[2].inputs.checks[0].http.url", "did you mean 'url'?"),
    _template("a node that is not upstream", "${{ release.ref }}", "${{ nodes.tell.status }}",
              "25:7: nodes[3].inputs.text", "line 1, column 5: node 'tell' speaks of itself"),
    _template("a node that runs beside", "params.soak != '0s'", "nodes.tell.status == 'failed'",
              "15:5: nodes[2].when", "need not have ended when 'look' starts"),
    _template("a node that does not exist", "params.soak != '0s'", "nodes.shp.status == 'failed'",
              "15:5: nodes[2].when", "did you mean 'ship'?"),
    _template("a deeply nested expression", "params.soak != '0s'", "(" * 900 + "true" + ")" * 900,
              "15:5: nodes[2].when", "is nested too deeply"),
    _template("deeply nested macros", "params.soak != '0s'",
              "true && " + "".join(f"[1].all(a{at}, " for at in range(30)) + "true" + ")" * 30,
              "15:5: nodes[2].when", "is nested too deeply"),
    # Templates: parameters and includes.
    _template("a default of another type", "default: 5m", "default: 5",
              "5:26: parameters.soak.default", "must be a duration"),
    _template("an unknown parameter type", "type: string", "type: text", "4:9: parameters.url.type",
              "'string', 'integer'"),
    _template("an unknown include", "{id: check, type: security-check}",
              "{id: check, type: include, inputs: {template: standrad}}",
              "7:41: nodes[0].inputs.template", "did you mean 'standard'?"),
    _template("a parameter that an include does not take", "{id: check, type: security-check}",
              "{id: check, type: include, inputs: {template: standard, parameters: {x: 1}}}",
              "7:74: nodes[0].inputs.parameters.x", "has no parameter 'x'"),
    # Environments.
    _environment("a misspelt key of an environment", "order: 1", "ordre: 1",
                 "11:5: environments[1].ordre", "did you mean 'order'?"),
    _environment("an unknown gate type", "type: approval", "type: aproval",
                 "18:9: environments[1].gates[1].type", "did you mean 'approval'?"),
    _environment("a gate's config of the wrong type", "max_critical: 0", "max_critical: none",
                 "17:18: environments[1].gates[0].config.max_critical", "whole number"),
    _environment("a condition on a gate that comes later", "gates['security']", "gates.approval",
                 "19:9: environments[1].gates[1].when", "no gate before this one is called"),
    _environment("bad CEL in a gate", "outcome == 'passed'", "outcome = 'passed'",
                 "19:9: environments[1].gates[1].when", "Syntax error"),
    _environment("an override by a group that does not exist", "override: {groups: [leads]}",
                 "override: {groups: [leeds]}",
                 "20:29: environments[1].gates[1].override.groups[0]",
                 "did you mean 'leads'?"),
    _environment("an unknown template", ENVIRONMENT[ENVIRONMENT.index("    template:"):],
                 "    template: standrad\n", "22:5: environments[1].template",
                 "did you mean 'standard'?"),
    _environment("a value for no parameter", "{replicas: 3}", "{replica: 3}",
                 "28:18: environments[1].parameters.replica", "did you mean 'replicas'?"),
    _environment("a parameter of the wrong type", "{replicas: 3}", "{replicas: many}",
                 "28:18: environments[1].parameters.replicas", "must be a whole number"),
    _environment("a promotion after itself", "after: staging", "after: production",
                 "12:12: environments[1].auto.after", "a cycle"),
    _environment("a key that is none", "groups:\n",
                 "keys: {ann: [{public_key: secret}]}\ngroups:\n", "2:15: keys.ann[0].public_key",
                 "is no public key in PEM form"),
    _environment("a private key", "groups:\n", _private_pem(), "4:7: keys.ann[0].public_key",
                 "is a private key"),
    _environment("a key on another curve", "groups:\n",
                 _pem(ec.generate_private_key(ec.SECP384R1())), "4:7: keys.ann[0].public_key",
                 "neither an ECDSA P-256 nor an Ed25519 key"),
    _environment("an RSA key", "groups:\n", _pem(rsa.generate_private_key(65537, 2048)),
                 "4:7: keys.ann[0].public_key", "neither an ECDSA P-256 nor an Ed25519 key"),
    _environment("a delegation to nobody", "to: bob", 'to: ""', "5:17: delegations[0].to",
                 "is empty"),
    _environment("a delegation without a time zone", '"2026-04-01T00:00:00Z"', '"2026-04-01T00:00"',
                 "5:26: delegations[0].until", "has no time zone"),
    _environment("a delegation without an end", ', until: "2026-04-01T00:00:00Z"', "",
                 "5:5: delegations[0].until", "is missing"),
]  # fmt: skip

HEAVY = {
    "a list of lists of aliases",
    "a mapping of mappings of aliases",
    "deep nesting",
    "nesting by aliases",
    "many values",
    "more nodes than a template has",
    "a file of 50 MB",
    "a line of 50 MB",
    "an endless number",
}
"""Those that are made to take time and memory."""
