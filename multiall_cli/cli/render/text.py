"""The one door for text from outside: nothing in it can move a cursor, change a colour or be read as markup."""

import re

HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line end, DEL, C1
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"  # turns, breaks, hides
    "\U000e0000-\U000e0fff"  # tags: letters that nothing shows
    "\ud800-\udfff]"  # bytes that were no UTF-8
)
"""What a reader cannot see, and what a terminal would obey."""


def _shown(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return ascii(match.group())[1:-1] if code != 0x0D else "\\r"


def safe_lines(text: str) -> str:
    """The text with every hidden character as a visible escape; line ends and tabs stay."""
    return HIDDEN.sub(_shown, text)


def safe_text(text: str) -> str:
    """The same on one line."""
    return safe_lines(text).replace("\n", "\\n").replace("\t", "\\t")


def count(number: int, word: str, plural: str = "") -> str:
    """`1 member`, `2 members`."""
    return f"{number} {word}" if number == 1 else f"{number} {plural or word + 's'}"


def size(number: float) -> str:
    """Bytes in the largest unit that keeps it above one: `1.2 kB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
