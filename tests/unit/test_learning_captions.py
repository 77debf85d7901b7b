"""Pictures with texts, from a file of JSON lines: read strictly, and what is hostile in it is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_learning_pictures import png

from jepanet.errors import Exit, Fatal
from jepanet.learning.data import captions
from jepanet.learning.data.captions import CAPTION, Wanted, captions_shard, learnt_from, read_captions
from jepanet.learning.data.shards import check_shard, load_shard, shard_bytes
from jepanet.learning.families.vision_language.family import VisionLanguage
from jepanet.learning.families.vision_language.sizes import VisionLanguageModelSizes

pytestmark = pytest.mark.unit

WANTED = Wanted(side=16, query=16, answer=24, vocabulary=300)


def written(folder: Path, *lines: Any, name: str = "all.jsonl") -> Path:
    """A file of these lines, with two pictures beside it."""
    for picture, colour in (("one.png", (200, 0, 0)), ("below/two.png", (0, 0, 250))):
        path = folder / picture
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(colour))
    path = folder / name
    path.write_text("".join(f"{item if isinstance(item, str) else json.dumps(item)}\n" for item in lines))
    return path


def refused(path: Path, match: str, wanted: Wanted = WANTED, vocabulary: Path | None = None) -> None:
    with pytest.raises(Fatal, match=match) as caught:
        captions_shard(path, wanted, vocabulary=vocabulary)
    assert caught.value.code == Exit.DATASET and caught.value.remedy


def test_captions_are_answers_to_one_question(tmp_path: Path) -> None:
    lines = [
        {"image": "one.png", "caption": "A red square"},
        "",
        {"caption": "a blue one", "image": "below/two.png"},
    ]
    path = written(tmp_path, *lines)
    shard = captions_shard(path, WANTED)
    check_shard(shard)
    assert load_shard(shard_bytes(shard)).header == {**shard.header, "schema": shard.schema.tag}
    assert shard.array("images")[:, :, 8, 8].tolist() == [[200, 0, 0], [0, 0, 250]]
    tokens = learnt_from(read_captions(path), WANTED.vocabulary)
    assert tokens.decode(shard.array("answers")[0, 0].tolist()) == "a red square"
    assert tokens.decode(shard.array("queries")[1, 0].tolist()) == CAPTION
    assert shard.header["vocabulary"] == tokens.digest
    sizes = VisionLanguageModelSizes(image=16, vocabulary=300, query=16, answer=24)
    VisionLanguage(model=sizes, questions=1).check_shard(shard)


def test_questions_keep_their_places(tmp_path: Path) -> None:
    pairs = [["how many", "one"], ["which colour", "red"]]
    lines = [{"image": "one.png", "questions": pairs}, {"image": "below/two.png", "questions": pairs[::-1]}]
    shard = captions_shard(written(tmp_path, *lines), WANTED)
    queries = shard.array("queries")
    assert queries.shape == (2, 2, 16) and np.array_equal(queries[0], queries[1][::-1])


def test_sites_share_the_vocabulary_of_one_file(tmp_path: Path) -> None:
    ours = written(tmp_path, {"image": "one.png", "caption": "red red red red"})
    theirs = written(tmp_path, {"image": "one.png", "caption": "blue blue blue"}, name="theirs.jsonl")
    alone, shared, other = (
        captions_shard(path, WANTED, vocabulary=known)
        for path, known in ((ours, None), (theirs, ours), (theirs, None))
    )
    assert alone.header["vocabulary"] == shared.header["vocabulary"] != other.header["vocabulary"]
    assert (shared.array("answers") != other.array("answers")).any()


def test_a_folder_has_captions_beside_its_pictures(tmp_path: Path) -> None:
    written(tmp_path, "")
    (tmp_path / "one.txt").write_text("A red square.\nde.utf8=Ein rotes Quadrat.\n")
    (tmp_path / "below" / "two.txt").write_text("a blue one")
    (tmp_path / "third.png").write_bytes(png((1, 1, 1)))
    shard = captions_shard(tmp_path, WANTED)
    check_shard(shard)
    assert shard.array("images")[:, :, 8, 8].tolist() == [[0, 0, 250], [200, 0, 0]]
    tokens = learnt_from(read_captions(tmp_path), WANTED.vocabulary)
    assert tokens.decode(shard.array("answers")[1, 0].tolist()) == "a red square."
    (tmp_path / "third.txt").write_text("\n")
    refused(tmp_path, "third.txt has no first line")
    for name in ("one.txt", "below/two.txt", "third.txt"):
        (tmp_path / name).unlink()
    refused(tmp_path, "no picture with a text beside it")


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("{", "line 2 is not JSON"),
        ("[" * 100, "nests more than"),
        ('{"image": "one.png", "image": "one.png", "caption": "a"}', "twice in one object"),
        ({"image": "one.png"}, "is no line of captions"),
        ({"image": "one.png", "caption": "a", "more": 1}, "is no line of captions"),
        ({"image": "one.png", "caption": "a", "questions": []}, "is no line of captions"),
        ({"image": 3, "caption": "a"}, "is no line of captions"),
        ({"image": "one.png", "caption": 3}, "is no text"),
        ({"image": "one.png", "caption": " "}, "is no text"),
        ({"image": "one.png", "questions": [["a"]]}, "is no text"),
        ({"image": "one.png", "questions": []}, "has 0 questions"),
        ({"image": "one.png", "questions": [["a", "b"]] * 65}, "has 65 questions"),
        ({"image": "one.png", "questions": [["a", "b"]] * 2}, "has 2 questions, and the first line 1"),
        ({"image": "one.png", "caption": "many words " * 20}, "an answer has .* reads 1 to 24"),
        ({"image": "one.png", "caption": "x" * 70_000}, "longer than 65536 characters"),
        ({"image": "none.png", "caption": "a"}, "cannot be read"),
        ({"image": "one\0.png", "caption": "a"}, "cannot be read"),
        ({"image": "below", "caption": "a"}, "is no file"),
        ({"image": "../outside.png", "caption": "a"}, "line 2 names .* outside the folder"),
        ({"image": "linked.png", "caption": "a"}, "line 2 names .* outside the folder"),
        ({"image": "all.jsonl", "caption": "a"}, "is no picture"),
    ],
)
def test_attack_a_line_that_is_odd(tmp_path: Path, line: Any, match: str) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (tmp_path / "outside.png").write_bytes(png((1, 1, 1)))
    (folder / "linked.png").symlink_to(tmp_path / "outside.png")
    refused(written(folder, {"image": "one.png", "caption": "a"}, line), match)


def test_attack_a_text_that_is_a_link_out_of_the_folder(tmp_path: Path) -> None:
    """What it leads to would stand in a shard that is handed round."""
    folder, secret = tmp_path / "site", tmp_path / "password"
    folder.mkdir()
    written(folder, "")
    secret.write_text("correct horse")
    told = folder / "one.txt"
    for target in (secret, Path("..") / "password"):
        told.symlink_to(target)
        refused(folder, "outside the folder")
        told.unlink()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "two.txt").write_text("correct horse")
    (folder / "below" / "two.txt").symlink_to(tmp_path / "texts" / "two.txt")
    refused(folder, "outside the folder")
    (folder / "below" / "two.txt").unlink()
    (folder / "texts").mkdir()
    (folder / "texts" / "first").write_text("a red square")
    told.symlink_to(Path("texts") / "first")
    assert read_captions(folder)[0].pairs == ((CAPTION, "a red square"),), "a link within it is read"


def test_attack_a_picture_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, {"image": "one.png", "caption": "a"})
    monkeypatch.setattr(captions, "MAX_FILE_BYTES", 20)
    refused(path, "more than 20")


def test_attack_more_lines_than_a_shard_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, *[{"image": "one.png", "caption": "a"}] * 3)
    monkeypatch.setattr(captions, "MAX_SHARD_BYTES", 3 * (3 * 16**2 + 2 * 40 + 4))
    refused(path, "has 3 lines, and a shard of such sizes takes 2")
    monkeypatch.setattr(captions, "MAX_EPISODES", 2)
    refused(path, "more than 2 lines")
    refused(written(tmp_path, "", name="empty.jsonl"), "has no line")


def test_a_vocabulary_without_room_for_bytes_is_refused(tmp_path: Path) -> None:
    refused(
        written(tmp_path, {"image": "one.png", "caption": "a"}), "no room", Wanted(16, 16, 24, vocabulary=64)
    )
