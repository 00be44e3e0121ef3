"""What sudo lets an account do, read from its files."""

from pathlib import Path

import pytest

from multiall_cli.remote.facts.sudoers import evaluate, read_lines

JO = {"jo", "#1000", "%jo", "%sudo", "%#27"}
NO, PLAIN, FREE = (False, False), (True, False), (True, True)


def read(tmp_path: Path, text: str, names: set[str] = JO) -> tuple[object, object]:
    (tmp_path / "sudoers").write_text(text)
    told = evaluate(list(read_lines(str(tmp_path / "sudoers"), "web1.example")), names, ["web1.example", "web1"])
    return told["present"], told["nopasswd"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", NO),
        ("root ALL=(ALL:ALL) ALL\n", NO),
        ("jo ALL=(ALL:ALL) ALL\n", PLAIN),
        ("jo\tALL = (ALL) NOPASSWD: ALL\n", FREE),
        ("jo ALL=(ALL) NOPASSWD:SETENV: /bin/a, PASSWD: /bin/b\n", FREE),
        ("jo ALL=(ALL) PASSWD: /bin/a\n", PLAIN),
        ("# jo ALL=(ALL) NOPASSWD: ALL\n", NO),
        ("#jo ALL=(ALL) NOPASSWD: ALL\n", NO),
        ("joe ALL=(ALL) ALL\n", NO),
        ("%sudo ALL=(ALL:ALL) ALL  # those who may\n", PLAIN),
        ("%wheel ALL=(ALL) NOPASSWD: ALL\n", NO),
        ("#1000 ALL=(ALL) ALL\n", PLAIN),
        ("%#27 ALL=(ALL) NOPASSWD: ALL\n", FREE),
        ("#1001 ALL=(ALL) ALL\n", NO),
        ("al, jo ALL=ALL\n", PLAIN),
        ("al,jo,kim ALL=NOPASSWD:ALL\n", FREE),
        ("ALL ALL=(ALL) ALL\n", PLAIN),
        ("ALL, !jo ALL=(ALL) ALL\n", NO),
        ("!jo, ALL ALL=(ALL) ALL\n", PLAIN),
        ("jo ALL=(ALL) !/bin/su\n", NO),
        ("jo db1=(ALL) ALL\n", NO),
        ("jo web1=(ALL) ALL\n", PLAIN),
        ("jo web*=(ALL) ALL\n", PLAIN),
        ("jo ALL, !web1 = ALL\n", NO),
        ("jo db1 = NOPASSWD: ALL : web1 = /bin/a\n", PLAIN),
        ("jo db1 = /bin/a : web1 = NOPASSWD: ALL\n", FREE),
        ("jo 192.0.2.0/24 = ALL\n", PLAIN),
        ("User_Alias OPS = al, jo : DEVS = kim\nOPS ALL = NOPASSWD: ALL\n", FREE),
        ("User_Alias OPS = al : DEVS = jo\nDEVS ALL = ALL\n", PLAIN),
        ("User_Alias A = B\nUser_Alias B = A\nA ALL = ALL\n", NO),
        ("User_Alias A = ALL, !OPS\nUser_Alias OPS = jo\nA ALL = ALL\n", NO),
        ("Host_Alias WEB = web1, web2\njo WEB = ALL\n", PLAIN),
        ("Cmnd_Alias APT = /usr/bin/apt, \\\n  /usr/bin/apt-get\njo ALL = NOPASSWD: APT\n", FREE),
        ("jo ALL = (root) NOPASSWD: sha256:abcd /bin/a\n", FREE),
        ("jo ALL = (root) /bin/echo NOPASSWD\\: x\n", PLAIN),
        ("jo ALL = /usr/bin/rsync -e ssh a\\=b\\:c\n", PLAIN),
        ("Defaults !authenticate\njo ALL = ALL\n", FREE),
        ("Defaults:jo !authenticate\njo ALL = ALL\n", FREE),
        ("Defaults:al !authenticate\njo ALL = ALL\n", PLAIN),
        ("Defaults !authenticate\nDefaults:jo authenticate\njo ALL = ALL\n", PLAIN),
        ('Defaults env_reset, secure_path="/bin:/sbin"\njo ALL = ALL\n', PLAIN),
        ("Defaults !authenticate\n", NO),
        ('"jo" ALL = ALL\n', PLAIN),
        ("jo ALL=(ALL) ROLE=x TYPE=y NOPASSWD: ALL\n", FREE),
        ("jo ALL=(ALL) TIMEOUT=5m NOPASSWD: ALL\n", FREE),
    ],
)
def test_entries(tmp_path: Path, text: str, told: tuple[bool, bool]) -> None:
    assert read(tmp_path, text) == told


def test_what_is_included(tmp_path: Path) -> None:
    folder = tmp_path / "more d"
    folder.mkdir()
    for name, text in {
        "ops": "%sudo ALL=(ALL) NOPASSWD: ALL\n", "old.bak": "broken ALL", "old~": "broken ALL", "z": "al ALL=ALL\n",
    }.items():  # fmt: skip
        (folder / name).write_text(text)
    assert read(tmp_path, f"#includedir {folder}\n") == FREE
    assert read(tmp_path, '@includedir "more d"\n') == FREE
    assert read(tmp_path, "@include more\\ d/z\n", {"al"}) == PLAIN
    assert read(tmp_path, "@include more\\ d/%h\n") == NO
    assert read(tmp_path, "@includedir none\n@include none/such\n") == NO
    assert read(tmp_path, "@include sudoers\njo ALL=ALL\n") == PLAIN
