"""Which blocks and arguments do the provider's resources have? Those that infra/ uses, into one small file.

Terraform asks the provider itself, a download of 100 MB that a check of every commit should not need. The
same facts stand in the bindings that CDK Terrain generates from the provider's schema (cdktn-provider-google
on PyPI, MPL-2.0), from which only names, types and whether they are required are taken. After a resource of a
new type, or for a new version of the provider:

    python -m tests.unit.infra_schema

What the bindings do not tell, and so this file does not: limits on values, which arguments exclude others,
and the types of what is nested in the provider's own answers.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

PACKAGE, VERSION = "cdktn-provider-google", "21.1.0"
ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "data" / "provider_schema.json"
USED = re.compile(r'^(resource|data) "(google_\w+)"', re.MULTILINE)
FLAGS = re.compile(r"// (\w+) - computed: (true|false), optional: (true|false), required: (true|false)")
MAPPED = re.compile(
    r"(\w+): \{\n\s+value: (.+),\n\s+isBlock: (true|false),"
    r"\n\s+type: \"(\w+)\",\n\s+storageClassType: \"(\w+)\","
)
CLASS = re.compile(r"^class (\w+) extends .*?^}", re.MULTILINE | re.DOTALL)
STRUCT = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{.*?^}", re.MULTILINE | re.DOTALL)
PRIMITIVES = {"string": "string", "boolean": "bool", "number": "number"}
GETTERS = {"String": "string", "Boolean": "bool", "Number": "number", "StringMap": ["map", "string"]}

Block = dict[str, Any]


class Bindings:
    """The generated classes of one resource."""

    def __init__(self, source: str) -> None:
        """`source` is its JavaScript."""
        self._classes = {found[1]: found[0] for found in CLASS.finditer(source)}
        self._structs = {found[1]: found[0] for found in STRUCT.finditer(source)}
        [self.main] = [name for name, body in self._classes.items() if "synthesizeHclAttributes" in body]

    def block(self, name: str, mapped: str) -> Block:
        """Attributes and nested blocks of a class, of which `mapped` says how they are written."""
        attributes: Block = {}
        blocks: Block = {}
        flags = {found[1]: found.groups()[1:] for found in FLAGS.finditer(self._classes.get(name, ""))}
        for field, value, is_block, kind, storage in MAPPED.findall(mapped):
            computed, optional, required = (flag == "true" for flag in flags.get(field, ("", "true", "")))
            nested = re.search(r"(?<![.\w])(\w+)ToHclTerraform", value)
            if nested and is_block == "true":
                blocks[field] = self._nested(
                    nested[1], kind, required=required, single="listMapperHcl" not in value
                )
                continue
            type_: Any = self._object(nested[1]) if nested else _primitive(storage)
            if kind in {"list", "set", "map"}:
                type_ = [kind, type_]
            told = {"required": required, "optional": optional, "computed": computed}
            told["write_only"] = field.endswith("_wo")  # so by the provider's convention
            attributes[field] = {"type": type_} | {key: True for key, flag in told.items() if flag}
        for field, (computed, optional, _) in flags.items():
            if (computed, optional) == ("true", "false") and (type_ := self._computed(name, field)):
                attributes[field] = {"type": type_, "computed": True}
        return {"attributes": attributes, "block_types": blocks}

    def top(self) -> Block:
        """Of the resource itself."""
        body = self._classes[self.main]
        return self.block(self.main, body[body.index("synthesizeHclAttributes") :])

    def _nested(self, struct: str, kind: str, *, required: bool, single: bool) -> Block:
        nested: Block = {"nesting_mode": "single" if kind == "struct" else kind}
        if kind != "struct" and required:
            nested["min_items"] = 1
        if kind != "struct" and single:
            nested["max_items"] = 1
        return nested | {"block": self.block(_reference(struct), self._structs[struct])}

    def _object(self, struct: str) -> list[Any]:
        return _object_type(self.block(_reference(struct), self._structs[struct]))

    def _computed(self, name: str, field: str) -> Any:
        """The type of what the provider alone sets; None where the bindings have it in another form."""
        body = self._classes[name]
        if found := re.search(rf"get(\w+)Attribute\('{field}'\)", body):
            tolist = f"Fn.tolist(this.get{found[1]}Attribute('{field}')" in body
            if found[1] in {"List", "NumberList"}:
                return ["set" if tolist else "list", "number" if found[1] == "NumberList" else "string"]
            return GETTERS.get(found[1])
        if found := re.search(rf'new (\w+)List\(this, "{field}", (true|false)\)', body):
            fields = self.block(f"{found[1]}OutputReference", "")
            return ["set" if found[2] == "true" else "list", _object_type(fields)]
        return None


def _reference(struct: str) -> str:
    return f"{struct[0].upper()}{struct[1:]}OutputReference"


def _object_type(block: Block) -> list[Any]:
    return ["object", {name: attribute["type"] for name, attribute in block["attributes"].items()}]


def _primitive(storage: str) -> str:
    return PRIMITIVES[re.sub(r"(List|Map)$", "", storage)]


def used() -> set[tuple[str, str]]:
    """(resource or data, type) of everything that infra/ declares."""
    return {found for path in (ROOT / "infra").glob("*.tf") for found in USED.findall(path.read_text())}


def schema(bindings: tarfile.TarFile) -> Block:
    """In the form of `terraform providers schema -json`, one provider's."""
    described = bindings.extractfile("package/package.json")
    assert described is not None
    about = json.load(described)
    found: dict[str, Block] = {"resource": {}, "data": {}}
    for kind, type_ in sorted(used()):
        found[kind][type_] = _read(bindings, ("data-" if kind == "data" else "") + type_)
    return {
        "source": f"{PACKAGE} {VERSION}, MPL-2.0",
        "provider_version": about["cdktf"]["provider"]["version"],
        "provider": _read(bindings, "provider"),
        "resource_schemas": found["resource"],
        "data_source_schemas": found["data"],
    }


def _read(bindings: tarfile.TarFile, type_: str) -> Block:
    folder = f"package/lib/{type_.removeprefix('google_').replace('_', '-')}/"
    files = [name for name in bindings.getnames() if name.startswith(folder) and name.endswith(".js")]
    source = "\n".join(bindings.extractfile(name).read().decode() for name in files)  # type: ignore[union-attr]
    # Large resources are spread over several files, which name what is in another by its module.
    return {"block": Bindings(re.sub(r"\(0, \w+\.(\w+)\)|\b\w+_\d+\.", r"\1", source)).top()}


def _lines(made: Block) -> str:
    """JSON with a line for each resource, so that a change is seen where it is."""
    parts = []
    for key, value in sorted(made.items()):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        if key.endswith("_schemas"):
            inner = (
                f"{json.dumps(name)}:{json.dumps(value[name], sort_keys=True, separators=(',', ':'))}"
                for name in sorted(value)
            )
            text = "{\n" + ",\n".join(inner) + "\n}"
        parts.append(f"{json.dumps(key)}:{text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    """Fetch the bindings and write the file."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"{PACKAGE}=={VERSION}"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, wanted]
        subprocess.run(pip, check=True)
        [wheel] = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            [name] = [member for member in packed.namelist() if member.endswith(".jsii.tgz")]
            with packed.open(name) as inner, tarfile.open(fileobj=inner, mode="r:gz") as bindings:
                made = schema(bindings)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(_lines(made))


if __name__ == "__main__":
    main()
