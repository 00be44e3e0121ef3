"""The site of `multiall demo`: a small web tree, and five servers that have drifted apart."""

from pathlib import Path

from multiall_cli.lab.atomic_write import write_atomically
from multiall_cli.lab.demo.lab import DemoLab

POOL = "web"
DECLARATION = """\
    files:
      - path: ~/www
        source: ./trees/www
        delete: true
        after:
          - {run: [sh, -c, 'echo reloaded >> ~/reloads'], watch: ['*.conf']}
    rollout: {batch: [1, 50%]}
"""
TREE = {
    "index.html": "<h1>Release 2</h1>\n",
    "css/site.css": "body { margin: 2em }\n",
    "conf/app.conf": "workers = 4\nlog = info\n",
    "img/logo.svg": '<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>\n',
}
OLD = {"index.html": "<h1>Release 1</h1>\n", "css/site.css": "body { margin: 2em }\n"}


def fill_lab(lab: DemoLab) -> None:
    """Write the site's tree and declaration, put its store into the lab, and let the servers differ."""
    site = lab.site
    _fill(site / "trees" / "www", TREE)
    inventory = site / "inventory" / "lab.yaml"
    write_atomically(inventory, inventory.read_text("utf-8") + DECLARATION)
    write_atomically(site / "multiall.yaml", f"store: {lab.folder / 'state'}\nconnect_timeout: 5s\n")
    for name in lab.names[:-1]:
        _fill(lab.home(name) / "www", OLD)
    stray = lab.home(lab.names[1]) / "www" / "index.html.bak"
    stray.write_text("someone was here\n", "utf-8")


def release(lab: DemoLab, number: int) -> None:
    """Change the tree: a release that an absent member misses."""
    (lab.site / "trees" / "www" / "index.html").write_text(f"<h1>Release {number}</h1>\n", "utf-8")


def _fill(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
