"""Bytes from anywhere as text: no letter is lost or made up, or a sentence says why."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from pathlib import Path

BOMS = (  # the longer one first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
MARKS = tuple(mark for mark, _ in BOMS)
# The syllables most frequent in Korean: Chinese bytes, read as Korean, hit them only by chance.
HANGUL = frozenset(
    "가강개거것게견경계고공과관교구국군그근금기긴길김꽃나난날남내너네노녀년눈는니다단달닭당대더도독돌동돼된두드들등디따"
    "라락란람랑래량러레려력로록론료류르를름리린림마막만말매머면명모목무문물미민바박반발방배버범벌법병보복본부분불비빵"
    "사산살상새색생서석선설성세소속손송수순술숭스슴시식신실심아안알암앙야약양어언얼엄업에여역연열염엽영예오옥온올와왕용우운"
    "울원월위유육으은을음의이인일임입있자작잔장재저적전절점정제조족종주죽중즈지직진집차참창채책처천철청체초최추축치침카커컵"
    "코콜크키타탁태터토통트티파판팔패펀편포표품풍프피필하학한할합해햄향현형호화황회후흰히"
)


def decode(data: bytes, what: str = "The text") -> str:
    """A whole file as text, without its byte order mark; line ends become "\\n".

    UTF-8 and what a byte order mark announces are certain. For anything else one would have to guess, which
    a short list of names does not bear: it is refused.

    Raises:
        ValueError: one sentence, where the bytes are no text in a known encoding.
    """
    encoding = next((name for mark, name in BOMS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ValueError(f"{what} must be text in UTF-8 and is not; save it as UTF-8.") from error
    if "\0" in text:
        raise ValueError(f"{what} must be text in UTF-8 and holds other bytes; save it as UTF-8.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def lines(path: Path) -> list[str]:
    """The lines of a text file that hold something, without space around them; none where there is no file.

    Raises:
        ValueError: one sentence, where the file is no text.
    """
    if not path.is_file():
        return []
    return [line.strip() for line in decode(path.read_bytes(), path.name).split("\n") if line.strip()]


def code_page(names: Sequence[bytes]) -> str:
    """The encoding of file names that do not say theirs: UTF-8 if all of them are, else the likeliest page.

    One name alone can be read in several ways (C3 A8 is UTF-8's "è" and GBK's "猫"), so all names of an
    archive are tried together.

    Returns:
        the name of a codec that decodes all of them, "" where none gives what people would write.
    """
    text = b"/".join(names)
    try:
        text.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        return _likeliest(text)


def is_guess(names: Sequence[bytes], codec: str) -> bool:
    """Whether names may be in another encoding than the one that `code_page` gave.

    UTF-8 is certain, but for a letter or two of two bytes, which a code page's hit by chance.
    """
    if codec != "utf-8":
        return True
    text = b"/".join(names)
    beyond = _beyond_ascii(text.decode(codec))
    return len(beyond) <= 2 and max(beyond, default="") < "\u0800" and bool(_likeliest(text))


def _likeliest(text: bytes) -> str:
    """The code page in which a text looks most like what people write, "" where it does in none."""
    likely, best = "", 0.5  # at least half of the letters must be usual ones
    for codec, usual in CODE_PAGES:
        try:
            told = text.decode(codec)
        except UnicodeDecodeError:
            continue
        share = usual(told) * (1 if usual in LATIN else 1 - _mixed(told))
        if share > best:
            likely, best = codec, share
    return likely


def _share(letters: Sequence[str], usual: Callable[[str], bool]) -> float:
    return sum(map(usual, letters)) / len(letters) if letters else 0.0


def _mixed(text: str) -> float:
    """The share of words that mix Latin letters with others, as "cafВ" does: misread accents."""
    words = [word for word in re.split(r"[\W\d_]+", text) if not word.isascii()]
    return _share(words, lambda word: bool(re.search("[A-Za-z]", word)))


def _beyond_ascii(text: str) -> list[str]:
    return [letter for letter in text if letter > "\x7f"]


def _in_rows(codec: str, first: int, last: int) -> Callable[[str], bool]:
    """Whether a letter lies between two rows of a double-byte set, where its usual letters are."""

    def usual(letter: str) -> bool:
        code = letter.encode(codec, "ignore")
        return len(code) == 2 and first <= code[0] <= last

    return usual


def _chinese(codec: str, first: int, last: int) -> Callable[[str], float]:
    usual = _in_rows(codec, first, last)
    return lambda text: _share(_beyond_ascii(text), usual)


def _japanese(text: str) -> float:
    level_one = _in_rows("shift_jis", 0x88, 0x97)
    return _share(_beyond_ascii(text), lambda letter: "ぁ" <= letter <= "ー" or level_one(letter))


def _korean(text: str) -> float:
    return 1.0 if _share(_beyond_ascii(text), HANGUL.__contains__) > 0.6 else 0.0


def _alphabet(letters: str, frequent: str, last: str = "", ends: str = "") -> Callable[[str], float]:
    """How well a text fits an alphabet: the share of its frequent letters, 0 with any letter of another one.

    Args:
        letters: all but the frequent ones, in small letters.
        frequent: those that make up most of any text.
        last: letters that only end a word.
        ends: the only letters that do; "" where all may.
    """
    all_of_it, usual = frozenset(letters + frequent), frozenset(frequent)

    def fit(text: str) -> float:
        beyond = [letter.lower() for letter in _beyond_ascii(text)]
        if not all(letter in all_of_it for letter in beyond):
            return 0.0
        words = [word for word in re.split(r"[\W\d_]+", text) if not word.isascii()]
        misplaced = _share(words, lambda word: not _cased(word) or _odd(word.lower()))
        return _share(beyond, usual.__contains__) * (1 - misplaced)

    def _odd(word: str) -> bool:
        return any(letter in last for letter in word[:-1]) or bool(ends) and word[-1] not in ends

    return fit


_cyrillic = _alphabet("бгжзйфхцчшщъыьэюяёіїєґў№«»", "оеаинтсрвлкмдпу")
_greek = _alphabet("βγδζθξφχψϊϋΐΰύ", "αοιετσνηυρπκμλωάέήίόώς", last="ς", ends="αεηιουωάέήίόύώςνρξ")
_hebrew = _alphabet("גזחטסעפצקךםןףץ", "יהולאמרתשנבדכ", last="ךםןףץ")
_arabic = _alphabet("جحخذزشصضطظغفثهءئؤإأآىكس", "اليمنرتبوقعدة", last="ةى")


def _cased(word: str) -> bool:
    """Whether capitals stand in front only, or everywhere; scripts without them are fine."""
    return word[1:] == word[1:].lower() or word == word.upper()


def _latin(accents: str, most: float = 0.5) -> Callable[[str], float]:
    """How well a text fits a Latin alphabet: few accents, at `most` so many of a word's letters, among plain
    ones, and capitals in front only."""

    def fine(word: str) -> bool:
        return _cased(word) and (len(_beyond_ascii(word)) <= most * len(word) or len(word) < 3)

    def fit(text: str) -> float:
        words = [word for word in re.split(r"[\W\d_]+", text) if not word.isascii()]
        known = all(letter.lower() in accents for letter in _beyond_ascii(text))
        return _share(words, fine) if known else 0.0

    return fit


_western = _latin("àáâãäåæçèéêëìíîïñòóôõöøœùúûüýÿßªº’")
_turkish = _latin("çğıiöşüâîû\u0307")
_central = _latin("áäąâăčćçďđéęëěíîłĺľńňñóöőôŕřśšşťţúüůűýźžżß", most=0.75)


CODE_PAGES: tuple[tuple[str, Callable[[str], float]], ...] = (  # the first of equals is taken
    ("euc_kr", _korean),
    ("gbk", _chinese("gb2312", 0xB0, 0xD7)),
    ("cp932", _japanese),
    ("big5", _chinese("big5", 0xA4, 0xC6)),
    ("cp866", _cyrillic),
    ("cp1251", _cyrillic),
    ("koi8_u", _cyrillic),
    ("cp737", _greek),
    ("cp1253", _greek),
    ("cp862", _hebrew),
    ("cp1255", _hebrew),
    ("cp720", _arabic),
    ("cp1256", _arabic),
    ("cp1252", _western),
    ("cp850", _western),
    ("cp1254", _turkish),
    ("cp857", _turkish),
    ("cp1250", _central),
    ("cp852", _central),
    ("mac_roman", _western),
)
LATIN = (_western, _turkish, _central)
